"""What each API is asked, and where in its answer the scores are.

Sources, read in November 2026: docs.cohere.com/v1/reference/rerank and /reference/rerank (v2), jina.ai/reranker,
docs.voyageai.com/reference/reranker-api, and docs/openapi.json of huggingface/text-embeddings-inference.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

ShapeName = Literal["cohere-v1", "cohere-v2", "jina", "voyage", "tei"]


class UnreadableError(Exception):
    """An answer does not hold one finite score for each document. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`path`: where the API answers, below a url that names a host alone. `documents`, `most`, `returns`, `truncation`:
    what it calls the texts, how many are to be in the answer, whether their texts are, and whether it cuts texts (None:
    it cannot be told). `results`: where the answer has its list ("": it is one), `score`: what a score is called there.
    `at_once`: how many documents a call may have."""

    path: str
    documents: str
    most: str | None
    returns: str | None
    truncation: str | None
    results: str
    score: str
    at_once: int


SHAPES: dict[ShapeName, Shape] = {
    "cohere-v1": Shape(
        "/v1/rerank", "documents", "top_n", "return_documents", None, "results", "relevance_score", 1000
    ),
    "cohere-v2": Shape("/v2/rerank", "documents", "top_n", None, None, "results", "relevance_score", 1000),
    "jina": Shape("/v1/rerank", "documents", "top_n", "return_documents", None, "results", "relevance_score", 1000),
    "voyage": Shape(
        "/v1/rerank", "documents", "top_k", "return_documents", "truncation", "data", "relevance_score", 1000
    ),
    "tei": Shape("/rerank", "texts", None, "return_text", "truncate", "", "score", 32),
}
OWN_FIELDS = frozenset(
    {"model", "query", "raw_scores"}
    | {name for one in SHAPES.values() for name in (one.documents, one.most, one.returns, one.truncation) if name}
)
"""Fields of a question that settings of their own decide, or that no setting may."""


@dataclass(frozen=True, slots=True)
class Answer:
    """To one call. `scores`: one a document, in their order. `tokens`, `billed`: how many tokens it has read and how
    many calls it charges for, `model`: what it says that it is; None where it does not tell. `retries`: how many tries
    failed before."""

    scores: tuple[float, ...]
    tokens: float | None = None
    billed: float | None = None
    model: str | None = None
    retries: int = 0


def read(shape: Shape, content: bytes, told_tokens: str | None, count: int) -> Answer:
    """The answer about `count` documents. `told_tokens`: what the header x-compute-tokens says, in which
    text-embeddings-inference counts.

    Raises:
        UnreadableError: it is not JSON, or has not one finite score for each document.
    """
    found = _json(content)
    rows = found.get(shape.results) if shape.results and isinstance(found, Mapping) else found
    if not isinstance(rows, list):
        where = f"no list {shape.results!r}" if shape.results else "no list"
        raise UnreadableError(f"JSON with {where}")
    scores = _scores(rows, shape.score, count)
    meta: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    tokens = (
        _figure(meta, "usage", "total_tokens"),
        _figure(meta, "meta", "billed_units", "total_tokens"),
        _figure(meta, "meta", "tokens", "input_tokens"),
        _number(told_tokens),
    )
    model = meta.get("model")
    return Answer(
        scores,
        next((one for one in tokens if one is not None), None),
        _figure(meta, "meta", "billed_units", "search_units"),
        model if isinstance(model, str) else None,
    )


def _json(content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_no_number)
    except UnreadableError:
        raise
    except (ValueError, RecursionError) as error:  # ValueError: of a decoder, or a number of too many digits
        what = "HTML" if content.lstrip()[:1] == b"<" else "nothing" if not content.strip() else "no JSON"
        raise UnreadableError(f"{what} in the place of an answer") from error


def _no_number(name: str) -> NoReturn:
    raise UnreadableError(f"the number {name}")


def _scores(rows: Sequence[Any], name: str, count: int) -> tuple[float, ...]:
    if len(rows) != count:
        raise UnreadableError(f"{len(rows)} scores for {count} documents")
    scores: dict[int, float] = {}
    for row in rows:
        index, score = (row.get("index"), row.get(name)) if isinstance(row, Mapping) else (None, None)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
            raise UnreadableError(f"a result whose index is none of the {count} documents'")
        if index in scores:
            raise UnreadableError(f"document {index} twice")
        value = None if isinstance(score, str) else _number(score)
        if value is None:
            raise UnreadableError(f"document {index} with a {name} that is no finite number")
        scores[index] = value
    return tuple(scores[place] for place in range(count))


def _figure(found: Any, *path: str) -> float | None:
    """A count that stands at the path of keys; None where there is none."""
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    value = _number(found)
    return None if value is None or value < 0 else value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
