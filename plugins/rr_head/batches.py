"""The rows that the head is trained on, and the tensors of a batch of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rr import Dataset, HardNegative, RerankError
from rr.data import folded
from rr.training import hard_negatives, processes, rank
from rr_head.model import project
from rr_torch import Embed, FrozenEncoder, Role, joined


@dataclass(frozen=True, slots=True)
class Row:
    """One query with one of its positives; all as texts, since equal texts of a role are one vector to the encoder."""

    query_id: str
    query: str
    positive: str
    negatives: list[HardNegative]
    contents: list[str]
    """Of the negatives, in their order."""
    relevant: frozenset[str]
    """Contents relevant to a train query of this text: no negatives of this row, whatever their ids."""

    @property
    def documents(self) -> list[str]:
        return [self.positive, *self.contents]


def training_rows(dataset: Dataset, num_hard_negatives: int) -> list[Row]:
    """One row for every relevant (query, document) pair of the train split.

    Raises:
        RerankError: a negative weight, which no exponential can be multiplied by.
    """
    first: dict[str, str] = {}  # equal texts, which may differ in blanks, are taken as the first of them
    content = {id_: first.setdefault(folded(one.content), one.content) for id_, one in dataset.documents.items()}
    asked = {
        q: first.setdefault(folded(dataset.queries[q].text), dataset.queries[q].text) for q in dataset.splits["train"]
    }
    relevant: dict[str, set[str]] = defaultdict(set)
    for query_id, text in asked.items():
        relevant[text] |= {content[id_] for id_ in dataset.relevant(query_id)}
    rows = []
    for query_id, text in asked.items():
        negatives = hard_negatives(dataset, query_id, num_hard_negatives)
        for negative in negatives:
            if not 0 <= negative.weight < float("inf"):
                raise RerankError(
                    f"query {query_id!r}: hard negative {negative.document_id!r} weighs {negative.weight}"
                )
        negatives = [negative for negative in negatives if content[negative.document_id] not in relevant[text]]
        contents = [content[negative.document_id] for negative in negatives]
        answers = frozenset(relevant[text])
        rows += [
            Row(query_id, text, content[positive], negatives, contents, answers)
            for positive in sorted(dataset.relevant(query_id))
        ]
    return rows


class Vectors:
    """The vectors of the rows' texts as one matrix (texts, d_in), encoded at once, for batches to pick from."""

    def __init__(self, encoder: FrozenEncoder, rows: Sequence[Row]) -> None:
        queries = sorted({row.query for row in rows})
        documents = sorted({text for row in rows for text in row.documents})
        self.matrix = torch.cat([encoder(queries, "query"), encoder(documents, "document")])
        self._cut = dict(zip(documents, encoder.too_long(documents), strict=True))
        self._places: dict[Role, dict[str, int]] = {
            "query": {text: place for place, text in enumerate(queries)},
            "document": {text: place for place, text in enumerate(documents, len(queries))},
        }

    def __call__(self, texts: Iterable[str], role: Role) -> Tensor:
        return self.matrix[[self._places[role][text] for text in texts]]

    def truncated(self, rows: Sequence[Row]) -> float:
        """The share of the rows' documents that the encoder has cut."""
        cut = [self._cut[text] for row in rows for text in row.documents]
        return sum(cut) / len(cut)


@dataclass(frozen=True, slots=True)
class Batch:
    """What `weighted_info_nce` takes, under the names that it has there."""

    queries: Tensor
    positives: Tensor
    negatives: Tensor
    weights: Tensor
    same: Tensor
    foreign: Tensor | None


def batch_of(embed: Embed, head: torch.nn.Linear, rows: Sequence[Row], cross_row: bool, gather: bool = False) -> Batch:
    """`embed` gives vectors of any length, (texts, d_in). `gather`: each of several processes that train together
    projects the vectors of its share, and has the others' from them.

    Rows with fewer hard negatives than the longest are padded with weight 0. `cross_row`: hard negatives of the other
    rows are negatives too, each as often as it is named, unless they are relevant to the row or its own."""
    own = rows[rank() :: processes()] if gather else rows

    def projected(texts: list[str], role: Role, each: int = 1) -> Tensor:
        """(rows, each, d_out), of so many texts of each row."""
        found = project(head, embed(texts, role)).view(len(own), each, head.out_features)
        return joined(found, len(rows)) if gather else found

    queries = projected([row.query for row in own], "query")[:, 0]
    positives = projected([row.positive for row in own], "document")[:, 0]
    width = max(len(row.contents) for row in rows)
    given = [[negative.weight for negative in row.negatives] for row in rows]
    weights = torch.tensor([one + [0.0] * (width - len(one)) for one in given], device=queries.device)
    negatives = queries.new_zeros(len(rows), width, queries.shape[1])
    if width:
        padded = [text for row in own for text in row.contents + [row.positive] * (width - len(row.contents))]
        negatives = projected(padded, "document", width)
    same = _same(rows).to(queries.device)
    foreign = _foreign(rows, width).to(queries.device) & (weights > 0) if cross_row and width else None
    return Batch(queries, positives, negatives, weights, same, foreign)


def _same(rows: Sequence[Row]) -> Tensor:
    """Shape (rows, rows); True at (i, j) where row j's positive is relevant to row i."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.positive].append(place)
    same = torch.zeros(len(rows), len(rows), dtype=torch.bool)
    for place, row in enumerate(rows):
        same[place, [other for text in row.relevant for other in places.get(text, ())]] = True
    return same


def _foreign(rows: Sequence[Row], width: int) -> Tensor:
    """Shape (rows, rows, width); True at (i, j, k) where row j's k-th negative may be one of row i."""
    foreign = torch.zeros(len(rows), len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        own = row.relevant.union(row.contents)
        for j, other in enumerate(rows):
            if j != i:
                kept = [text not in own for text in other.contents]
                foreign[i, j, : len(kept)] = torch.tensor(kept, dtype=torch.bool)
    return foreign
