"""Which files a module is made of, and their fingerprint."""

from __future__ import annotations

import functools
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from rr.errors import PluginError
from rr.files import file_sha256, fingerprint, folder_fingerprint


@functools.cache
def code_fingerprint(module: str) -> str:
    """SHA-256 over all files of the package that a module is in, so that nothing made by older code, prompts or tables
    is taken for new; over the one file of a module without a package. Of a namespace package, which others share, its
    own part counts.

    Raises:
        PluginError: nothing tells which files those are.
    """
    found = places(module)
    if all(place.is_dir() for place in found):
        return fingerprint([folder_fingerprint(place) for place in found])
    return file_sha256(found[0])


@functools.cache
def room_fingerprint(name: str) -> str:
    """SHA-256 over the files of one package or module, whatever lies beside it."""
    spec = _spec(name, name)
    folders = spec.submodule_search_locations
    return (
        fingerprint([folder_fingerprint(Path(f)) for f in folders]) if folders else file_sha256(Path(str(spec.origin)))
    )


def places(module: str) -> list[Path]:
    """The folders of the package that a module is in; or its one file, or the archive that holds it."""
    names = module.split(".")
    for depth in range(1, len(names) + 1):
        spec = _spec(".".join(names[:depth]), module)
        if spec.origin is not None:
            break
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    origin = Path(spec.origin or "")
    if not folders and depth > 1:
        folders = [origin.parent]  # a module right in a namespace package: what lies beside it may be its own
    if folders and all(folder.is_dir() for folder in folders):
        return sorted(folders)
    file = next((path for path in (origin, *origin.parents) if path.is_file()), None)
    if file is None:
        raise _unknown(module)
    return [file]


def _spec(name: str, module: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: it is a script's own, which has none
        file = getattr(sys.modules.get(name), "__file__", None)
        spec = ModuleSpec(name, None, origin=file) if file else None
    if spec is None:
        raise _unknown(module)
    return spec


def _unknown(module: str) -> PluginError:
    return PluginError(f"nothing tells which files {module!r} is made of; put it into a package or a file of its own")
