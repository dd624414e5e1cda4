"""What folds and seeds have in common: several rows of one reranker as one. `part`: `fold 2`, `seed 13`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, zip_longest
from statistics import fmean
from typing import Any

from rr_bench.doctor.diagnosis import WORST_FIRST
from rr_bench.environment import merged as conditions
from rr_bench.evaluate.probabilities import pooled_tables
from rr_bench.evaluate.results import Row
from rr_bench.progress import Progress


@dataclass(frozen=True)
class Prefixed(Progress):
    """Says before every description what larger piece of work it is part of."""

    progress: Progress
    prefix: str

    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        return self.progress.task(f"{self.prefix}{description}", total)

    def status(self, text: str) -> None:
        self.progress.status(text)


def merged(notes: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The notes of all parts, each once; those that are not of every part say of which."""
    found = []
    for note in dict.fromkeys(chain.from_iterable(notes.values())):
        having = [part for part, of_part in notes.items() if note in of_part]
        kind, numbers = having[0].split()[0], ", ".join(part.split()[1] for part in having)
        where = "" if len(having) == len(notes) else f"{kind}{'s' * (len(having) > 1)} {numbers}: "
        found.append(where + note)
    return tuple(found)


def findings(rows: Mapping[str, Row]) -> tuple[Mapping[str, str], ...]:
    """Those of all parts, the worst first; each says of which it is."""
    found = [{**one, "evidence": f"{part}: {one['evidence']}"} for part, row in rows.items() for one in row.findings]
    return tuple(sorted(found, key=lambda one: WORST_FIRST.index(one["verdict"])))


def common(rows: Sequence[Row]) -> dict[str, Any]:
    """The fields of `Row` that folds and seeds fill alike: what is said of all parts, counted, or the most of any."""
    first = rows[0]
    taken = [row.memory for row in rows if row.memory is not None]
    return {
        "reranker": first.reranker,
        "state": ", ".join(dict.fromkeys(row.state for row in rows)),
        "train_timed_on": conditions([row.train_timed_on for row in rows]),
        "timed_on": conditions([row.timed_on for row in rows]),
        "parameters": first.parameters,
        "trainable": first.trainable,
        "weights": tuple(chain.from_iterable(row.weights for row in rows)),
        "scores_from_store": all(row.scores_from_store for row in rows),
        "verdict": verdict(rows),
        "chosen": tuple(map(sum, zip_longest(*(row.chosen for row in rows), fillvalue=0))),
        "timed_queries": sum(row.timed_queries for row in rows),
        "memory": max(taken) if len(taken) == len(rows) else None,
        "device_memory": max(row.device_memory for row in rows),
        "size": first.size,
        "calibration": pooled_tables([row.calibration for row in rows]),
    }


def verdict(rows: Sequence[Row]) -> str:
    """The worst."""
    return min((row.verdict for row in rows if row.verdict), key=WORST_FIRST.index, default="")


def diagnostics(rows: Sequence[Row], sizes: Sequence[int]) -> dict[str, float]:
    """Means over the queries of all parts, of which each has so many; what a part does not report counts 0."""
    names = sorted({name for row in rows for name in row.diagnostics})
    return {name: fmean([row.diagnostics.get(name, 0.0) for row in rows], weights=sizes) for name in names}
