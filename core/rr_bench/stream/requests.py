"""Requests and rankings as JSON lines, for `rr rerank`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Tag

from rr.data.files import EMPTY, decoded, read_text
from rr.data.rows import Row, as_id
from rr.data.strict_json import parse_json
from rr.errors import DataError, RegistryError
from rr.registry.validation import validated
from rr.types import Document, Query, Ranking, Request
from rr_bench.report.escape import json_text
from rr_bench.stream.lines import parse_jsonl


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentLine(_Line):
    text: str
    id: Any = None
    title: str = ""
    metadata: dict[str, Any] = {}


def _form(value: object) -> str:
    return "text" if isinstance(value, str) else "object"


TextOrDocument = Annotated[Annotated[str, Tag("text")] | Annotated[DocumentLine, Tag("object")], Discriminator(_form)]
"""Told apart before it is checked, so that an error is about what was meant."""


class RequestLine(_Line):
    query: str
    documents: list[TextOrDocument]
    id: Any = None
    history: list[TextOrDocument] = []


@dataclass(frozen=True, slots=True)
class Placed:
    """A request, and where it stands (`in.jsonl, line 3`)."""

    request: Request
    place: str


def read_requests(path: Path) -> list[Placed]:
    """The requests of a file of JSON lines, or of a JSON list, `-` for standard input. An id may be text or a whole
    number. A document without an id, as a plain text is, gets its place in the list as id; a request without one gets
    its line number.

    Raises:
        DataError: file, line and field of what is wrong; that an id comes twice, too.
    """
    found: list[Placed] = []
    places: dict[str, tuple[str, bool]] = {}  # id → where it stands, and whether it was given
    for row in _rows(path):
        place = f"{row.file}, {row.at}"
        try:
            line = validated(RequestLine, row.fields, place)
        except RegistryError as error:
            raise DataError(str(error)) from error
        given = line.id is not None
        id_ = _id(row, "id", line.id) if given else row.at.rpartition(" ")[2]
        if id_ in places:
            other, was_given = places[id_]
            if given and was_given:
                raise row.error(f"'id' {id_!r} came already in {other}; give one of them another")
            here, there = (other, row.at) if given else (row.at, other)
            raise row.error(f"{here} has no 'id', and its number is that of {there}; give it an 'id'")
        places[id_] = row.at, given
        query = Query(id_, line.query, _documents(row, "history", line.history, may_repeat=True))
        documents = _documents(row, "documents", line.documents)
        try:
            request = Request(query, documents)
        except DataError as error:
            raise DataError(f"{place}: {error}") from error
        found.append(Placed(request, place))
    return found


def _rows(path: Path) -> list[Row]:
    if str(path) != "-":
        file, text = path, read_text(path)
    else:
        file = Path("standard input")
        text = decoded(file, sys.stdin.buffer.read()).replace("\r\n", "\n").replace("\r", "\n")
        if not text.strip():
            raise DataError(f"{file}: {EMPTY}")
    if text.lstrip().startswith("["):
        return [Row.of(file, f"item {n}", item) for n, item in enumerate(parse_json(text, str(file)), 1)]
    return parse_jsonl(file, text)


def to_json(ranking: Ranking, probabilities: Mapping[str, float] | None = None) -> str:
    """One line: the query, and its documents best first with rank, score, probability where it is known, and
    metadata."""
    return json_text(ranking.to_dict(probabilities))


def _documents(row: Row, field: str, lines: list[str | DocumentLine], may_repeat: bool = False) -> tuple[Document, ...]:
    """
    Raises:
        DataError: two have one id, unless that may be, or an id is none.
    """
    documents: list[Document] = []
    places: dict[str, str] = {}
    for number, line in enumerate(lines):
        at = f"{field}.{number}"
        line = DocumentLine(text=line) if isinstance(line, str) else line
        id_ = str(number) if line.id is None else _id(row, f"{at}.id", line.id)
        own = "its place, for it has no 'id'" if line.id is None else "its 'id'"
        if id_ in places and not may_repeat:
            raise row.error(f"{at} is called {id_!r} ({own}), as is {places[id_]}; give each an 'id' of its own")
        places[id_] = f"{at} ({own})"
        documents.append(Document(id_, line.text, line.title, line.metadata))
    return tuple(documents)


def _id(row: Row, field: str, value: object) -> str:
    try:
        return as_id(value)
    except (ValueError, DataError) as error:
        raise row.error(f"{field!r} {error}") from error
