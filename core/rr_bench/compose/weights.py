"""The weights of a weighted fusion: found on the dev split, kept like a checkpoint. The test split is never asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from rr.errors import RerankError
from rr.files import fingerprint, home
from rr.measures import evaluate, metric, population
from rr.types import Dataset
from rr_bench.code import room_fingerprint
from rr_bench.compose.answers import Ask, answers, run_of
from rr_bench.compose.fusion import normalised, summed
from rr_bench.keeping import read_checked, write_checked
from rr_bench.members import Part
from rr_bench.outputs import as_file_name

STEPS = (20, 10, 5, 4, 2, 1)
"""Into so many the way from 0 to 1 is cut: the finest that has no more points than these."""
POINTS = 1_001
CODE = ("rr.types", "rr.measures", "rr_bench.compose")
"""What decides which weights are found, besides the members."""


@dataclass(frozen=True)
class Found:
    """`weights`: one a member, their sum is 1. `dev`: the metric's mean over the dev queries that it is about."""

    weights: tuple[float, ...]
    metric: str
    dev: float
    queries: int
    dataset: str

    def __str__(self) -> str:
        listed = ", ".join(f"{weight:g}" for weight in self.weights)
        found = f"{self.metric} {self.dev:.3f} ({self.queries} queries)"
        return f"weights {listed}: the best on dev of {self.dataset}, {found}"


def found_weights(part: Part, view: Dataset, measure: str, keys: Mapping[str, object], ask: Ask) -> dict[str, Found]:
    """Of every fusion in the part that says `weights: dev`: name → what was found, now or before.

    `view`: the data set as rerankers are shown it. `measure`: the name of the metric that is highest with them. `keys`:
    leaf → all that its answers depend on besides the requests. `ask`: is asked about dev queries only.

    Raises:
        RerankError: there are no dev queries.
    """
    found: dict[str, Found] = {}
    for member in part.members:
        found |= found_weights(member, view, measure, keys, ask)
    if part.searched:
        named = {leaf.name: keys[leaf.name] for leaf in part.leaves}
        inner = {name: one.weights for name, one in found.items()}
        asked = ["weights", named, spelled(part), inner, view.fingerprint, measure, list(map(room_fingerprint, CODE))]
        key = fingerprint(asked)
        path = home() / "weights" / f"{as_file_name(part.name)}-{as_file_name(view.name)}-{key[:16]}.json"
        stored = read_checked(path, key)
        if stored is None:
            stored = asdict(_searched(part, view, measure, inner, ask))
            write_checked(path, key, stored)
        found[part.name] = Found(**{**stored, "weights": tuple(stored["weights"])})
    return found


def points(members: int) -> Iterator[tuple[float, ...]]:
    """Equal weights, and all on the grid, whose sum is 1: the most even first, then as they are written."""
    steps = next(n for n in STEPS if n == 1 or math.comb(n + members - 1, members - 1) <= POINTS)
    grid = sorted(_parts(steps, members), key=lambda one: (sum(count * count for count in one), one))
    even = (1 / members,) * members
    yield even
    yield from (point for point in (tuple(count / steps for count in one) for one in grid) if point != even)


def spelled(part: Part) -> object:
    """What the fusion is, with all that stands behind its members' names but for the leaves' own entries."""
    entry = part.entry
    if not part.members:
        return part.name
    own = entry.model_dump(mode="json", include={"fuse", "method", "k", "normalisation", "weights", "cascade"})
    return [own, [spelled(member) for member in part.members]]


def _parts(total: int, count: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as a sum of `count` numbers from 0 on."""
    if count == 1:
        yield (total,)
    else:
        yield from ((first, *rest) for first in range(total + 1) for rest in _parts(total - first, count - 1))


def _searched(part: Part, view: Dataset, measure: str, inner: Mapping[str, Sequence[float]], ask: Ask) -> Found:
    """The best of the grid, and of equal ones the most even."""
    requests, by = view.requests("dev"), metric(measure)
    if not requests:
        raise RerankError(f"{part.name!r} finds its weights on dev queries, and {view.name!r} has none; give 'weights'")
    ids = population(view, "dev", by)
    each = [answers(member, requests, ask, inner) for member in part.members]
    runs = {
        request.query.id: [normalised(run_of(request, one), part.entry.normalisation) for one in of_request]
        for request, *of_request in zip(requests, *each, strict=True)
    }
    best, weights = -math.inf, tuple[float, ...]()
    for point in points(len(part.members)):
        whole = {query_id: summed(runs[query_id], point) for query_id in ids}
        mean = math.fsum(evaluate(whole, view.qrels, ids, by)) / len(ids)
        if mean > best + 1e-12:
            best, weights = mean, point
    return Found(weights, measure, best, len(ids), view.name)
