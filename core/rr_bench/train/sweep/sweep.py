"""The sweep itself: which trials, one after the other, and which of them is the best on dev."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rr.errors import RegistryError, RerankError
from rr.files import alone, fingerprint, home
from rr.registry.plugins import Plugins
from rr.types import Dataset
from rr_bench.cache.using import using_home
from rr_bench.evaluate.merging import Prefixed
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import DatasetEntry
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.checkpoints import dev_share
from rr_bench.train.sweep.space import Point, Space, grid, one_by_one, words
from rr_bench.train.sweep.study import FILE, Study, Trial, optuna
from rr_bench.train.sweep.trial import Outcome, Task, run_trial, task_of
from rr_bench.train.trainers import training_settings
from rr_bench.train.training import checkpoint_folder


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
) -> list[Trial]:
    """All trials of the study; those that are missing are run. `count`: how many; `again`: the failed ones once more;
    `ended`: is told of each that has ended now.

    Raises:
        RerankError: another process is at this study, or another sweep lies in its folder.
    """
    asked.folder.mkdir(parents=True, exist_ok=True)
    try:
        with alone(asked.folder / FILE, 0):
            study = Study(asked.folder, asked.key, asked.space, asked.seed)
            for trial in study.due(count, again):
                prefixed = Prefixed(progress, f"trial {trial.number + 1}, ")
                ended(study.tell(trial, _compared(study.trials(), _tried(asked, trial, run, prefixed))))
            return study.trials()
    except TimeoutError as error:
        raise RerankError(f"another rr sweep works on {asked.folder}; wait for its end") from error


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
