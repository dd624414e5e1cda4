"""Options that several commands share, and what they need to show progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rr_bench.cli.completing import profiles
from rr_bench.progress import Progress, clock

if TYPE_CHECKING:
    from rich import progress
    from rich.console import Console


def given_path(text: str) -> Path:
    """What every option and argument that is a path is read by: the path of no text is this very folder, which nobody
    means who writes `--out "$UNSET"`."""
    if not text:
        raise typer.BadParameter("it is empty; name a file or a folder")
    return Path(text)


RegistryOption = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        parser=given_path,
        help="registry.yaml to read (else $RR_REGISTRY, ./registry.yaml, the packaged one).",
    ),
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="Profile of the registry (its default if not given).", autocompletion=profiles),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option("--checkpoint", help="Folder that 'rr train' wrote; or latest, best or none, as in the registry."),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="cpu|cuda|cuda:1|mps|auto",
        help="Where models compute (else $RR_DEVICE, else on the first GPU, else on the CPU).",
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Train and score in so many processes at once.", show_default=False),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="local|ray|ray://HOST:PORT", help="Who does the work: this machine, or a Ray cluster."
    ),
]
WideOption = Annotated[bool, typer.Option("--wide", help="Show all columns, however narrow the terminal is.")]


def as_given(profile: str | None, registry: Path | None) -> tuple[str, ...]:
    """The two options as another command has to name them again."""
    named = {"--profile": profile, "--registry": registry and str(registry)}
    return tuple(word for option, value in named.items() if value for word in (option, value))


PLAIN_WIDTH = 280
"""Of output that goes into a file or a pipe, where nothing needs to fold."""

RESUMES = "what was finished is kept, and the same command resumes there"
"""What Ctrl-C is told of work that is kept part by part."""


DESCRIPTION, STATUS = "description", "fields[status]"
"""Of a task of rich's, as its columns name them."""
SECONDS = 10.0
"""Between two lines on how work is doing, where there is no terminal."""


def compute_on(device: str | None) -> None:
    """Puts what --device names into $RR_DEVICE, where models and all keys look, and the processes that train together
    inherit it; and looks, before any work, whether there is such a device.

    Raises:
        RerankError: there is none.
    """
    from rr.errors import RerankError
    from rr.files.fingerprints import chosen_device

    if device == "":
        raise RerankError("--device is empty; say cpu, cuda, cuda:1, mps or auto")
    if device is not None:
        os.environ["RR_DEVICE"] = device
    asked = os.environ.get("RR_DEVICE") or "auto"
    if asked in ("auto", "cpu"):  # which are always there: torch, which takes long to load, need not be asked
        return
    if find_spec("torch") is None:
        raise RerankError(f"device {asked!r}: there is no such device here: torch is not installed; say cpu or auto")
    chosen_device()


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Ctrl-C; what is true of the work that it ended."""


@contextmanager
def on_interrupt(told: str) -> Iterator[None]:
    """What to say of this piece of work when Ctrl-C ends it."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise Interrupted(told) from stopped


def console() -> Console:
    """stdout; the terminal's own width, or a wide one where there is no terminal."""
    from rich.console import Console

    found = Console(emoji=False)
    return found if found.is_terminal else Console(width=PLAIN_WIDTH, emoji=False)


class RichProgress(Progress):
    """Bars on stderr, so that stdout holds nothing but results. Without a terminal: a line every `SECONDS` seconds, and
    one a finished task. Of several processes that train together the first one shows them."""

    def __init__(self) -> None:
        from rich.console import Console

        from rr.training.processes import rank
        from rr_bench.cli.printing import says

        self._console = Console(stderr=True, emoji=False, quiet=rank() > 0 or says() == "little")
        self._bars: progress.Progress | None = None
        self._told = 0.0

    def status(self, text: str) -> None:
        """Beside the bar; without a terminal a line every `SECONDS` seconds."""
        from rr_bench.report.escape import terminal

        if self._bars is not None:
            self._bars.update(self._bars.task_ids[-1], status=terminal(text))
        elif self._due():
            self._line(text)

    def _line(self, text: str) -> None:
        from rr_bench.report.escape import terminal

        self._console.print(terminal(text), markup=False, highlight=False)

    def _due(self) -> bool:
        """Whether it is time for another line, where there is no terminal."""
        import time

        now = time.perf_counter()
        if now - self._told < SECONDS:
            return False
        self._told = now
        return True

    def _counter(self, description: str, total: int | None) -> Callable[[int], None]:
        """Without a terminal: says now and then how much of a task is done."""
        import time

        done, started = 0, self._told

        def advance(units: int) -> None:
            nonlocal done
            done += units
            if total and done < total and self._due():
                left = (time.perf_counter() - started) / max(done, 1) * (total - done)
                self._line(f"{description}: {done}/{total} · ETA {clock(left)}")

        return advance

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        import time

        from rich import progress

        from rr_bench.report.escape import terminal

        description, started = terminal(description), time.perf_counter()
        self._told = started
        if self._console.is_terminal:
            text, status = (progress.TextColumn(f"{{task.{name}}}", markup=False) for name in (DESCRIPTION, STATUS))
            columns = [progress.SpinnerColumn(), text, progress.MofNCompleteColumn(), progress.TimeElapsedColumn()]
            if total is not None:
                columns += [progress.BarColumn(bar_width=20), progress.TimeRemainingColumn(compact=True)]
            with progress.Progress(*columns, status, console=self._console, transient=True) as bars:
                bar, self._bars = bars.add_task(description, total=total, status=""), bars
                try:
                    yield lambda units: bars.advance(bar, units)
                finally:
                    self._bars = None
        else:
            yield self._counter(description, total)
        seconds = time.perf_counter() - started
        if seconds >= 1:
            self._line(f"{description}: {seconds:.1f} s")
