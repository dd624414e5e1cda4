"""BGE-M3's two other ways to compare texts, as Scorers: lexical weights and ColBERT vectors (Chen et al. 2024,
"M3-Embedding", section 3.2), computed and compared by FlagEmbedding."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rr import ModelInfo, Request, RerankError, Scale, Scores
from rr_torch import BgeM3, Output, TextModelSettings, parameter_counts

BATCHES = 8
"""Of documents whose outputs are held at a time: 512 tokens of ColBERT vectors are 2 MB."""


class BgeM3Scorer(ABC):
    """Each distinct text is encoded once a call. Diagnostics: `truncated`, the share of a query's documents that were
    cut."""

    Settings = TextModelSettings
    OUTPUT: ClassVar[Output]
    SCALE: ClassVar[Scale]

    def __init__(self, settings: TextModelSettings, checkpoint: Path | None = None) -> None:
        self._settings, self._model = settings, BgeM3(settings, "cls", heads=True)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.SCALE, state="pretrained", parameters=parameter_counts(self._model.flag.model)[0])

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        """
        Raises:
            RerankError: a query is longer than max_seq_length.
        """
        queries = list(dict.fromkeys(request.query.text for request in requests))
        self._check(queries)
        asked = dict(self._outputs(queries))
        places: dict[str, list[tuple[int, int]]] = {}
        for row, request in enumerate(requests):
            for column, document in enumerate(request.candidates):
                places.setdefault(document.content, []).append((row, column))
        cut = dict(zip(places, self._model.too_long(list(places)), strict=True)) if places else {}
        values = [[0.0] * len(request.candidates) for request in requests]
        others = sorted((text for text in places if text not in asked), key=len)
        for text, output in itertools.chain(asked.items(), self._outputs(others)):
            for row, column in places.get(text, ()):
                values[row][column] = self._similarity(asked[requests[row].query.text], output)
        return [
            Scores(tuple(row), {"truncated": sum(cut[d.content] for d in request.candidates) / max(len(row), 1)})
            for request, row in zip(requests, values, strict=True)
        ]

    def _check(self, queries: list[str]) -> None:
        for query, long in zip(queries, self._model.too_long(queries) if queries else [], strict=True):
            if long:
                raise RerankError(
                    f"the query {query[:40]!r}… has more than max_seq_length {self._settings.max_seq_length} tokens; "
                    "raise it or shorten the query"
                )

    def _outputs(self, texts: list[str]) -> Iterator[tuple[str, Any]]:
        size = BATCHES * self._settings.batch_size
        for start in range(0, len(texts), size):
            chunk = texts[start : start + size]
            yield from zip(chunk, self._model.encode(chunk, self.OUTPUT), strict=True)

    @abstractmethod
    def _similarity(self, query: Any, document: Any) -> float: ...


class SparseScorer(BgeM3Scorer):
    """Σ over the tokens t in both texts of w_query(t) · w_document(t), at least 0. A weight is relu(W·state + b), the
    largest of the token's occurrences; special tokens have none."""

    OUTPUT = "lexical_weights"
    SCALE = "rank"  # without an upper bound, and no logit of anything

    def _similarity(self, query: Any, document: Any) -> float:
        return float(self._model.flag.compute_lexical_matching_score(query, document))


class ColbertScorer(BgeM3Scorer):
    """The mean, over the query's tokens, of the largest cosine with a token of the document. A token's vector is
    W·state + b; the first token, from which the dense vector is made, has none."""

    OUTPUT = "colbert_vecs"
    SCALE = "cosine"

    def _similarity(self, query: Any, document: Any) -> float:
        return float(self._model.flag.colbert_score(query, document))
