"""What the Python API is given, checked: what is of a wrong type raises a TypeError that names the place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from operator import index
from pathlib import Path
from typing import Any

from rr.data import as_id
from rr.errors import DataError, RerankError
from rr.types import Document, Query, Request
from rr_bench.registry import Registry, load_registry


def of_type(name: str, value: object, *types: type) -> None:
    """
    Raises:
        TypeError: the value is none of the types, nor None.
    """
    if value is not None and not isinstance(value, types):
        raise TypeError(f"{name} is {type(value).__name__}, not {' or '.join(one.__name__ for one in types)}")


def texts(name: str, values: object) -> list[str]:
    """Names, several of them.

    Raises:
        TypeError: they are one text, or no texts.
    """
    found = listed(name, values, "names")
    for place, value in enumerate(found):
        if not isinstance(value, str):
            raise TypeError(f"{name}[{place}] is {type(value).__name__}, not str")
    return [str(value) for value in found]


def named_folders(name: str, values: object) -> list[str]:
    """Texts `NAME=FOLDER`, which may also be given as a mapping of names to a folder or several.

    Raises:
        TypeError: they are something else.
    """
    if not isinstance(values, Mapping):
        return texts(name, values)
    found = []
    for key, value in values.items():
        of_type(f"{name}[{key!r}]", value, str, Path, list, tuple)
        for folder in value if isinstance(value, list | tuple) else [value]:
            of_type(f"{name}[{key!r}]", folder, str, Path)
            found.append(f"{key}={folder}")
    return found


def asked(query: object, documents: object) -> Request:
    """A query with its documents. Of a mapping, `text` is the document, and `id`, `title` and `metadata` are what they
    are of a Document; its other keys are metadata, too. What has no id gets its position as one.

    Raises:
        TypeError: the query is neither text nor a Query, or the documents are no sequence of texts, mappings and
            Documents.
        DataError: two documents share an id, or a text cannot be written.
    """
    if isinstance(query, str):
        query = Query("query", query)
    if not isinstance(query, Query):
        raise TypeError(f"query is {type(query).__name__}, not str or rr.Query")
    candidates = [_document(place, value) for place, value in enumerate(listed("documents", documents, "texts"))]
    return Request(query, tuple(candidates))


def requests(values: object) -> list[Request]:
    """
    Raises:
        TypeError: they are no sequence of Requests.
    """
    found = listed("requests", values, "requests")
    for place, value in enumerate(found):
        if not isinstance(value, Request):
            raise TypeError(f"requests[{place}] is {type(value).__name__}, not rr.Request")
    return [value for value in found if isinstance(value, Request)]


def most(top_n: object) -> int | None:
    """How many documents are asked for, of any whole-number type; None for all.

    Raises:
        TypeError: it is no whole number.
        RerankError: it is below 1.
    """
    if top_n is None:
        return None
    if isinstance(top_n, bool) or not hasattr(top_n, "__index__"):
        raise TypeError(f"top_n is {type(top_n).__name__}, not int")
    if index(top_n) < 1:
        raise RerankError(f"top_n is {top_n}; ask for 1 document or more, or leave it out for all")
    return index(top_n)


def _document(place: int, value: object) -> Document:
    if isinstance(value, str):
        return Document(str(place), value)
    if isinstance(value, Mapping):
        return _from_mapping(place, value)
    if not isinstance(value, Document):
        raise TypeError(f"documents[{place}] is {type(value).__name__}, not str, dict or rr.Document")
    if not isinstance(value.id, str):
        raise TypeError(f"documents[{place}].id is {type(value.id).__name__}, not str")
    return value


def _from_mapping(place: int, value: Mapping[Any, Any]) -> Document:
    at, left = f"documents[{place}]", dict(value)
    if "text" not in left:
        raise TypeError(f"{at} has no 'text' but {', '.join(map(repr, left)) or 'no keys'}; give it one")
    text, title, id_, metadata = (left.pop(key, None) for key in ("text", "title", "id", "metadata"))
    title, metadata = "" if title is None else title, {} if metadata is None else metadata
    for key, one in (("text", text), ("title", title)):
        if not isinstance(one, str):
            raise TypeError(f"{at}[{key!r}] is {type(one).__name__}, not str")
    if not isinstance(metadata, Mapping):
        raise TypeError(f"{at}['metadata'] is {type(metadata).__name__}, not a dict")
    for key in (*left, *metadata):
        if not isinstance(key, str):
            raise TypeError(f"{at} has a key of type {type(key).__name__}, {key!r}; keys are texts")
    try:
        return Document(str(place) if id_ is None else as_id(id_), str(text), str(title), {**left, **metadata})
    except DataError as error:
        raise DataError(f"{at}: {error}") from error
    except ValueError as error:
        raise TypeError(f"{at}['id'] {error}") from error


def listed(name: str, values: object, what: str) -> list[object]:
    """The items of a sequence or an iterator: of one text they would be its letters, of a mapping its keys, and a set
    has no order, of a table the names of its columns."""
    if isinstance(values, str | bytes | bytearray):
        raise TypeError(f"{name} is one {type(values).__name__}; give a list of {what}")
    if isinstance(values, Mapping | Set) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is {type(values).__name__}; give a list of {what}")
    if hasattr(values, "columns"):
        mend = "give a column of it, or its rows: .to_dict('records')"
        raise TypeError(f"{name} is {type(values).__name__}, a table; {mend}")
    return list(values)


def opened(registry: Registry | Path | str | None) -> Registry:
    """A registry as the API takes it: itself, or the path of its file, or None for the one that `find_registry` finds.

    Raises:
        TypeError: it is something else.
        RegistryError: as `load_registry`.
    """
    if isinstance(registry, Registry):
        return registry
    if registry is not None and not isinstance(registry, str | Path):
        raise TypeError(f"registry is {type(registry).__name__}; give the path of a registry.yaml, or a Registry")
    return load_registry(None if registry is None else Path(registry))
