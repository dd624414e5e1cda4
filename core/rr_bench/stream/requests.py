"""Requests and rankings as JSON lines, for `rr rerank`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Tag

from rr.data.files import decoded_text, read_text
from rr.data.rows import ById
from rr.errors import DataError, RegistryError
from rr.registry.validation import validated
from rr.types import Document, Query, Ranking, Request
from rr_bench.report.escape import json_text
from rr_bench.stream.lines import parse_jsonl


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentLine(_Line):
    id: str
    text: str
    title: str = ""
    metadata: dict[str, Any] = {}


def _form(value: object) -> str:
    return "text" if isinstance(value, str) else "object"


TextOrDocument = Annotated[Annotated[str, Tag("text")] | Annotated[DocumentLine, Tag("object")], Discriminator(_form)]
"""Told apart before it is checked, so that an error is about what was meant."""


class RequestLine(_Line):
    query: str
    documents: list[TextOrDocument]
    id: str | None = None
    history: list[TextOrDocument] = []


@dataclass(frozen=True, slots=True)
class Placed:
    """A request, and where it stands (`in.jsonl, line 3`)."""

    request: Request
    place: str


def read_requests(path: Path) -> list[Placed]:
    """The requests of a JSON-lines file, `-` for standard input. A document that is a plain text gets its place in
    the list as id; a request without an id gets its line number.

    Raises:
        DataError: file and line of what is wrong.
    """
    file = Path("standard input") if str(path) == "-" else path
    text = decoded_text(file, sys.stdin.buffer.read()) if str(path) == "-" else read_text(path)
    found: ById[Placed] = ById("request")
    for row in parse_jsonl(file, text):
        place = f"{row.file}, {row.at}"
        try:
            line = validated(RequestLine, row.fields, place)
        except RegistryError as error:
            raise DataError(str(error)) from error
        query = Query(line.id or row.at.removeprefix("line "), line.query, _documents(line.history))
        try:
            request = Request(query, _documents(line.documents))
        except DataError as error:
            raise DataError(f"{place}: {error}") from error
        found.add(query.id, Placed(request, place), row)
    return list(found.values())


def to_json(ranking: Ranking, probabilities: Mapping[str, float] | None = None) -> str:
    """One line: the query, and its documents best first with rank, score, probability where it is known, and
    metadata."""
    rows = [
        {
            "rank": item.rank,
            "score": item.score,
            **({"probability": probabilities[item.document.id]} if probabilities else {}),
            "id": item.document.id,
            "text": item.document.text,
            **({"title": item.document.title} if item.document.title else {}),
            **({"metadata": dict(item.document.metadata)} if item.document.metadata else {}),
        }
        for item in ranking.items
    ]
    return json_text({"id": ranking.query.id, "query": ranking.query.text, "ranking": rows})


def _documents(lines: list[str | DocumentLine]) -> tuple[Document, ...]:
    return tuple(
        Document(str(place), line) if isinstance(line, str) else Document(line.id, line.text, line.title, line.metadata)
        for place, line in enumerate(lines)
    )
