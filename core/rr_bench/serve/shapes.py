"""What clients of each API send, and what they are answered.

Sources, read in November 2026: docs.cohere.com/v1/reference/rerank and /reference/rerank (v2), jina.ai/reranker, and
docs/openapi.json of huggingface/text-embeddings-inference.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from rr.types import Document, Query, Request
from rr_bench.serve.model import Answer
from rr_bench.serve.refusals import Refusal
from rr_bench.serve.scale import SAYS

JSON = dict[str, Any]


WORDS = {
    "missing": "it is missing",
    "model_attributes_type": "it should be a JSON object",
    "model_type": "it should be a JSON object",
    "dict_type": "it should be a text, or an object that has one",
}
"""By the type of pydantic's error, where its own words are not those of a client."""


def _form(value: object) -> str:
    return "text" if isinstance(value, str) else "object"


TextOrObject = Annotated[Annotated[str, Tag("text")] | Annotated[JSON, Tag("object")], Discriminator(_form)]
"""Told apart before it is checked, so that an error is about what was meant."""


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=(), use_attribute_docstrings=True)

    @property
    def unknown(self) -> list[str]:
        """A warning about each field that nothing here reads."""
        return [f"field {name[:60]!a} is unknown, and nothing was done about it" for name in self.model_extra or {}]


class RerankBody(_Body):
    """Of Cohere v1 and v2, and of Jina."""

    model: str | None = None
    """A name that /v1/models lists; without one, the first."""
    query: str = Field(min_length=1)
    documents: list[TextOrObject] = Field(min_length=1)
    """Texts, or objects with a `text`."""
    top_n: int | None = Field(None, ge=1)
    """How many of the best are told; without it, all."""
    rank_fields: list[str] | None = Field(None, min_length=1)
    """Which fields of objects are read, in this order, in place of `text`."""
    return_documents: bool | None = None
    max_chunks_per_doc: int | None = Field(None, ge=1)
    """Taken, and not applied: a model reads of a document what its own length allows."""
    max_tokens_per_doc: int | None = Field(None, ge=1)
    """Likewise."""
    priority: int | None = None
    """Likewise: who comes first is answered first."""

    def request(self) -> Request:
        """
        Raises:
            Refusal: a document has nothing to read.
            DataError: a text cannot be read.
        """
        return _request(self.query, [self._text(place, one) for place, one in enumerate(self.documents)])

    def warnings(self) -> list[str]:
        """What was asked for and not done."""
        named = [name for name in ("max_chunks_per_doc", "max_tokens_per_doc") if getattr(self, name) is not None]
        return [
            *(f"{name} is not applied: the model reads what its own length allows" for name in named),
            *self.unknown,
        ]

    def _text(self, place: int, document: str | JSON) -> str:
        if isinstance(document, str):
            return document
        names = self.rank_fields or ["text"]
        values = [document[name] for name in names if name in document]
        if not values:
            missing = " and no ".join(f"{name[:60]!a}" for name in names)
            raise Refusal(422, f"documents[{place}] has no {missing}; give it, or name other rank_fields")
        if not all(isinstance(value, str) for value in values):
            raise Refusal(422, f"documents[{place}]: what is ranked must be text; name other rank_fields")
        return "\n".join(values)


class TeiBody(_Body):
    """Of text-embeddings-inference."""

    query: str = Field(min_length=1)
    texts: list[str] = Field(min_length=1)
    raw_scores: bool = False
    """The model's own scores, of whatever scale it has."""
    return_text: bool = False
    truncate: bool | None = None
    """false: texts that the model would cut are refused."""
    truncation_direction: Literal["right", "Right"] = "right"
    """Models here cut at the end."""
    model: str | None = None
    """Not of the original: a name that /v1/models lists; without one, the first."""

    def request(self) -> Request:
        """
        Raises:
            DataError: a text cannot be read.
        """
        return _request(self.query, self.texts)


def _request(query: str, texts: Iterable[str]) -> Request:
    """Under the ids that `rr.load(NAME).rerank` gives them."""
    return Request(Query("query", query), tuple(Document(str(place), text) for place, text in enumerate(texts)))


class Result(BaseModel):
    index: int
    relevance_score: float
    document: JSON | None = None


class Usage(BaseModel):
    total_tokens: int


class Meta(BaseModel):
    api_version: dict[str, str]
    score_scale: Literal["probability", "sigmoid", "cosine", "rank"]
    score_says: str
    tokens: dict[str, int]
    tokens_are: Literal["counted", "estimated"]
    warnings: list[str]


class RerankAnswer(BaseModel):
    id: str
    model: str
    results: list[Result]
    meta: Meta
    usage: Usage


class TeiResult(BaseModel):
    index: int
    score: float
    text: str | None = None


class Message(BaseModel):
    """Of every answer that is an error."""

    message: str


def reranked(body: RerankBody, answer: Answer, model: str, version: str) -> JSON:
    """A `RerankAnswer`: what the clients of Cohere and of Jina read of it."""
    cut = [f"{answer.truncated:.0%} of the documents were cut"] if answer.truncated else []
    return {
        "id": str(uuid.uuid4()),
        "model": model,
        "results": [
            {
                "index": row.index,
                "relevance_score": row.relevance,
                **({"document": _document(body.documents[row.index])} if body.return_documents else {}),
            }
            for row in answer.rows[: body.top_n]
        ],
        "meta": {
            "api_version": {"version": version},
            "score_scale": answer.scale,
            "score_says": SAYS[answer.scale],
            "tokens": {"input_tokens": answer.tokens},
            "tokens_are": "estimated" if answer.estimated else "counted",
            "warnings": [*body.warnings(), *cut],
        },
        "usage": {"total_tokens": answer.tokens},
    }


def tei_ranked(body: TeiBody, answer: Answer) -> list[JSON]:
    """`TeiResult`s.

    Raises:
        Refusal: texts were cut, and were not to be.
    """
    if body.truncate is False and answer.truncated:
        line = f"{answer.truncated:.0%} of the texts are longer than the model reads; shorten them, or truncate: true"
        raise Refusal(413, line)
    return [
        {
            "index": row.index,
            "score": row.raw if body.raw_scores else row.relevance,
            **({"text": body.texts[row.index]} if body.return_text else {}),
        }
        for row in answer.rows
    ]


def _document(given: str | JSON) -> JSON:
    return {"text": given} if isinstance(given, str) else given


def first_wrong(errors: Sequence[Any]) -> str:
    """What is wrong with a body, as one line about the first thing that is."""
    first = errors[0]
    where = ""
    for part in first["loc"][1:]:
        if part not in ("text", "object") or isinstance(part, int) or not where.endswith("]"):
            where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    told = WORDS.get(first["type"]) or str(first["msg"]).replace("Input should be", "it should be")
    return f"{where or 'the body'}: {told}{more}"
