"""Options that every command has, ours and plugins', before its name and behind it."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import typer

from rr_bench.cli import printing


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        printing.tell(f"rr {version('rerank-registry')}")
        raise typer.Exit


def _quiet(asked: bool) -> None:
    if asked:
        printing.say("little")


def _verbose(asked: bool) -> None:
    if asked:
        printing.say("much")


def _common(
    quiet: Annotated[
        bool,
        typer.Option("--quiet", callback=_quiet, expose_value=False, help="Show results, warnings and errors alone."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", callback=_verbose, expose_value=False, help="Also say what is found and used, and tracebacks."
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, expose_value=False, is_eager=True, help="Show the version."),
    ] = False,
) -> None: ...


@functools.cache
def _options() -> list[Any]:
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command()(_common)
    return list(typer.main.get_command(alone).params)


def with_common(command: Any) -> Any:
    """The command with these options, but for those that it has itself."""
    own = {name for parameter in command.params for name in parameter.opts}
    command.params = [*command.params, *(option for option in _options() if not own & set(option.opts))]
    return command
