"""Requests and rankings as JSON lines, for `rr rerank`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from rr.data.files import parse_jsonl, read_jsonl
from rr.errors import DataError, RegistryError
from rr.report.escape import json_text
from rr.types import Document, Query, Ranking, Request
from rr.validation import validated


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentLine(_Line):
    id: str
    text: str
    title: str = ""
    metadata: dict[str, Any] = {}


class RequestLine(_Line):
    query: str
    documents: list[str | DocumentLine]
    id: str | None = None
    history: list[str | DocumentLine] = []


def read_requests(path: Path) -> list[Request]:
    """The requests of a JSON-lines file, `-` for standard input. A document that is a plain text gets its place in
    the list as id; a request without an id gets its line number.

    Raises:
        DataError: file and line of what is wrong.
    """
    stdin = Path("standard input")
    rows = parse_jsonl(stdin, sys.stdin.read()) if str(path) == "-" else read_jsonl(path)
    requests = []
    for row in rows:
        try:
            line = validated(RequestLine, row.fields, f"{row.file}, {row.at}")
        except RegistryError as error:
            raise DataError(str(error)) from error
        query = Query(line.id or row.at.removeprefix("line "), line.query, _documents(line.history))
        requests.append(Request(query, _documents(line.documents)))
    return requests


def to_json(ranking: Ranking) -> str:
    """One line: the query, and its documents best first with rank, score and metadata."""
    rows = [
        {
            "rank": item.rank,
            "score": item.score,
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
