"""Which column of a table holds what: as its owner says, or by the names that columns usually have in English and in
Vietnamese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rr import DataError
from rr.data import missing, nfc
from rr_data.sources import Split

Role = Literal["query", "query_id", "document", "document_id", "title", "grade", "split", "group"]
Named = Mapping[Any, str | tuple[str, ...] | None]
"""Role → the column, or several, of which each file has one at the most. None: there is none, whatever is there."""

# in the order of preference; as `simple` spells them
COLUMNS: Mapping[Role, tuple[str, ...]] = {
    "query": (
        *("query", "queries", "query_text", "question", "question_text", "questions", "cau_hoi", "noi_dung_cau_hoi"),
        *("truy_van", "cau_truy_van", "search_query", "search", "search_term", "anchor", "topic", "tim_kiem"),
    ),
    "query_id": ("query_id", "queryid", "qid", "question_id", "topic_id", "id_cau_hoi", "ma_cau_hoi", "cau_hoi_id"),
    "document": (
        *("document", "document_text", "doc", "doc_text", "passage", "passage_text", "context", "paragraph", "text"),
        *("content", "contents", "body", "article", "van_ban", "noi_dung", "doan_van", "tai_lieu", "ngu_canh"),
        *("positive", "pos", "description", "product", "mo_ta", "answer", "answers", "response", "tra_loi"),
        *("cau_tra_loi", "dap_an"),
    ),
    "document_id": (
        *("document_id", "documentid", "doc_id", "docid", "docno", "corpus_id", "passage_id", "pid", "cid"),
        *("context_id", "article_id", "product_id", "id_van_ban", "ma_van_ban", "id_tai_lieu", "ma_tai_lieu"),
        *("relevant", "relevant_id", "relevant_ids", "relevant_doc", "relevant_docs", "relevant_documents"),
        *("relevant_document", "positive_id", "positive_ids", "positive_doc_ids", "gold", "gold_id", "gold_ids"),
        *("ground_truth", "ground_truth_document", "ground_truth_documents", "ground_truth_id", "ground_truth_ids"),
        *("ground_truth_doc", "document_ids", "doc_ids", "docids", "van_ban_lien_quan", "tai_lieu_lien_quan"),
    ),
    "title": ("title", "document_title", "doc_title", "heading", "tieu_de", "ten_bai", "ten_van_ban"),
    "grade": (
        *("grade", "relevance", "relevance_score", "relevance_label", "score", "label", "rel", "judgment"),
        *("judgement", "do_lien_quan", "muc_do_lien_quan", "nhan", "diem"),
    ),
    "split": ("split", "set", "subset", "partition", "fold_name", "tap", "tap_du_lieu"),
    "group": ("group", "group_id", "cluster", "cluster_id", "nhom"),
}
IDS = ("id", "_id", "stt", "ma", "key", "uid", "uuid", "index", "so_thu_tu", "no")
"""Names of ids that do not say of what: of the file's own documents or queries."""
COUNTED = ("", "index", "unnamed_0", "stt", "so_thu_tu", "no", "id", "_id")
"""Columns that only count rows."""
TEXTS = ("text", "content", "noi_dung", "title")
"""Names of texts that do not say of what: in a file of queries, of queries."""
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "development": "dev",
    "valid": "dev",
}
SPLIT_NAMES |= {"validation": "dev", "val": "dev", "test": "test", "testing": "test"}


def simple(name: str) -> str:
    """A name without case, accents, and what is neither letter nor digit: `Câu hỏi` and `cau_hoi` are one."""
    plain = unicodedata.normalize("NFD", name.casefold().replace("đ", "d"))
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    lead = "_" if plain.startswith("_") else ""
    return lead + re.sub(r"[\W_]+", "_", plain).strip("_")


def guessed(columns: Iterable[str], names: Iterable[str], without: Iterable[str] = ()) -> str | None:
    """The column that is called by the first of the names that one is called by, as `simple` spells them."""
    there = {simple(column): column for column in reversed([*columns]) if column not in {*without}}
    return next((there[name] for name in names if name in there), None)


def said(named: Named, role: str, columns: Iterable[str], path: Path) -> str | None:
    """The column of this file that its owner named.

    Raises:
        DataError: there are two of those that were named.
    """
    names = {nfc(name) for name in _several(named.get(role))}
    found = [column for column in columns if column in names]
    if len(found) > 1:
        raise DataError(f"{path}: has {' and '.join(map(repr, found))}, both named as `{role}`; name one of them")
    return found[0] if found else None


def must_be_somewhere(named: Named, files: Mapping[Path, Sequence[str]]) -> None:
    """
    Raises:
        DataError: no file has a column that was named.
    """
    there = sorted({column for columns in files.values() for column in columns if column})
    for role, wanted in named.items():
        for name in _several(wanted):
            if nfc(name) not in there:
                where = ", ".join(str(path) for path in files)
                raise DataError(f"{where}: columns.{role}: {missing('column', [name], there)}")


def _several(wanted: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (wanted,) if isinstance(wanted, str) else wanted or ()


def may_hold(role: Role, values: Iterable[object]) -> bool:
    """Whether these can be what a column of that name should hold: a `score` may be a price, and a `set` a topic."""
    filled = [value for value in values if value is not None and str(value).strip()]
    if role == "split":
        return bool(filled) and all(str(value).strip().lower() in SPLIT_NAMES for value in filled)
    if role == "grade":
        return bool(filled) and all(isinstance(value, bool) or _is_whole(value) for value in filled)
    return True


def _is_whole(value: object) -> bool:
    try:
        return float(str(value)).is_integer()
    except ValueError:
        return False
