"""Rental listings: short queries, the listing that fits, and listings that differ from it in a named way.

`rows` is a JSON list, or JSONL, of `{query, pos, hard_neg: [{text, type: [...], weight}]}`. Documents are the distinct
texts (blanks apart); rows of the same query are merged, and all their positives are relevant (grade 1).
`weight_file` is the JSON object of weights by type (`rr_data.weights`).

Weights of 0 or null are filled from the types. What was merged, dropped and filled is counted in the notes. A positive
must not be met in two splits: queries that share one, directly or through others, form a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rr import Document, HardNegative, Query, Settings
from rr.data import Collection, DataPath, Row, folded
from rr_data.records import read_records
from rr_data.weights import WeightConfig, combined_weight, given_weight, read_weight_config, types_of


class Options(Settings):
    rows: DataPath
    """The JSON list, or JSONL, of queries with their listings."""
    weight_file: DataPath | None = None
    """The JSON of weights by type; needed where a row has no weight."""


class Rental:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.rows, *([self._options.weight_file] if self._options.weight_file else [])]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing or malformed, a text is blank, a weight is negative or no number, or a
                weight is to be filled and there is no weight file.
        """
        config = read_weight_config(self._options.weight_file) if self._options.weight_file else None
        rows = read_records(self._options.rows)
        documents: dict[str, Document] = {}  # by folded text, as are the queries
        queries: dict[str, Query] = {}
        qrels: dict[str, dict[str, int]] = {}
        negatives: dict[str, dict[str, HardNegative]] = {}
        repeated = filled = 0
        for row in rows:
            text = row.text("query")
            query_id = queries.setdefault(folded(text), Query(f"q{len(queries) + 1:04}", text)).id
            positive = _document_id(row.text("pos"), documents)
            qrels.setdefault(query_id, {})[positive] = 1
            hard = negatives.setdefault(query_id, {})
            for child in row.children("hard_neg"):
                weight, is_filled = _weight(child, text, config)
                id_ = _document_id(child.text("text"), documents)
                filled += is_filled
                repeated += id_ in hard
                hard.setdefault(id_, HardNegative(id_, types_of(child), weight))

        hard_negatives = {
            query_id: [negative for id_, negative in hard.items() if id_ not in qrels[query_id]]
            for query_id, hard in negatives.items()
        }
        dropped = sum(map(len, negatives.values())) - sum(map(len, hard_negatives.values()))
        counted = {
            "rows that repeat a query, merged into it": len(rows) - len(queries),
            "hard negatives that came before for the same query, dropped": repeated,
            "hard negatives that are positives of their own query, dropped": dropped,
            "weights of 0, null or missing, filled from their types": filled,
        }
        return Collection(
            documents={document.id: document for document in documents.values()},
            queries={query.id: query for query in queries.values()},
            qrels=qrels,
            groups=_groups(qrels),
            hard_negatives=hard_negatives,
            notes=tuple(f"{what}: {count}" for what, count in counted.items() if count),
        )


def _document_id(text: str, documents: dict[str, Document]) -> str:
    return documents.setdefault(folded(text), Document(f"d{len(documents) + 1:04}", text)).id


def _weight(negative: Row, query: str, config: WeightConfig | None) -> tuple[float, bool]:
    """The negative's weight, and whether it had to be filled from its types."""
    given = given_weight(negative, query)
    if given is not None:
        return given, False
    if config is None:
        raise negative.error("'weight' is 0, null or missing; set `weight_file` to have it filled from 'type'")
    return combined_weight(types_of(negative), config), True


def _groups(qrels: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Query id → the connected component of its positives, by union-find over the documents."""
    parent: dict[str, str] = {}

    def root(id_: str) -> str:
        while parent.setdefault(id_, id_) != id_:
            id_ = parent[id_]
        return id_

    for first, *others in qrels.values():
        for other in others:
            parent[root(other)] = root(first)
    return {query_id: root(next(iter(positives))) for query_id, positives in qrels.items()}
