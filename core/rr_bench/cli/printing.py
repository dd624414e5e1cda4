"""What the command line says, and the only place that says it: on streams that survive any encoding, and with nothing
in it that a terminal would obey."""

from __future__ import annotations

import codecs
import io
import logging
import sys
import warnings
from typing import Literal

import typer

from rr.registry.expansion import as_written
from rr_bench.report.escape import terminal

ERRORS = "rr.spelled"
"""The name of what becomes of a character that the encoding of a stream does not have."""


Much = Literal["little", "as usual", "much"]
KEPT = ("error:", "warning:", "interrupted")
"""Beginnings of the lines on stderr that are said in any case."""
_says: Much = "as usual"


def tell(text: str = "", err: bool = False) -> None:
    """One line on stdout, or on stderr, where `--quiet` keeps errors and warnings alone."""
    if not (err and says() == "little" and not text.startswith(KEPT)):
        typer.echo(terminal(text), err=err)


def says() -> Much:
    """What `--quiet` and `--verbose` ask for."""
    return _says


def say(how_much: Much) -> None:
    """From here on, in this process and those that it starts."""
    global _says
    _says = how_much
    logging.getLogger("rr").setLevel(logging.DEBUG if how_much == "much" else logging.WARNING)
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.DEBUG if how_much == "much" else logging.WARNING)


def tell_json(text: str) -> None:
    """Lines that a program reads, on stdout, as they are."""
    typer.echo(text, nl=False)


def prepare() -> None:
    """Once, before anything is said. From here on warnings and log lines are one line each too."""
    say("as usual")
    codecs.register_error(ERRORS, _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_OneLine())
    warnings.formatwarning = _warning


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """`\\u0394`, as JSON spells it, so that JSON is read back whole from any stream."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2)), error.end


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return terminal(as_written(super().formatMessage(record)))


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return f"{filename}:{lineno}: {category.__name__}: {terminal(as_written(str(message)))}\n"
