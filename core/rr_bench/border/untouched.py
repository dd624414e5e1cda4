"""What plugins are given stays as it was: a change is undone, and is an error of who made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from rr.errors import PluginError
from rr.types import Request, read_only


@contextmanager
def untouched(requests: Iterable[Request]) -> Iterator[None]:
    """Runs a plugin on requests that it must not change (`unchanged`)."""
    shown = [part for r in requests for part in (r, r.query, *r.candidates, *r.query.history)]
    with unchanged(shown):
        yield


@contextmanager
def unchanged(shown: Iterable[Any], who: str = "it") -> Iterator[None]:
    """Runs a plugin that is shown frozen dataclasses. They are shared by all who are compared, so that whatever it
    changed in them in spite of that, behind `object.__setattr__` or in a mapping, is put back.

    Raises:
        PluginError: it changed something.
    """
    kept = [(one, _content(one)) for one in {id(one): one for one in shown}.values()]
    try:
        yield
    finally:
        touched = [f"{type(one).__name__} {_name(content)}" for one, content in kept if _restored(one, content)]
    if touched:
        raise PluginError(
            f"{who} changed data that it was only shown ({touched[0]}, {len(touched)} in all), which others are judged "
            "by; work on a copy. The change was undone"
        )


Content = list[tuple[str, Any, dict[Any, Any] | None]]
"""Each field's name and value; of a mapping, a copy, too, of it and of the mappings in it."""


def _content(one: Any) -> Content:
    values = [(field.name, getattr(one, field.name)) for field in fields(one)]
    return [(name, value, _copied(value) if value and isinstance(value, dict) else None) for name, value in values]


def _copied(mapping: dict[Any, Any]) -> dict[Any, Any]:
    return {key: _copied(value) if isinstance(value, dict) else value for key, value in mapping.items()}


def _restored(one: Any, content: Content) -> bool:
    """Whether there was something to put back."""
    touched = False
    for name, value, copy in content:
        if getattr(one, name, None) is not value:
            object.__setattr__(one, name, value)
            touched = True
        if copy is not None and value != copy:
            dict.clear(value)
            dict.update(value, read_only(copy))
            touched = True
    return touched


def _name(content: Content) -> str:
    return next((repr(value) for name, value, _ in content if name == "id"), "")
