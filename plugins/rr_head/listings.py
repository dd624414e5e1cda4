"""How well listings are found: a positive among its own hard negatives and the other listings of its split."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rr import Dataset
from rr.data import folded
from rr.measures import UNJUDGED, Rankings, metric
from rr.training import answers
from rr_torch import Embed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MEASURES = {"MRR": metric("MRR"), "R@1": metric("Hit@1"), "nDCG@10": metric("nDCG@10")}
"""R@1 is the share of queries with a relevant listing in front."""

OTHERS = 1000
"""Other listings that a query is ranked against, at the most."""
BLOCK = 256
"""Queries ranked at a time."""


class ListingTask:
    """What is ranked for each query of a split: its relevant listings; its own hard negatives, those that the data
    set names, or its first-stage candidates where it names none; and what is relevant to the split's other queries
    (`OTHERS` of these, drawn with a fixed seed, if there are more). Left out is what the query's history holds, and
    what reads like a relevant listing, or like that of a query that asks the same."""

    def __init__(self, dataset: Dataset, split: str) -> None:
        self._dataset = dataset
        self._queries = dataset.splits[split]
        others = sorted({id_ for query_id in self._queries for id_ in dataset.relevant(query_id)})
        if len(others) > OTHERS:
            others = random.Random(0).sample(others, OTHERS)
        self._candidates = [self._of(query_id, others) for query_id in self._queries]
        # equal scores then stand in the order of trec_eval, by descending id
        self._documents = sorted(set().union(*self._candidates), reverse=True)
        self._column = {id_: column for column, id_ in enumerate(self._documents)}
        self._lengths = np.array([*map(len, self._candidates)], np.int64)
        self._columns = _filled([sorted(map(self._column.__getitem__, ids)) for ids in self._candidates], 0)
        grades = [dataset.qrels[query_id] for query_id in self._queries]
        named = zip(self._columns, grades, strict=True)
        self._grades = np.array([[of.get(self._documents[n], UNJUDGED) for n in row] for row, of in named], np.int64)
        self._judged = _filled([[*of.values()] for of in grades], UNJUDGED)

    def _of(self, query_id: str, others: list[str]) -> set[str]:
        data, relevant = self._dataset, self._dataset.relevant(query_id)
        named = [negative.document_id for negative in data.hard_negatives.get(query_id, ())]
        no_negatives = answers(data, query_id)
        negatives = {
            id_
            for id_ in (*(named or data.candidates[query_id]), *others)
            if folded(data.documents[id_].content) not in no_negatives
        }
        return relevant | negatives

    def metrics(self, embed: Embed) -> dict[str, float]:
        """The means of `values`."""
        return {name: sum(values) / len(values) for name, values in self.values(embed).items()}

    @torch.no_grad()
    def values(self, embed: Embed) -> dict[str, list[float]]:
        """Each measure, one value a query in the split's order; `accuracy`, for each (positive, named hard negative)
        pair 1 where the positive has the higher cosine and else 0; and `accuracy TYPE`, the same for the negatives of
        this type (one of several types counts under each). `embed` gives vectors of any length."""
        contents = [self._dataset.documents[id_].content for id_ in self._documents]
        documents = _unit(embed(contents, "document"))
        found: dict[str, list[float]] = {name: [] for name in MEASURES}
        pairs: dict[str, list[float]] = defaultdict(list)
        for start in range(0, len(self._queries), BLOCK):
            block = self._queries[start : start + BLOCK]
            queries = _unit(embed([self._dataset.queries[query_id].text for query_id in block], "query"))
            cosines = (queries @ documents.T).cpu()
            for name, values in self._ranked(cosines.numpy(), slice(start, start + len(block))).items():
                found[name] += values
            for row, query_id in enumerate(block):
                self._compare(query_id, cosines[row], self._candidates[start + row], pairs)
        return {**found, **{f"accuracy {type_}".strip(): pairs[type_] for type_ in sorted(pairs)}}

    def _ranked(self, cosines: Floats, block: slice) -> dict[str, list[float]]:
        """`cosines` of the block's queries, a column a document."""
        shown = np.take_along_axis(cosines, self._columns[block], axis=1)
        rankings = Rankings.of_arrays(shown, self._grades[block], self._judged[block], self._lengths[block])
        return {name: measure.values(rankings).tolist() for name, measure in MEASURES.items()}

    def _compare(self, query_id: str, cosines: Tensor, candidates: set[str], pairs: dict[str, list[float]]) -> None:
        """Adds the query's (positive, named hard negative) pairs, under "" and under each of their types."""
        reached = [cosines[self._column[id_]].item() for id_ in self._dataset.relevant(query_id)]
        for negative in self._dataset.hard_negatives.get(query_id, ()):
            if negative.document_id in candidates - self._dataset.relevant(query_id):
                against = cosines[self._column[negative.document_id]].item()
                for type_ in ("", *dict.fromkeys(negative.types)):
                    pairs[type_] += [float(own > against) for own in reached]


def _filled(rows: list[list[int]], fill: int) -> Ints:
    """Rows of any length as one array."""
    found = np.full((len(rows), max(map(len, rows), default=0)), fill, np.int64)
    for row, values in zip(found, rows, strict=True):
        row[: len(values)] = values
    return found


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors.double(), dim=-1)
