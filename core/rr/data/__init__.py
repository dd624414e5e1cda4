"""What a reader is written with: collections, rows that know where they stand, files, splits, damage."""

from rr.data.collection import SPLITS, Collection, with_dev_share
from rr.data.damage import Damage
from rr.data.documents import Documents
from rr.data.files import DataPath, lines, opened, read_bytes, read_columns, read_json, read_jsonl, read_text
from rr.data.rows import ById, Row, as_id, missing
from rr.data.strict_json import parse_json
from rr.types import equal_queries, folded, nfc

__all__ = ["SPLITS", "ById", "Collection", "Damage", "DataPath", "Documents", "Row", "as_id", "equal_queries", "folded"]
__all__ += ["lines", "missing", "nfc", "opened", "parse_json", "read_bytes", "read_columns", "read_json", "read_jsonl"]
__all__ += ["read_text", "with_dev_share"]
