"""The `rr` command: its sub-commands, and the one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from rr.cli import bench, bias, data, export, listing, rerank, streams, training
from rr.errors import RerankError
from rr.streams import own_stdout

app = typer.Typer(
    name="rr",
    help="Rerankers as plugins: list them, train them, use them, and compare them on the same data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich takes longer to import than everything else that --help needs
)
app.command("list")(listing.list_rerankers)
app.command("info")(listing.info)
app.command("train", context_settings=training.SETTINGS_ARE_FLAGS)(training.train)
app.command("export")(export.export)
app.command("rerank")(rerank.rerank)
app.command("bench")(bench.bench)
app.command("bias")(bias.bias)
app.add_typer(data.app, name="data")

INTERRUPTED = 130
"""The exit code after Ctrl-C, by convention 128 + SIGINT; typer ends with it."""


@own_stdout()
def main() -> None:
    """Runs the command line. Exit codes: 0 all well; 1 something failed that the output names; 2 bad input."""
    streams.prepare()
    try:
        app()
    except RerankError as error:
        if os.environ.get("RR_STRICT") == "1":
            traceback.print_exception(error)
        streams.tell(f"error: {error}", err=True)
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            streams.tell("interrupted; what was finished is kept, and the same command resumes there", err=True)
        raise
