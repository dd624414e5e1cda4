"""What the Python API is given, checked: what is of a wrong type raises a TypeError that names the place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from pathlib import Path

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
    found = _listed(name, values, "names")
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
    """A query with its documents; a plain text gets its position as id.

    Raises:
        TypeError: the query is neither text nor a Query, or the documents are no sequence of texts and Documents.
        DataError: two documents share an id.
    """
    if isinstance(query, str):
        query = Query("query", query)
    if not isinstance(query, Query):
        raise TypeError(f"query is {type(query).__name__}, not str or rr.Query")
    candidates = [_document(place, value) for place, value in enumerate(_listed("documents", documents, "texts"))]
    return Request(query, tuple(candidates))


def requests(values: object) -> list[Request]:
    """
    Raises:
        TypeError: they are no sequence of Requests.
    """
    found = _listed("requests", values, "requests")
    for place, value in enumerate(found):
        if not isinstance(value, Request):
            raise TypeError(f"requests[{place}] is {type(value).__name__}, not rr.Request")
    return [value for value in found if isinstance(value, Request)]


def _document(place: int, value: object) -> Document:
    if isinstance(value, str):
        return Document(str(place), value)
    if not isinstance(value, Document):
        raise TypeError(f"documents[{place}] is {type(value).__name__}, not str or rr.Document")
    if not isinstance(value.id, str):
        raise TypeError(f"documents[{place}].id is {type(value.id).__name__}, not str")
    return value


def _listed(name: str, values: object, what: str) -> list[object]:
    """The items of a sequence or an iterator: of one text they would be its letters, of a mapping its keys, and a set
    has no order."""
    if isinstance(values, str | bytes | bytearray):
        raise TypeError(f"{name} is one {type(values).__name__}; give a list of {what}")
    if isinstance(values, Mapping | Set) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is {type(values).__name__}; give a list of {what}")
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
