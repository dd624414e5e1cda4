"""What a reader is written with: collections, rows that know where they stand, files, splits."""

from rr.data.collection import SPLITS, Collection, with_dev_share
from rr.data.files import DataPath, read_bytes, read_columns, read_json, read_jsonl, read_text
from rr.data.rows import ById, Row, as_id, missing
from rr.data.strict_json import parse_json
from rr.types import equal_queries, folded, nfc

__all__ = ["SPLITS", "ById", "Collection", "DataPath", "Row", "as_id", "equal_queries", "folded", "missing"]
__all__ += ["nfc", "parse_json", "read_bytes", "read_columns", "read_json", "read_jsonl", "read_text", "with_dev_share"]
