"""The readers by name, each a module with `Options` (its settings) and `read(options) -> Collection`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from rr.errors import DataError, nearest

READERS = {
    "beir": "rr.data.readers.beir",
    "cranfield": "rr.data.readers.cranfield",
    "jsonl": "rr.data.readers.jsonl",
    "movielens": "rr.data.readers.movielens",
    "proptit": "rr.data.readers.proptit",
    "rental": "rr.data.readers.rental",
    "trec": "rr.data.readers.trec",
    "xquad": "rr.data.readers.xquad",
}
"""Reader name → module, imported only when it is used."""


def load_reader(name: str) -> ModuleType:
    """
    Raises:
        DataError: no reader is called so.
    """
    if name not in READERS:
        raise DataError(f"no reader is called {name!r}{nearest(name, list(READERS))}")
    return import_module(READERS[name])
