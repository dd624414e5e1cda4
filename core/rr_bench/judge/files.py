"""Runs and judgements as files: TREC's columns, BEIR's table, JSON and JSON lines, each also compressed (gzip).

Run: lines of query, Q0, document, rank, score, tag; or `{query: {document: score}}`; or the lines that `rr rerank`
writes, `{id, ranking: [{id, score, rank}]}`. Judgements: lines of query, iteration, document, grade; BEIR's three
columns under their names; `{query: {document: grade}}`; or lines of `{query, document, grade?}`.
"""

from __future__ import annotations

import gzip
import string
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from rr.data.files import column_row, decoded_text, read_bytes
from rr.data.rows import Row
from rr.data.strict_json import parse_json
from rr.errors import DataError
from rr.types import lost_in_32_bits
from rr_bench.stream.lines import parse_jsonl
from rr_bench.stream.runs import COLUMNS

GZIP = b"\x1f\x8b"
QRELS = ("query", "iteration", "document", "grade")
BEIR = ("query-id", "corpus-id", "score")
GRADES = range(-(2**31), 2**31)
"""What trec_eval can hold."""


@dataclass
class RunFile:
    """Query → document → score. `warnings`: what is odd about the file, one line each."""

    path: Path
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_run_file(path: Path) -> RunFile:
    """
    Raises:
        DataError: the file is missing or malformed; in one line, with the place.
    """
    found, ranks = RunFile(path), dict[str, list[tuple[float, float]]]()
    again: list[str] = []
    for row, query, document, score, rank in _run_rows(path):
        scores = found.scores.setdefault(query, {})
        if document in scores:
            again.append(f"{row.at}, query {query!r}, document {document!r}")
            continue
        scores[document] = score
        if rank is not None:
            ranks.setdefault(query, []).append((rank, score))
    if again:
        found.warnings.append(
            f"{len(again)} times a document comes again for its query, of which the first counts; first {again[0]}"
        )
    against = [query for query, pairs in ranks.items() if _contradict(pairs)]
    if against:
        found.warnings.append(
            f"{len(against)} queries have ranks that contradict the scores, which count; first query {against[0]!r}"
        )
    lost = [query for query, scores in found.scores.items() if lost_in_32_bits(scores.values())]
    if lost:
        found.warnings.append(
            f"{len(lost)} queries have scores that 32 bits cannot tell apart, tied as in trec_eval; first {lost[0]!r}"
        )
    return found


def read_qrels_file(path: Path) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Query → document → grade; and what is odd about the file, one line each.

    Raises:
        DataError: as `read_run_file`; or a document is judged twice, otherwise.
    """
    qrels: dict[str, dict[str, int]] = {}
    again: list[str] = []
    for row in _qrels_rows(path):
        query, document, grade = row.id("query"), row.id("document"), row.integer("grade")
        if grade not in GRADES:
            raise row.error("the grade does not fit into 32 bits; write a smaller one")
        judged = qrels.setdefault(query, {})
        if judged.get(document, grade) != grade:
            raise row.error(
                f"query {query!r}, document {document!r} is judged {grade} here and {judged[document]} before; keep one"
            )
        if document in judged:
            again.append(f"{row.at}, query {query!r}, document {document!r}")
        judged[document] = grade
    return qrels, [f"{len(again)} judgements come again, alike; first {again[0]}"] if again else []


def _run_rows(path: Path) -> Iterator[tuple[Row, str, str, float, float | None]]:
    """Row, query, document, score, and rank where there is one."""
    text = _text(path)
    if not text.lstrip().startswith("{"):
        for row in _columns(path, text, COLUMNS):
            yield row, row.id("query"), row.id("document"), row.number("score"), row.number("rank")
        return
    whole = _whole(path, text)
    if whole is not None:
        for row in _pairs(path, whole, "score"):
            yield row, row.id("query"), row.id("document"), row.number("score"), None
        return
    for line in parse_jsonl(path, text):
        for row in line.children("ranking"):
            rank = row.number("rank") if "rank" in row.fields else None
            yield row, line.id("id"), row.id("id"), row.number("score"), rank


def _qrels_rows(path: Path) -> Iterator[Row]:
    text = _text(path)
    if text.lstrip().startswith("{"):
        whole = _whole(path, text)
        rows = parse_jsonl(path, text) if whole is None else _pairs(path, whole, "grade")
        for row in rows:
            yield row if "grade" in row.fields else Row(row.file, row.at, {**row.fields, "grade": 1})
        return
    first, _, others = text.lstrip("\n").partition("\n")
    if tuple(first.strip().split("\t")) == BEIR:
        yield from _columns(path, "\n" + others, ("query", "document", "grade"), "\t")
        return
    yield from _columns(path, text, QRELS)


def _text(path: Path) -> str:
    content = read_bytes(path)
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: not whole gzip ({error}); fetch or compress it again") from error
    return decoded_text(path, content)


def _columns(path: Path, text: str, columns: Sequence[str], separator: str | None = None) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(string.whitespace):
            yield column_row(path, line, number, columns, separator)


def _whole(path: Path, text: str) -> dict[str, dict[str, Any]] | None:
    """The file as one object of objects; None where it is one of lines."""
    line, _, others = text.strip().partition("\n")
    if others.strip() and line.rstrip().endswith("}"):
        return None
    found = parse_json(text, str(path))
    return found if isinstance(found, dict) and all(isinstance(value, dict) for value in found.values()) else None


def _pairs(path: Path, whole: dict[str, dict[str, Any]], name: str) -> Iterator[Row]:
    for query, values in whole.items():
        for document, value in values.items():
            yield Row(path, f"query {query!r}", {"query": query, "document": document, name: value})


def _contradict(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether a better rank has a lower score; where all ranks are one number they say nothing."""
    ordered = sorted(pairs, key=lambda pair: (pair[0], -pair[1]))
    if ordered[0][0] == ordered[-1][0]:
        return False
    return any(later > earlier for (_, earlier), (_, later) in pairwise(ordered))
