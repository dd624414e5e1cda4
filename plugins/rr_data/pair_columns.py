"""Which columns of rows hold a query's own candidates, and whether they do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rr import DataError
from rr.data import Row, missing
from rr_data.columns import COLUMNS, guessed, said, simple
from rr_data.formats import first_cells
from rr_data.guess import Look

Role = Literal["query", "query_id", "positive", "negative", "document", "grade", "positive_scores", "negative_scores"]
NAMES: Mapping[str, tuple[str, ...]] = {
    "query": (*COLUMNS["query"], "sentence1", "sentence_1", "sentence_a", "text1", "text_a", "instruction"),
    "query_id": COLUMNS["query_id"],
    "positive": (
        *("pos", "positive", "positives", "positive_passages", "positive_passage", "relevant_passages", "relevant"),
        *("positive_ctxs", "positive_document", "positive_documents", "positive_text", "positive_texts", "chosen"),
    ),
    "negative": (
        *("neg", "negative", "negatives", "negative_passages", "negative_passage", "hard_negatives", "hard_negative"),
        *("hard_neg", "hard_negs", "negs", "hard_negative_ctxs", "negative_ctxs", "negative_document"),
        *("negative_documents", "negative_text", "negative_texts", "rejected"),
    ),
    "document": ("sentence2", "sentence_2", "sentence_b", "text2", "text_b", *COLUMNS["document"]),
    "grade": (*COLUMNS["grade"], "similarity", "similarity_score", "is_relevant", "is_duplicate"),
    "positive_scores": ("pos_scores", "positive_scores", "pos_score", "positive_score"),
    "negative_scores": ("neg_scores", "negative_scores", "neg_score", "negative_score"),
}
NUMBERED = re.compile("(" + "|".join(NAMES["negative"]) + r")_?\d+")
PLACES = ("query", "positive", "negative")
"""What the columns of a file without a header are."""


def is_header(cells: Sequence[str]) -> bool:
    known = {name for names in NAMES.values() for name in names}
    return any(simple(cell) in known for cell in cells)


def negatives_of(columns: Iterable[str]) -> list[str]:
    return [name for name in columns if simple(name) in NAMES["negative"] or NUMBERED.fullmatch(simple(name))]


def columns_by_role(
    named: Mapping[Role, str | tuple[str, ...]], path: Path, columns: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Role → its columns, of which only negatives have several."""
    found: dict[str, tuple[str, ...]] = {}
    for role in NAMES:
        if role == "negative":
            wanted = named.get("negative", negatives_of(columns))
            given = (wanted,) if isinstance(wanted, str) else tuple(wanted)
            found[role] = tuple(name for name in given if name in columns)
        elif role not in ("document", "grade") or role in named or "positive" not in found:
            one = said(named, role, columns, path) or guessed(columns, NAMES[role], sum(found.values(), ()))
            found |= {role: (one,)} if one else {}
    for role, other in (("query", None), ("positive", "document")):
        if role not in found and (other is None or other not in found):
            problem = missing("column", [role], [column for column in columns if column])
            raise DataError(f"{path}: {problem}; name yours under columns.{role}")
    return found


def brings_its_own(look: Look) -> bool:
    columns = look.columns
    negatives, query = negatives_of(columns), guessed(columns, NAMES["query"])
    positive = guessed(columns, NAMES["positive"])
    if query and any(isinstance(one, dict) and "weight" in one for r in look.rows for one in _items(r, negatives)):
        return False  # reader `rental` weighs them
    if query and positive:
        return bool(negatives) or simple(positive) == "positive" or isinstance(look.rows[0].fields[positive], list)
    second = guessed(columns, NAMES["document"])
    if simple(query or "") in ("sentence1", "sentence_1", "text1") and second:
        return True
    grade = guessed(columns, NAMES["grade"])
    if query and second and grade and guessed(columns, COLUMNS["document_id"]) is None:
        return any(str(row.fields.get(grade)).strip().lower() in ("0", "0.0", "false") for row in look.rows)
    cells = first_cells(look.path)
    # a triple of texts: ids, and names of columns, have no blanks
    return len(cells) == 3 and not is_header(cells) and all(len(cell.split()) > 2 for cell in cells[1:])


def _items(row: Row, columns: Iterable[str]) -> list[Any]:
    return [one for column in columns if isinstance(cell := row.fields.get(column), list) for one in cell]
