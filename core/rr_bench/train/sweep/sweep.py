"""The sweep itself: which trials, one after the other, and which of them is the best on dev."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rr.errors import RegistryError, RerankError
from rr.files import alone, fingerprint, home
from rr.registry.plugins import Plugins
from rr.types import Dataset
from rr_bench.cache.using import using_home
from rr_bench.engine.engine import Engine, carried_out
from rr_bench.engine.task import Outcome as HandedOutcome
from rr_bench.engine.task import Task as Handed
from rr_bench.evaluate.merging import Prefixed
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import DatasetEntry
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.checkpoints import dev_share
from rr_bench.train.sweep import trial as trials
from rr_bench.train.sweep.space import Point, Space, grid, one_by_one, words
from rr_bench.train.sweep.study import FILE, Study, Trial, optuna
from rr_bench.train.sweep.trial import Outcome, Task, run_trial, task_of
from rr_bench.train.trainers import training_settings
from rr_bench.train.training import checkpoint_folder

AT_ONCE = 4
"""Trials of ranges that are under way together: more would be drawn without knowing of one another."""


@dataclass(frozen=True)
class Sweep:
    """`folder`: of the study. `entry`: the entry at a point, as if what its flags say stood in the registry."""

    name: str
    space: Space
    seed: int
    entry: Callable[[Point], RerankerEntry]
    dataset: Dataset
    dataset_entry: DatasetEntry
    folder: Path
    key: str

    def task(self, point: Point) -> Task:
        return task_of(self.name, self.entry(point), self.dataset.name, self.dataset_entry)


def prepared(
    plugins: Plugins,
    name: str,
    space: Space,
    seed: int,
    entry: Callable[[Point], RerankerEntry],
    dataset: Dataset,
    dataset_entry: DatasetEntry,
    out: Path | None,
) -> Sweep:
    """A sweep all of whose values were checked, before anything is trained. `out`: where its study is kept, else in
    `$RR_HOME/sweeps`.

    Raises:
        RerankError: there is nothing to try, or to train on; a value is none of its setting; or two trials could not be
            compared.
    """
    if not space:
        raise RerankError("give a setting several values, as --lr 1e-5,2e-5, or a range, as --lr 1e-5:1e-3:log")
    optuna()
    if not dataset.splits["train"] or not dataset.splits["dev"]:
        raise RerankError(f"data set {dataset.name!r} has no train or no dev queries: nothing to train or to select on")
    grid(space, None, seed)
    told: dict[object, Point] = {}
    for point in one_by_one(space):
        try:
            training = training_settings(plugins, resolve(plugins, name, entry(point)))
        except RegistryError as error:
            raise RegistryError(f"{' '.join(words(point))}: {error}") from error
        told.setdefault((training.selects_by(), str(dev_share(training))), point)
    if len(told) > 1:
        first, other = list(told.values())[:2]
        flag = next(flag for flag in other if other[flag] != first[flag])
        raise RerankError(f"{flag} decides by what, or on which queries, it is selected: its values do not compare")
    base = checkpoint_folder(plugins, resolve(plugins, name, entry(one_by_one(space)[0])), dataset).name
    tried = {flag: [type(one).__name__, *one.values, getattr(one, "log", False)] for flag, one in space.items()}
    key = fingerprint([base, tried, seed])
    folder = out or home() / "sweeps" / f"{base[:-17]}-{key[:16]}"
    return Sweep(name, space, seed, entry, dataset, dataset_entry, folder, key)


@using_home
def sweep(
    asked: Sweep,
    count: int | None = None,
    again: bool = False,
    run: Callable[[Task, Progress], Outcome] = run_trial,
    progress: Progress = SILENT,
    ended: Callable[[Trial], None] = lambda trial: None,
    workers: Engine | None = None,
) -> list[Trial]:
    """All trials of the study; those that are missing are run, here or by `workers`. `count`: how many; `again`: the
    failed ones once more; `ended`: is told of each that has ended now.

    Raises:
        RerankError: another process is at this study, or another sweep lies in its folder.
    """
    asked.folder.mkdir(parents=True, exist_ok=True)
    try:
        with alone(asked.folder / FILE, 0):
            study = Study(asked.folder, asked.key, asked.space, asked.seed)
            if workers is not None:
                _handed(asked, study, study.due(count, again), workers, progress, ended)
                return study.trials()
            for trial in study.due(count, again):
                prefixed = Prefixed(progress, f"trial {trial.number + 1}, ")
                ended(study.tell(trial, _compared(study.trials(), _tried(asked, trial, run, prefixed))))
            return study.trials()
    except TimeoutError as error:
        raise RerankError(f"another rr sweep works on {asked.folder}; wait for its end") from error


def _handed(
    asked: Sweep,
    study: Study,
    due: Iterator[Trial],
    workers: Engine,
    progress: Progress,
    ended: Callable[[Trial], None],
) -> None:
    """The trials that are due, several at a time. Of a grid all are begun; of ranges `AT_ONCE`, and another when one
    has ended, so that those which are drawn know how the earlier ones ended."""
    begun: dict[str, Trial] = {}
    resources = asked.entry(one_by_one(asked.space)[0]).resources

    def tasks(most: int | None) -> list[Handed]:
        found = {f"trial {trial.number + 1}": trial for trial in islice(due, most)}
        begun.update(found)
        return [
            Handed(name, f"{trials.__name__}:run_trial", {"task": asked.task(trial.point)}, resources=resources)
            for name, trial in found.items()
        ]

    with progress.task(f"{asked.dataset.name}: trials of {asked.name}", None) as advance:

        def then(task: Handed, outcome: HandedOutcome) -> list[Handed]:
            found: Outcome = outcome.value if outcome.state == "done" else {"failure": outcome.reason}
            ended(study.tell(begun[task.name], _compared(study.trials(), found)))
            advance(1)
            return tasks(1)

        first = tasks(None if grid(asked.space, 1, asked.seed) is not None else AT_ONCE)
        for _ in carried_out(workers, first, then):
            pass


def best(trials: Sequence[Trial]) -> Trial | None:
    """The first of those with the highest figure on dev."""
    return max((one for one in trials if one.value is not None), key=lambda one: one.value or 0.0, default=None)


def _tried(asked: Sweep, trial: Trial, run: Callable[[Task, Progress], Outcome], progress: Progress) -> Outcome:
    try:
        task = asked.task(trial.point)
    except RegistryError as error:  # values that are right one by one, and not together
        return {"failure": str(error)}
    return run(task, progress)


def _compared(before: Sequence[Trial], outcome: Outcome) -> Outcome:
    """The outcome, or that it compares with none before it."""
    for key in ("metric", "dev_share"):
        first = next((one.outcome[key] for one in before if one.value is not None), outcome.get(key))
        if not outcome.get("failure") and outcome[key] != first:
            return {"failure": f"its {key} is {outcome[key]}, and that of the first trial {first}: they do not compare"}
    return outcome
