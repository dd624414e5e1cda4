"""The `rr` command: its sub-commands, and the one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from rr_bench.border.shield import own_stdout
from rr_bench.cli import (
    bench,
    bias,
    cache,
    calibrate,
    check,
    data,
    doctor,
    env,
    export,
    info,
    listing,
    measures,
    new,
    printing,
    report,
    rerank,
    runs,
    serve,
    sweep,
    training,
)
from rr_bench.cli import eval as judging
from rr_bench.cli.everywhere import with_common
from rr_bench.cli.options import Interrupted
from rr_bench.cli.plugged import Plugged

app = typer.Typer(
    name="rr",
    cls=Plugged,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich takes longer to import than everything else that --help needs
)
app.command("list")(listing.list_rerankers)
app.command("info")(info.info)
app.command("measures")(measures.measures)
app.command("check")(check.check)
app.command("train", cls=training.Train, context_settings=training.SETTINGS_ARE_FLAGS)(training.train)
app.command("sweep", cls=training.Train, context_settings=training.SETTINGS_ARE_FLAGS)(sweep.sweep)
app.command("doctor")(doctor.doctor)
app.command("new")(new.new)
app.command("export")(export.export)
app.command("rerank")(rerank.rerank)
app.command("serve")(serve.serve)
app.command("calibrate")(calibrate.calibrate)
app.command("bench")(bench.bench)
app.command("eval")(judging.evaluate)
app.command("report")(report.report)
app.command("bias")(bias.bias)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
app.add_typer(cache.app, name="cache")
app.command("env")(env.env)


@app.callback()
def options(
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Models whose settings ask for it may run their own code.")
    ] = False,
) -> None:
    """Rerankers as plugins: list them, train them, use them, and compare them on the same data.

    Example: rr bench --all
    """
    if trust_remote_code:
        os.environ["RR_TRUST_REMOTE_CODE"] = "1"  # which processes that train together inherit


BAD_INPUT = 2
FAULT = 70
"""The exit code of a fault of ours, by convention EX_SOFTWARE."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, by convention 128 + SIGINT; typer ends with it."""


@own_stdout()
def main() -> None:
    """Runs the command line. Exit codes: 0 all well; 1 something failed that the output names; 2 bad input, or a
    machine that refuses (a full disk, say); 70 a fault of ours; 130 interrupted."""
    printing.prepare()
    code = _run()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:  # or Python tries again at its very end, and prints a traceback
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not code:
            code = 1 if isinstance(error, BrokenPipeError) else _told(error)
    sys.exit(code)


def _run() -> int:
    """The exit code of the command. What ended it is told."""
    try:
        command = with_common(typer.main.get_command(app))
        code = int(command(prog_name="rr", standalone_mode=False) or 0)
    except Interrupted as stopped:
        return _interrupted(str(stopped))
    except typer.Abort:  # the end of input, or Ctrl-C, at a question
        return _say("no answer, so nothing was done; --yes goes on without a question", 1)
    except Exception as error:  # noqa: BLE001 - every one is told
        return _told(error)
    return _interrupted("") if code == INTERRUPTED else code


def _told(error: Exception) -> int:
    from rr_bench.explain import explained

    if hasattr(error, "format_message"):  # typer's own, about the words of the command line
        command = getattr(getattr(error, "ctx", None), "command_path", "rr")
        return _say(f"{error.format_message().rstrip('.')}; see {command} --help")
    told = explained(error)
    shown = os.environ.get("RR_STRICT") == "1" or printing.says() == "much"
    if shown:
        import traceback

        traceback.print_exception(error)
    if told is not None:
        return _say(str(told))
    mend = "report it with the traceback above and 'rr env'" if shown else "--verbose shows the traceback to report"
    return _say(f"{type(error).__name__}: {error}; this is a fault of rr, not of its input: {mend}", FAULT)


def _say(message: str, code: int = BAD_INPUT) -> int:
    with suppress(OSError):  # stderr is full or gone too; the exit code says it
        printing.tell(f"error: {message}", err=True)
    return code


def _interrupted(what: str) -> int:
    printing.tell(f"interrupted{what and '; '}{what}", err=True)
    return INTERRUPTED
