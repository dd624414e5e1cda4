"""The real command in this process, where a start costs nothing: as `rr` runs it, streams and exit code included."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rr_bench.cli import main

PROGRESS = re.compile(r".*: \d+\.\d s")
"""What a piece of work that took long says of itself on stderr, when it is done."""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """The lines of stderr, without those that only tell how long something took."""
        return [line for line in self.err.splitlines() if not PROGRESS.fullmatch(line)]


Run = Callable[..., Ended]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with these arguments; `stdin`: the bytes that it can read there."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["rr", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, shown.out, shown.err)

    return run
