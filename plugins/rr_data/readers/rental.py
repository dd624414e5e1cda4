"""Rental listings: short queries, the listing that fits, and listings that differ from it in a named way.

`rows` is a JSON list, or JSONL, of `{query, pos, hard_neg: [{text, type: [...], weight}]}`. Documents are the distinct
texts (blanks apart); rows of the same query are merged, and all their positives are relevant (grade 1).
`weight_file` is the JSON object of weights by type (`rr_data.weights`).

Weights of 0 or null are filled from the types. What was merged, dropped and filled is counted in the notes. A positive
must not be met in two splits: queries that share one, directly or through others, form a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rr import Document, HardNegative, Query, Settings
from rr.data import Collection, Damage, DataPath, Documents, Row, folded
from rr_data.groups import by_shared_positives
from rr_data.guess import files_among, looked_at
from rr_data.records import read_records
from rr_data.texts import ByText
from rr_data.weights import WeightConfig, combined_weight, given_weight, is_weight_config, read_weight_config, types_of


class Options(Settings):
    rows: DataPath
    """The JSON list, or JSONL, of queries with their listings."""
    weight_file: DataPath | None = None
    """The JSON of weights by type; needed where a row has no weight."""


class Rental:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Options, if these are such rows, and perhaps the weight file."""
        files = files_among(paths)
        weights = [path for path in files if path.is_file() and is_weight_config(path)]
        looks = looked_at([path for path in files if path not in weights])
        if looks is None or len(looks) != 1 or len(weights) > 1:
            return None
        if not {"query", "pos", "hard_neg"} <= {*looks[0].columns}:
            return None
        hard = [one for row in looks[0].rows if isinstance(cell := row.fields.get("hard_neg"), list) for one in cell]
        if not hard or not all(isinstance(one, dict) and {"text", "weight"} <= one.keys() for one in hard):
            return None
        return {"rows": str(looks[0].path)} | ({"weight_file": str(weights[0])} if weights else {})

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.rows, *([self._options.weight_file] if self._options.weight_file else [])]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing or malformed, a text is blank, a weight is negative or no number, or a
                weight is to be filled and there is no weight file: all such rows in one line.
        """
        config = read_weight_config(self._options.weight_file) if self._options.weight_file else None
        damage = Damage()
        documents, ids = Documents(), ByText()
        queries: dict[str, Query] = {}  # by folded text
        qrels: dict[str, dict[str, int]] = {}
        negatives: dict[str, dict[str, HardNegative]] = {}
        read = repeated = filled = 0
        for row in read_records(self._options.rows, damage):
            with damage.row():
                text, positive = row.text("query"), row.text("pos")
                children = [
                    (child.text("text"), types_of(child), *_weight(child, text, config))
                    for child in row.children("hard_neg")
                ]
                # only now, where nothing more can be wrong with the row
                read += 1
                query_id = queries.setdefault(folded(text), Query(f"q{len(queries) + 1:04}", text)).id
                qrels.setdefault(query_id, {})[_document_id(positive, documents, ids, row)] = 1
                hard = negatives.setdefault(query_id, {})
                for negative, types, weight, is_filled in children:
                    id_ = _document_id(negative, documents, ids, row)
                    filled += is_filled
                    repeated += id_ in hard
                    hard.setdefault(id_, HardNegative(id_, types, weight))

        hard_negatives = {
            query_id: [negative for id_, negative in hard.items() if id_ not in qrels[query_id]]
            for query_id, hard in negatives.items()
        }
        dropped = sum(map(len, negatives.values())) - sum(map(len, hard_negatives.values()))
        counted = {
            "rows that repeat a query, merged into it": read - len(queries),
            "hard negatives that came before for the same query, dropped": repeated,
            "hard negatives that are positives of their own query, dropped": dropped,
            "weights of 0, null or missing, filled from their types": filled,
        }
        told = damage.told()
        return Collection(
            documents=documents,
            queries={query.id: query for query in queries.values()},
            qrels=qrels,
            groups=by_shared_positives(qrels),
            hard_negatives=hard_negatives,
            notes=(*told, *(f"{what}: {count}" for what, count in counted.items() if count)),
        )


def _document_id(text: str, documents: Documents, ids: ByText, row: Row) -> str:
    if (known := ids.find(text)) is not None:
        return known
    id_ = f"d{len(documents) + 1:04}"
    documents.add(id_, Document(id_, text), row)
    ids.add(id_, text)
    return id_


def _weight(negative: Row, query: str, config: WeightConfig | None) -> tuple[float, bool]:
    """The negative's weight, and whether it had to be filled from its types."""
    given = given_weight(negative, query)
    if given is not None:
        return given, False
    if config is None:
        raise negative.error("'weight' is 0, null or missing; set `weight_file` to have it filled from 'type'")
    return combined_weight(types_of(negative), config), True
