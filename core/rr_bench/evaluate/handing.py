"""The rows of a bench handed out to an engine: trainings, parts of scores, and what is asked of an entry besides.

All that is computed lies in `$RR_HOME` when it is through, under the keys that it has in any bench, so that what
follows is the bench of one process, which finds it there: the same figures, and costs that nothing else disturbs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rr.errors import RerankError
from rr.files import fingerprint
from rr.registry.plugins import Plugins
from rr.types import Dataset
from rr_bench.data.view import shown
from rr_bench.engine.engine import Engine, carried_out
from rr_bench.engine.store import Store
from rr_bench.engine.task import Outcome, Task
from rr_bench.entries import Failure
from rr_bench.evaluate import handed
from rr_bench.evaluate.asking import Handed, Skipped
from rr_bench.evaluate.handed import Plain, datasets, leaf_keys, plain_part
from rr_bench.evaluate.offered import Offered
from rr_bench.evaluate.seeds import variants
from rr_bench.members import Part
from rr_bench.parts import parts
from rr_bench.progress import Progress
from rr_bench.registry import DatasetEntry
from rr_bench.registry_files import recordable
from rr_bench.schema import needed


def row_key(dataset: Dataset, part: Part) -> str:
    return fingerprint([dataset.fingerprint, plain_part(part)])


@dataclass
class Step:
    """`after`: names of the tasks that have to be through before. `of`: the entry that it is a step of; `row`: its
    `row_key`."""

    task: Task
    after: set[str]
    of: str
    row: str


@dataclass(frozen=True)
class Place:
    """A data set, or a fold of one, and in how many parts its test split is scored."""

    data: Plain
    fold: int
    dataset: Dataset
    name: str
    parts: int


@dataclass
class Rows:
    """The rows that a bench of `asked` needs, a data set's name with its entry; `folds`, `seeds`: as of the bench."""

    asked: Mapping[str, DatasetEntry]
    entries: Mapping[str, Part | Failure]
    metrics: Sequence[str]
    folds: int | None
    seeds: int | None
    plugins: Plugins
    progress: Progress
    _steps: dict[str, Step] = field(default_factory=dict, init=False)
    _following: dict[str, list[Step]] = field(default_factory=dict, init=False)
    _handed: Handed = field(default_factory=Handed, init=False)
    _offered: Offered | None = field(default=None, init=False)

    def named(self) -> str:
        """All that is written in the entries."""
        written = [recordable(entry.model_dump()) for entry in self.asked.values()]
        return json.dumps([written, [plain_part(one) for one in self.entries.values() if isinstance(one, Part)]])

    def hand_out(self, engine: Engine, store: Store | None = None) -> Handed:
        """What became of them. What those need that have not failed is in `$RR_HOME` then, or in the `store` that
        workers have in its place, but for their costs."""
        self._offered = None if store is None else Offered(store, self.plugins)
        told = [
            {"name": name, "entry": recordable(entry.model_dump(exclude_unset=True)), "folds": self.folds}
            for name, entry in self.asked.items()
        ]
        with self.progress.task("preparing data", len(told)) as advance:
            prepared = list(self._prepared(told, engine, advance))
        for data in prepared:
            self._plan(data)
        # trainings first, which take longest: nobody is left with one at the end
        ready = [step.task for step in self._steps.values() if not step.after]
        ready.sort(key=lambda task: not any(told[1] for told in task.arguments["keys"].values()))
        with self.progress.task("training and scoring", len(self._steps)) as advance:
            for task, outcome in carried_out(engine, ready, self._then):
                advance(1)
                self.progress.status(f"{task.name}: {outcome.state}")
        return self._handed

    def _prepared(self, told: Sequence[Plain], engine: Engine, advance: Callable[[int], None]) -> Iterator[Plain]:
        """As workers are told of them; those that cannot be prepared the bench meets, too, and tells."""
        if self._offered is not None:
            for one in told:
                yield from self._offered.data(one, self.asked[one["name"]])
                advance(1)
            return
        tasks = [Task(f"{one['name']}: data", f"{handed.__name__}:prepared", {"data": one}) for one in told]
        there = set()
        for task, outcome in carried_out(engine, tasks):
            advance(1)
            if outcome.state == "done":
                there.add(task.name)
        yield from (task.arguments["data"] for task in tasks if task.name in there)

    def _plan(self, data: Plain) -> None:
        entry = self.asked[data["name"]]
        if self.folds is None and entry.split.all == "train":  # of which nothing is tested
            return
        for fold, dataset in enumerate(datasets(data)):
            name = f"{dataset.name}: " if self.folds is None else f"{dataset.name}, fold {fold + 1}: "
            count = sum(1 for _ in parts(shown(dataset).requests("test")))
            at = Place(data, fold, dataset, name, count)
            whole = [entry for entry in self.entries.values() if isinstance(entry, Part)]
            for part in sorted(whole, key=lambda one: bool(one.members)):
                try:
                    for variant in list(variants(part, self.plugins, self.seeds)[1].values()) or [part]:
                        self._row(at, variant)
                except RerankError:  # which the row meets, too
                    continue

    def _row(self, at: Place, part: Part) -> None:
        last = self._step(at, part, "answers", "answered", set())
        whole = asked_about_all(part)
        for leaf in part.leaves:
            before = f"{at.name}{self._label(leaf)}: answers"
            if leaf is part or before not in self._steps:
                last.after |= self._leaf(at, leaf, leaf.name in whole, alone=leaf is part)
            else:
                last.after.add(before)
        for name in last.after:
            self._following.setdefault(name, []).append(last)

    def _leaf(self, at: Place, leaf: Part, whole: bool, alone: bool) -> set[str]:
        """The tasks that have to be through before anyone asks for all its answers. One part is no task of its own."""
        found = set[str]()
        if self._offered is not None:
            self._offered.known(leaf, at.dataset)
        if alone and at.parts == 1:
            return found
        if leaf.entry.trains:
            found = {self._step(at, leaf, "training", "trained", set()).task.name}
        if not whole or at.parts == 1:
            return found
        each = {f"part {n + 1} of {at.parts}": {"leaf": leaf.name, "number": n} for n in range(at.parts)}
        return {self._step(at, leaf, what, "scored", found, more).task.name for what, more in each.items()}

    def _step(
        self, at: Place, part: Part, what: str, function: str, after: set[str], more: Plain | None = None
    ) -> Step:
        name = f"{at.name}{self._label(part)}: {what}"
        if name in self._steps:
            return self._steps[name]
        asked: dict[str, Any] = {
            "data": at.data,
            "fold": at.fold,
            "part": plain_part(part),
            "metrics": list(self.metrics),
            "keys": leaf_keys(part, at.dataset, self.plugins),
            "checkpoints": self._offered.checkpoints(part, at.dataset) if self._offered is not None else {},
            **(more or {}),
        }
        group = fingerprint([at.data, at.fold, asked["part"]])
        resources = needed([leaf.entry.resources for leaf in part.leaves])
        task = Task(name, f"{handed.__name__}:{function}", asked, group, resources)
        step = Step(task, set(after), part.name, row_key(at.dataset, part))
        self._steps[name] = step
        for before in after:
            self._following.setdefault(before, []).append(step)
        return step

    def _label(self, part: Part) -> str:
        """Its name, and its seed where there are several."""
        seeds = [
            leaf.entry.training["seed"] for leaf in part.leaves if leaf.entry.trains and "seed" in leaf.entry.training
        ]
        return f"{part.name}, seed {min(seeds)}" if self.seeds is not None and seeds else part.name

    def _then(self, task: Task, outcome: Outcome) -> Iterator[Task]:
        """What can be begun now. What needs this, and cannot have it, has failed likewise."""
        step = self._steps[task.name]
        if outcome.state == "inapplicable":
            self._handed.met[step.row] = Skipped(outcome.reason)
        elif outcome.state != "done":
            self._handed.met[step.row] = Failure(outcome.reason, outcome.traceback)
        elif outcome.value:
            self._handed.computed.add(step.row)
        for other in self._following.get(task.name, ()):
            if task.name not in other.after:
                continue
            other.after.discard(task.name)
            if outcome.state == "done":
                if not other.after:
                    yield other.task
                continue
            other.after.clear()
            said = outcome.reason if other.of == step.of else f"member {step.of!r}: {outcome.reason}"
            yield from self._then(other.task, Outcome(outcome.state, reason=said, traceback=outcome.traceback))


def asked_about_all(part: Part) -> set[str]:
    """The leaves that are asked about all candidates; a later stage of a cascade is about some."""
    if not part.members:
        return {part.name}
    members = part.members if part.entry.fuse is not None else part.members[:1]
    return {name for member in members for name in asked_about_all(member)}
