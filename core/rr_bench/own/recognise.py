"""Which reader reads files that somebody has: each that can tell is asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rr.border import plugin_code
from rr.data import lines, opened
from rr.errors import PluginError, RerankError
from rr.protocols import Recognises
from rr.registry.plugins import Plugins, Registered

WORKBOOK, PARQUET = b"PK", b"PAR1"
"""How files begin that are no text."""
LOOKED_AT = 1_000
"""Lines."""


def recognised(plugins: Plugins, paths: Sequence[Path], reader: str | None = None) -> tuple[str, dict[str, Any]]:
    """The name of the reader that knows these files or folders as its own, and its options for them. Of several a
    specific one goes before those that call themselves general. `reader`: only this one is asked; its options are
    empty where it cannot tell.

    Raises:
        RerankError: a path does not exist or cannot be read, no reader knows them, or several do.
    """
    for path in paths:
        if not path.exists():
            raise RerankError(f"{path}: no such file or folder; check the path")
    if not paths and reader is None:
        raise RerankError("name the files or the folder of the data, or the reader by --reader")
    if reader is not None:
        return reader, _asked(plugins.load("reader", reader), reader, paths) or {}
    found: dict[bool, dict[str, dict[str, Any]]] = {False: {}, True: {}}
    broken = []
    for registered in plugins.of_kind("reader"):
        name = _name(plugins, registered)
        try:
            target = plugins.load("reader", name)
            options = _asked(target, name, paths)
        except PluginError as error:  # one that is broken, or not installed whole, must not stand before the others
            broken.append(str(error))
            continue
        if options is not None:
            found[bool(getattr(target, "general", False))][name] = options
    fitting = found[False] or found[True]
    if len(fitting) > 1:
        names = ", ".join(sorted(fitting))
        raise RerankError(f"several readers know {_shown(paths)}: {names}; say which by --reader NAME")
    if not fitting:
        for path in filter(Path.is_file, paths):
            _must_be_readable(path)
        failed = "".join(f"; {one}" for one in broken)
        raise RerankError(
            f"no reader knows {_shown(paths)}; say which by --reader NAME, and what is what by --option KEY=VALUE "
            f"(docs/data.md lists them){failed}"
        )
    return next(iter(fitting.items()))


def _asked(target: Any, name: str, paths: Sequence[Path]) -> dict[str, Any] | None:
    if not isinstance(target, Recognises):
        return None
    with plugin_code(f"reader {name!r}: recognise"):
        found: object = target.recognise(list(paths))
    if found is None:
        return None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise PluginError(f"reader {name!r}: recognise gave {found!r}, not options by name, or None")
    return dict(found)


def _must_be_readable(path: Path) -> None:
    """
    Raises:
        DataError: it is text, as it seems, and in another encoding than UTF-8, or packed and damaged.
    """
    with opened(path) as file:
        start = file.read(len(PARQUET))
    if not start.startswith((WORKBOOK, PARQUET)):
        for _ in islice(lines(path), LOOKED_AT):
            pass


def _name(plugins: Plugins, registered: Registered) -> str:
    """By which it is found: its own where that is its alone."""
    bare = registered.component.name
    return bare if plugins.get("reader", bare) is registered else f"{registered.distribution}/{bare}"


def _shown(paths: Sequence[Path]) -> str:
    return " ".join(map(str, paths))
