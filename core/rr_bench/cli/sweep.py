"""`rr sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rr_bench.cli.completing import datasets, rerankers
from rr_bench.cli.options import (
    RESUMES,
    DeviceOption,
    EngineOption,
    JobsOption,
    ProfileOption,
    RegistryOption,
    compute_on,
    given_path,
    on_interrupt,
)
from rr_bench.cli.printing import tell

if TYPE_CHECKING:
    from rr_bench.train.sweep.space import Space
    from rr_bench.train.sweep.study import Trial


def sweep(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A reranker with a trainer.", autocompletion=rerankers)],
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", help="Data set to train and select on.", autocompletion=datasets),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="How many (else all combinations; 20 of ranges).", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of what is drawn; --training.seed is the training's.")] = 13,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=given_path, help="Folder for the study (else in $RR_HOME).", show_default=False),
    ] = None,
    jobs: JobsOption = None,
    engine: EngineOption = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try the failed trials once more.")] = False,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Train with several settings, and name the one that is best on dev. The test split is not looked at.

    Settings are flags as of 'rr train': a list (--lr 1e-5,2e-5) or a range (--lr 1e-5:1e-3:log, --epochs 1:8) is
    tried, one value holds for all. Lists alone are tried in all combinations; of ranges --trials are drawn by TPE.
    The same command goes on where it was stopped, and does no finished trial again. With --jobs or --engine several
    run at once. Exit code 1 if none ended well.

    Example: rr sweep head -d rentals --lr 1e-4,2e-4 --epochs 3,5
    """
    import json
    import shlex

    from rr_bench.cli.asked import asked
    from rr_bench.cli.flags import ALONE, argument, pairs
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.load import load_dataset
    from rr_bench.engine.opened import checked_engine, opened_engine
    from rr_bench.outputs import folder_for
    from rr_bench.schema import RerankerEntry
    from rr_bench.train.sweep.space import Choices, Point, Range, dimension, one_by_one, words
    from rr_bench.train.sweep.study import FILE
    from rr_bench.train.sweep.sweep import best, prepared
    from rr_bench.train.sweep.sweep import sweep as run

    compute_on(device)
    checked_engine(engine, jobs)
    if out is not None:
        folder_for(out, (FILE,), "--out")
    this, progress = asked(context, name, dataset, None, profile, registry), RichProgress()
    space, fixed = dict[str, Choices | Range](), list[str]()
    for flag, text in pairs(this.arguments):
        found = None if text is ALONE else dimension(flag, str(text))
        if found is None:
            fixed.append(argument(flag, text))
        else:
            space[flag] = found

    def entry(point: Point) -> RerankerEntry:
        return this.entry([*fixed, *words(point)])

    data = load_dataset(this.called, this.read, progress)
    planned = prepared(this.plugins, name, space, seed, entry, data, this.read, out)
    with on_interrupt(RESUMES), opened_engine(engine, jobs, json.dumps(planned.task(one_by_one(space)[0]))) as workers:
        done = run(planned, trials, retry_failed, progress=progress, ended=_told, workers=workers)
    show(done, planned.space)
    winner = best(done)
    if winner is None:
        tell("no trial ended well; their reasons stand in the table", err=True)
        raise typer.Exit(1)
    tell(f"best on dev: trial {winner.number + 1}, {winner.outcome['metric']} {winner.value:.4f}", err=True)
    tell(f"checkpoint: {winner.outcome['folder']}", err=True)
    tell(f"study: {planned.folder / FILE}", err=True)
    data_words = ["-d", dataset] if dataset else this.files
    tell(shlex.join(["rr", "train", name, *data_words, *fixed, *words(winner.point), *this.given]))


def _told(trial: Trial) -> None:
    """A line when it has ended."""
    point = " ".join(f"{flag} {value}" for flag, value in trial.point.items())
    outcome = f"FAILED: {trial.failure}" if trial.failure else f"{trial.outcome['metric']} {trial.value:.4f}"
    tell(f"trial {trial.number + 1}: {point}: {outcome}", err=True)


def show(trials: list[Trial], space: Space) -> None:
    """A table of all trials, the best first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from rr_bench.cli.options import console
    from rr_bench.report.escape import terminal

    metric = next((str(one.outcome["metric"]) for one in trials if one.value is not None), "dev")
    table = Table("trial", *space, f"dev {metric}", "steps", "s", box=box.SIMPLE_HEAD, pad_edge=False)
    for one in sorted(trials, key=lambda one: (one.value is None, -(one.value or 0.0), one.number)):
        ended = one.value is not None
        figures = (
            [f"{one.value:.4f}", str(one.outcome["steps"]), f"{one.outcome['seconds']:.1f}"]
            if ended
            else [f"FAILED: {one.failure}" if one.failure else "not ended", "", ""]
        )
        cells = [str(one.number + 1), *(one.point.get(flag, "") for flag in space), *figures]
        table.add_row(*(Text(terminal(cell)) for cell in cells), style=None if ended else "red")
    console().print(table)
