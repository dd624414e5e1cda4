"""What a scorer that looks at one document at a time has answered, kept by what it was shown: a data set with one new
query scores one query, and a deeper list of candidates the new documents.

The key of a pair holds all that is shown of it: the query (text, history), the document (title, text, metadata), the
first stage's score of it, and the ids of both, unless these are drawn by lot (protocol oracle). That of the file holds
what computes (`rr_bench.keys`). A score that is found here was computed in other company than it would be now: it is
the same within `rr_bench.evaluate.company`, which `cost.measured` holds every data set's answers to.

Diagnostics are those of a request. They are put together as the means over documents that they are of such a scorer; so
an answer of which not every document is asked for again serves only where its diagnostics are all 0.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import fsum
from pathlib import Path
from typing import Any

from rr.files import DamagedError, fingerprint, home, made, outdated, set_aside
from rr.rerank.gate import with_ties
from rr.types import Dataset, Document, Query, Request, Scores, trec_order
from rr_bench.database import BESIDE, database, reading
from rr_bench.schema import RerankerEntry

VERSION = 1
SCHEMA = """
CREATE TABLE answers (query BLOB NOT NULL, documents BLOB NOT NULL, scores BLOB NOT NULL, diagnostics TEXT NOT NULL,
                      checksum BLOB NOT NULL);
CREATE INDEX by_query ON answers (query);
CREATE TABLE about (told TEXT NOT NULL, checksum BLOB NOT NULL)
"""
DIGEST = 16
"""Bytes of a hash: two of 2^32 pairs are taken for one another with a chance of 2^-65."""
OF_THE_LIST = ("tied", "constant", "lost_in_32_bits")
"""Diagnostics that the gate takes from all scores of a request."""


@dataclass(frozen=True)
class Answer:
    """A reranker's run of one query (document id → what it is ordered by) with its diagnostics."""

    scores: Mapping[str, float]
    diagnostics: Mapping[str, float]


class Pairs:
    """The pairs of one component. `key`: all that determines its answers besides what it is shown. `named`: whether
    ids mean anything."""

    def __init__(self, key: object, named: bool = True) -> None:
        self._key, self._named = fingerprint(["pairs", key]), named
        self._path = home() / "pairs" / f"{self._key[:32]}.sqlite"
        self._documents: dict[int, tuple[Document, bytes]] = {}

    @classmethod
    def of(cls, key: object, entry: RerankerEntry, dataset: Dataset) -> Pairs | None:
        """Those of an entry's component on a data set, whose ids mean nothing where they are drawn by lot (protocol
        oracle); None where it is no scorer."""
        return cls(key, named=dataset.protocol != "oracle") if entry.scorer is not None else None

    def known(self, requests: Sequence[Request]) -> tuple[list[list[Answer]], dict[str, Any] | None]:
        """For each request the answers that cover some of its documents, none of them twice; and what is known
        of the component. Nothing and None where nothing is kept that can be relied on."""
        nothing: tuple[list[list[Answer]], None] = ([[] for _ in requests], None)
        if outdated(self._path):
            return nothing
        try:
            with reading(self._path, VERSION) as connection:
                told = connection.execute("SELECT told, checksum FROM about").fetchone()
                if told is None:
                    return nothing
                if self._sum(told[0].encode()) != told[1]:
                    raise DamagedError("its checksum is of another content")
                return [self._of(connection, request) for request in requests], json.loads(told[0])
        except FileNotFoundError:
            return nothing
        except DamagedError as error:
            self._set_aside(error)
            return nothing

    def keep(self, answers: Sequence[tuple[Request, Answer]], about: Mapping[str, Any]) -> None:
        """Adds the answers to requests, and what is known of the component in place of what was."""
        if outdated(self._path):
            self._remove()
        rows, told = [self._row(*one) for one in answers], json.dumps(about, ensure_ascii=False)
        try:
            self._add(rows, told)
        except DamagedError as error:
            self._set_aside(error)
            self._add(rows, told)
        made(self._path)

    def _add(self, rows: Sequence[tuple[bytes, bytes, bytes, str, bytes]], told: str) -> None:
        with database(self._path, SCHEMA, VERSION) as connection:
            connection.execute("DELETE FROM about")
            connection.execute("INSERT INTO about VALUES (?, ?)", (told, self._sum(told.encode())))
            connection.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", rows)

    def _row(self, request: Request, answer: Answer) -> tuple[bytes, bytes, bytes, str, bytes]:
        hashes = self._hashes(request)
        scores = array("d", (answer.scores[document.id] for document in request.candidates)).tobytes()
        own = {name: value for name, value in answer.diagnostics.items() if name not in OF_THE_LIST}
        row = (self._query(request.query), b"".join(hashes), scores, json.dumps(own, ensure_ascii=False))
        return (*row, self._sum(*row[:3], row[3].encode()))

    def _of(self, connection: sqlite3.Connection, request: Request) -> list[Answer]:
        query = self._query(request.query)
        rows = connection.execute(
            "SELECT documents, scores, diagnostics, checksum FROM answers WHERE query = ? ORDER BY rowid", (query,)
        ).fetchall()
        if not rows:
            return []
        wanted: dict[bytes, list[str]] = {}
        for document, hashed in zip(request.candidates, self._hashes(request), strict=True):
            wanted.setdefault(hashed, []).append(document.id)
        found = []
        for documents, scores, diagnostics, checksum in rows:
            if self._sum(query, documents, scores, diagnostics.encode()) != checksum:
                raise DamagedError("the checksum of an answer is of another content")
            own, taken = json.loads(diagnostics), dict[str, float]()
            hashes = [documents[start : start + DIGEST] for start in range(0, len(documents), DIGEST)]
            places = {hashed: list(wanted[hashed]) for hashed in hashes if wanted.get(hashed)}
            for hashed, score in zip(hashes, array("d", scores), strict=True):
                if places.get(hashed):
                    taken[places[hashed].pop()] = score
            if taken and (len(taken) == len(hashes) or not any(own.values())):
                found.append(Answer(taken, own))
                wanted |= places
        return found

    def _hashes(self, request: Request) -> list[bytes]:
        """Of each candidate, with the first stage's score of it."""
        hashes = list(map(self._document, request.candidates))
        if request.first_stage is None:
            return hashes
        return [
            _hash(hashed + struct.pack("<d", score)) for hashed, score in zip(hashes, request.first_stage, strict=True)
        ]

    def _document(self, document: Document) -> bytes:
        kept = self._documents.get(id(document))
        if kept is None:
            metadata = json.dumps(document.metadata) if document.metadata else ""
            hashed = _hash(_joined(document.title, document.text, metadata, document.id if self._named else ""))
            kept = self._documents[id(document)] = (document, hashed)
        return kept[1]

    def _query(self, query: Query) -> bytes:
        own = _joined(query.text, query.id if self._named else "")
        return _hash(own + b"".join(map(self._document, query.history)))

    def _sum(self, *content: bytes) -> bytes:
        lengths = ",".join(str(len(one)) for one in content)
        return _hash(b"".join((f"{self._key},{lengths}\n".encode(), *content)))

    def _set_aside(self, error: DamagedError) -> None:
        set_aside(self._path, error)
        self._remove()

    def _remove(self) -> None:
        for end in BESIDE:
            Path(f"{self._path}{end}").unlink(missing_ok=True)


def rest(request: Request, known: Sequence[Answer]) -> Request:
    """The request for the documents that the answers do not cover."""
    covered = {id_ for answer in known for id_ in answer.scores}
    if not covered:
        return request
    left = [place for place, document in enumerate(request.candidates) if document.id not in covered]
    shown = request.first_stage and tuple(request.first_stage[place] for place in left)
    return Request(request.query, tuple(request.candidates[place] for place in left), shown)


def united(request: Request, answers: Sequence[Answer]) -> Answer:
    """The answer to the whole request, from answers that cover each of its documents once."""
    scores = {id_: score for answer in answers for id_, score in answer.scores.items()}
    if not scores:
        return Answer({}, {})
    own = [{k: v for k, v in answer.diagnostics.items() if k not in OF_THE_LIST} for answer in answers]
    names = dict.fromkeys(name for one in own for name in one)
    sizes = [len(answer.scores) for answer in answers]
    means = {
        name: fsum(one.get(name, 0.0) * size for one, size in zip(own, sizes, strict=True)) / len(scores)
        for name in names
    }
    values = tuple(scores[document.id] for document in request.candidates)
    whole = with_ties(Scores(values, own[0] if len(own) == 1 else means))
    return Answer({id_: scores[id_] for id_ in trec_order(scores)}, whole.diagnostics)


def _joined(*texts: str) -> bytes:
    """The texts as one, from which no others can be read."""
    return "\n".join((",".join(str(len(text)) for text in texts), *texts)).encode()


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST).digest()
