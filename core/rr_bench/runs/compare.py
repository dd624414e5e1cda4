"""What is different between two runs: what went in, and which figures moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rr_bench.evaluate.results import DatasetResult, Row
from rr_bench.evaluate.significance import Difference, difference
from rr_bench.runs.database import Run

ABSENT = "–"
OF_DATA = ("fingerprint", "documents", "queries", "retriever", "protocol", "order", "mean_candidates", "recall_ceiling")
OF_ROW = ("state", "diagnostics", "metrics", "skipped", "failure")
"""Of a row: what is the same in equal runs, besides the values of all queries and all scores. Times are not."""


@dataclass(frozen=True)
class Change:
    """Something that went in. `where`: the run, a data set, or a row of one."""

    where: str
    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Moved:
    """A figure that both runs have; its difference is over the `queries` that both have, of which `moved` moved."""

    dataset: str
    reranker: str
    metric: str
    before: float
    after: float
    queries: int
    moved: int
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """`rows`: how many both runs have; `same`: how many of them are equal to the bit, every score of every document
    included. `figures`: of the others, what moved. `otherwise`: what else is not the same about them, one line each."""

    changes: tuple[Change, ...]
    rows: int
    same: int
    figures: tuple[Moved, ...]
    otherwise: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not self.otherwise and self.rows == self.same


def compare(before: Run, after: Run) -> Comparison:
    """
    Raises:
        RerankError: a part of one of them is damaged.
    """
    changes = [*_of_the_run(before, after)]
    old, new = before.result, after.result
    figures: list[Moved] = []
    otherwise: list[str] = []
    rows = same = 0
    left, right = {one.name: one for one in old.datasets}, {one.name: one for one in new.datasets}
    otherwise += [
        f"{name}: only in {_in(name in left, before, after)}"
        for name in {**left, **right}
        if (name in left) != (name in right)
    ]
    for name in (name for name in left if name in right):
        one, other = left[name], right[name]
        changes += _changes(name, {k: asdict(one)[k] for k in OF_DATA}, {k: asdict(other)[k] for k in OF_DATA})
        changes += _changes(name, _entry(before, name), _entry(after, name))
        if one.failure != other.failure:
            otherwise.append(f"{name}: {_state(one.failure)} → {_state(other.failure)}")
        for label, pair in _rows(one, other):
            place = f"{name}, {label}"
            if None in pair:
                otherwise.append(f"{place}: only in {_in(pair[0] is not None, before, after)}")
                continue
            rows += 1
            was, is_ = (run.about["rows"].get(name, {}).get(label, {}) for run in (before, after))
            changes += _changes(place, _put_in(was), _put_in(is_))
            moved, told = _row(place, one, other, pair[0], pair[1], _scores(was) == _scores(is_))
            figures += moved
            otherwise += told
            same += not moved and not told
    return Comparison(tuple(changes), rows, same, tuple(figures), tuple(otherwise))


def _of_the_run(before: Run, after: Run) -> Iterator[Change]:
    for part in ("arguments", "profile", "registry_fingerprint", "code"):
        yield from _changes("run", {part: _told(before.about[part])}, {part: _told(after.about[part])})
    old, new = (run.about["result"] for run in (before, after))
    yield from _changes("run", {"metrics": old["metrics"]}, {"metrics": new["metrics"]})
    yield from _changes("environment", old["environment"], new["environment"])


def _told(part: Any) -> Any:
    """`fresh` is how a run came by its figures, and nothing that they depend on."""
    return {name: value for name, value in part.items() if name != "fresh"} if isinstance(part, Mapping) else part


def _entry(run: Run, dataset: str) -> dict[str, Any]:
    """The data set in the run's registry."""
    suites = run.json(run.about["registry"])["suites"].values()
    return next((suite["datasets"][dataset] for suite in suites if dataset in suite["datasets"]), {})


def _changes(where: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        Change(where, name, old.get(name, ABSENT), new.get(name, ABSENT))
        for name in dict.fromkeys((*old, *new))
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    ]


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Name of each leaf, `settings.model`, and what it says."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value))
    else:
        yield name, str(value)


def _put_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row was computed from; the data stand elsewhere."""
    told = {key: value for key, value in row.items() if key != "runs"}
    resolved = ("settings", "training")  # which stand beside the entry, with their defaults
    told["entry"] = {key: value for key, value in row.get("entry", {}).items() if key not in resolved}
    checkpoints = [one["checkpoint"]["fingerprint"] for one in row.get("runs", ())]
    return {**told, **({"checkpoint": checkpoints} if any(checkpoints) else {})}


def _scores(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(one["candidates"], one["scores"]) for one in row.get("runs", ())]


def _rows(one: DatasetResult, other: DatasetResult) -> Iterator[tuple[str, tuple[Row | None, Row | None]]]:
    left, right = {row.reranker: row for row in one.rows}, {row.reranker: row for row in other.rows}
    for label in dict.fromkeys((*left, *right)):
        yield label, (left.get(label), right.get(label))


def _row(
    place: str, one: DatasetResult, other: DatasetResult, old: Row | None, new: Row | None, same_scores: bool
) -> tuple[list[Moved], list[str]]:
    """Which figures of a row moved, and what else about it is not the same."""
    assert old is not None
    assert new is not None
    moved, told = [], []
    for metric in old.per_query.keys() & new.per_query.keys():
        was, is_ = _values(one, old, metric), _values(other, new, metric)
        both = [query for query in was if query in is_]
        count = sum(was[query] != is_[query] for query in both)
        if len(was) != len(is_) or len(both) != len(was):
            told.append(f"{place}: {metric} over {len(was)} → {len(is_)} queries, {len(both)} of them in both")
        if both and (count or old.metrics[metric] != new.metrics[metric]):
            gap = difference([is_[query] for query in both], [was[query] for query in both])
            means = old.metrics[metric].mean, new.metrics[metric].mean
            moved.append(Moved(one.name, old.reranker, metric, *means, len(both), count, gap))
    for metric in sorted(old.per_query.keys() ^ new.per_query.keys()):
        told.append(f"{place}: {metric} only {'before' if metric in old.per_query else 'after'}")
    before, after = ({key: asdict(row)[key] for key in OF_ROW} for row in (old, new))
    for key in OF_ROW:
        if before[key] != after[key] and key != "metrics":
            told += [
                f"{place}: {c.what} {_state(c.before)} → {_state(c.after)}"
                for c in _changes(place, {key: before[key]}, {key: after[key]})
            ]
    if not moved and not told and not same_scores:
        told.append(f"{place}: scores differ, and no figure moved")
    return sorted(moved, key=lambda one: list(old.metrics).index(one.metric)), told


def _values(dataset: DatasetResult, row: Row, metric: str) -> dict[str, float]:
    """Query → value."""
    return dict(zip(dataset.queries_of(metric), row.per_query[metric], strict=True))


def _state(failure: str) -> str:
    return failure or "none"


def _in(first: bool, before: Run, after: Run) -> str:
    return before.id if first else after.id
