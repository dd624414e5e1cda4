"""What the rerankers of a run answered: the queries that each did worst on, with its candidates."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from rr.errors import DataError
from rr.files import home
from rr.types import Dataset, trec_order
from rr_bench.data.store import read_dataset
from rr_bench.data.view import shown
from rr_bench.evaluate.results import DatasetResult, Row
from rr_bench.outputs import as_file_name
from rr_bench.runs.database import Run

WORST, SHOWN = 5, 5
"""Queries a row, and candidates a query."""


@dataclass(frozen=True)
class Candidate:
    """One of the ranking. `text`: empty where the data set is not kept any more."""

    rank: int
    id: str
    score: float
    grade: int
    text: str = ""


@dataclass(frozen=True)
class Bad:
    """A query that a row did badly on. `candidates`: the first of its ranking, and the first relevant one, wherever it
    is; `more`: the others; `missed`: relevant documents that are no candidates."""

    query: str
    value: float = 0.0
    text: str = ""
    candidates: tuple[Candidate, ...] = ()
    more: int = 0
    missed: int = 0


@dataclass
class Answers:
    """What a run holds of them; of none (`None`) there are only the queries' values."""

    run: Run | None
    _lists: dict[str, Any] = field(default_factory=dict)
    _data: dict[tuple[str, str], Dataset | None] = field(default_factory=dict)

    def worst(self, dataset: DatasetResult, row: Row, metric: str, most: int = WORST) -> list[Bad]:
        """Its worst queries by the metric, the worst first; equal ones in the data set's order.

        Raises:
            RerankError: a part of the run is damaged.
        """
        values = row.per_query.get(metric, ())
        ids = dataset.queries_of(metric)
        chosen = sorted(zip(values, range(len(ids)), ids, strict=False))[:most]
        wanted = {id_ for _, _, id_ in chosen}
        found = {one.query: one for one in self._bad(dataset.name, row.reranker, wanted)}
        return [replace(found.get(id_, Bad(id_)), value=value) for value, _, id_ in chosen]

    def _bad(self, dataset: str, label: str, wanted: set[str]) -> Iterator[Bad]:
        if self.run is None:
            return
        for one in self.run.about["rows"].get(dataset, {}).get(label, {}).get("runs", ()):
            lists, qrels = (self._once(self.run, one[name]) for name in ("candidates", "qrels"))
            scores, at, data = self.run.numbers(one["scores"]), 0, self._dataset(dataset, one["data"])
            for query, ids in lists:
                begin, at = at, at + len(ids)
                if query in wanted:
                    wanted.remove(query)  # of several seeds the first is shown
                    yield _shown(query, dict(zip(ids, scores[begin:at], strict=True)), qrels.get(query, {}), data)

    def _once(self, run: Run, checksum: str) -> Any:
        if checksum not in self._lists:
            self._lists[checksum] = run.json(checksum)
        return self._lists[checksum]

    def _dataset(self, name: str, fingerprint: str) -> Dataset | None:
        if (name, fingerprint) not in self._data:
            self._data[name, fingerprint] = kept_dataset(name, fingerprint)
        return self._data[name, fingerprint]


def kept_dataset(name: str, fingerprint: str) -> Dataset | None:
    """The data set as rerankers were shown it, from `$RR_HOME/data`; None where it is not kept, or damaged."""
    for folder in (home() / "data").glob(f"{glob.escape(as_file_name(name))}-*"):
        with suppress(OSError, ValueError, KeyError, TypeError, DataError):
            if json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["fingerprint"] == fingerprint:
                return shown(read_dataset(folder))
    return None


def _shown(query: str, scores: Mapping[str, float], judged: Mapping[str, int], data: Dataset | None) -> Bad:
    order = trec_order(scores)
    relevant = {id_ for id_, grade in judged.items() if grade > 0}
    first = next((rank for rank, id_ in enumerate(order, 1) if id_ in relevant), 0)

    def text(id_: str) -> str:
        document = data.documents.get(id_) if data else None
        return " — ".join(filter(None, (document.title, document.text))) if document else ""

    ranks = [rank for rank in range(1, len(order) + 1) if rank <= SHOWN or rank == first]
    listed = ((rank, order[rank - 1]) for rank in ranks)
    return Bad(
        query,
        text=data.queries[query].text if data and query in data.queries else "",
        candidates=tuple(Candidate(rank, id_, scores[id_], judged.get(id_, 0), text(id_)) for rank, id_ in listed),
        more=len(order) - len(ranks),
        missed=len(relevant - set(order)),
    )
