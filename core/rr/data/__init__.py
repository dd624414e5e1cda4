"""What a reader is written with: collections, rows that know where they stand, files, splits."""

from __future__ import annotations

from rr.data.collection import SPLITS, Collection
from rr.data.equal import equal_queries, folded
from rr.data.files import (
    DataPath,
    header,
    parse_json,
    read_bytes,
    read_columns,
    read_json,
    read_jsonl,
    read_table,
    read_text,
)
from rr.data.rows import ById, Row, as_id
from rr.data.splits import with_dev_share

__all__ = [
    "SPLITS",
    "ById",
    "Collection",
    "DataPath",
    "Row",
    "as_id",
    "equal_queries",
    "folded",
    "header",
    "parse_json",
    "read_bytes",
    "read_columns",
    "read_json",
    "read_jsonl",
    "read_table",
    "read_text",
    "with_dev_share",
]
