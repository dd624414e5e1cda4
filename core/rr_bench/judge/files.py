"""Runs and judgements as files: TREC's columns, BEIR's table, JSON and JSON lines, each also packed (gz, zst, xz, bz2).

Run: `rr_bench.stream.runs`. Judgements: lines of query, iteration, document, grade; BEIR's three columns, under their
names or without a header; `{query: {document: grade}}`; or lines of `{query, document, grade?}`.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from rr.data.files import column_row, read_text
from rr.data.rows import Row
from rr.types import lost_in_32_bits
from rr_bench.stream.lines import parse_jsonl
from rr_bench.stream.runs import pairs, run_rows, whole_object

QRELS = ("query", "iteration", "document", "grade")
BEIR = ("query", "document", "grade")
NAMES = {"query-id": "query", "query_id": "query", "qid": "query", "corpus-id": "document", "corpus_id": "document"}
NAMES |= {"doc_id": "document", "docid": "document", "docno": "document", "score": "grade", "relevance": "grade"}
"""What a header calls a column → what it is called here."""
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
    for row in run_rows(path):
        rank = row.number("rank") if "rank" in row.fields else None
        yield row, row.id("query"), row.id("document"), row.number("score"), rank


def _qrels_rows(path: Path) -> Iterator[Row]:
    text = read_text(path)
    first = next(line for line in text.split("\n") if line.strip())
    if first.lstrip().startswith("{"):
        whole = whole_object(path, first)
        rows = parse_jsonl(path, text) if whole is None else pairs(path, whole, "grade")
        for row in rows:
            fields = {NAMES.get(key.lower(), key): value for key, value in row.fields.items()}
            yield Row(row.file, row.at, {"grade": 1, **fields})
        return
    separator = "\t" if first.strip(string.whitespace).count("\t") + 1 in (len(BEIR), len(QRELS)) else None
    cells = [cell.strip(string.whitespace) for cell in first.split(separator)]
    columns: Sequence[str] = [NAMES.get(cell.lower(), cell) for cell in cells]
    is_header = {"query", "document", "grade"} <= {*columns}
    if not is_header:
        columns = BEIR if len(cells) == len(BEIR) else QRELS
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(string.whitespace) and not (is_header and line == first):
            yield column_row(path, line, number, columns, separator)


def _contradict(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether a better rank has a lower score; where all ranks are one number they say nothing."""
    ordered = sorted(pairs, key=lambda pair: (pair[0], -pair[1]))
    if ordered[0][0] == ordered[-1][0]:
        return False
    return any(later > earlier for (_, earlier), (_, later) in pairwise(ordered))
