"""What the key of a score or a checkpoint holds of the component behind it: its code, the releases that it computes
with, the device, and the files that its settings name.
"""

from __future__ import annotations

import functools
import importlib.util
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rr.artefacts import counts, file_sha256, files_below, fingerprint, folder_fingerprint
from rr.environment import device_name
from rr.errors import PluginError
from rr.plugins import GROUP, OURS, Registered

COMPUTING = ("torch", "transformers", "tokenizers", "sentence-transformers", "peft", "numpy", "scipy")
"""Distributions whose release can change a score wherever they stand behind what a component requires."""


def component_key(target: Any, registered: Registered | None, engines: Iterable[str] = ()) -> dict[str, Any]:
    """All that the answers of a component's class depend on besides its settings. `registered`: as what it was found,
    None where it is not a plugin's. `engines`: distributions that compute with these settings, besides what the
    component always requires.

    Raises:
        PluginError: nothing tells where its code is.
    """
    requires = registered.component.requires if registered else ()
    distribution = registered.distribution if registered else ""
    releases = _versions(target.__module__, distribution, {*requires, *engines})
    return {
        "component": f"{target.__module__}:{target.__qualname__}",
        "code": sorted(_code(target.__module__, distribution)),
        "versions": releases,
        "device": _device(releases.get("torch")),
    }


def settings_files(settings: BaseModel) -> dict[str, str]:
    """Path → SHA-256 of each file or folder that the settings name as a `Path`, however deep."""
    return {str(path): path_fingerprint(path) for path in named_paths(settings)}


def named_paths(value: object) -> Iterator[Path]:
    """The paths in a value, and in what it holds."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from named_paths(getattr(value, name))
        yield from named_paths(value.model_extra)
    elif isinstance(value, Mapping):
        for item in (*value.keys(), *value.values()):
            yield from named_paths(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from named_paths(item)


def path_fingerprint(path: Path) -> str:
    """A hash of a file, or of a folder and all in it; `missing` where there is none."""
    path = path.expanduser()
    if path.is_dir():
        return folder_fingerprint(path)
    return file_sha256(path) if path.is_file() else "missing"


@functools.cache
def code_fingerprint(module: str) -> str:
    """SHA-256 over all files of the package that a module is in, so that nothing made by older code, prompts or tables
    is taken for new; over the one file of a module without a package. Of a namespace package, which others share, its
    own part counts.

    Raises:
        PluginError: nothing tells which files those are.
    """
    places = _places(module)
    if all(place.is_dir() for place in places):
        return fingerprint([folder_fingerprint(place) for place in places])
    return file_sha256(places[0])


def _places(module: str) -> list[Path]:
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


def _code(module: str, distribution: str) -> set[str]:
    """Fingerprints of the core, of the module's own package, and of all that its distribution installed; of our own,
    whose plugins never import each other, the package alone counts."""
    found = {code_fingerprint("rr"), code_fingerprint(module)}
    installed = _distribution(distribution)
    if installed is not None and distribution != OURS:
        points = installed.entry_points.select(group=GROUP)
        found |= {code_fingerprint(point.module) for point in points}  # where it is installed as a link to its sources
        files = [file for file in installed.files or () if counts(file) and not file.match("*.*-info/*")]
        found.add(fingerprint({str(file): path_fingerprint(Path(str(file.locate()))) for file in files}))
    return found


def _versions(module: str, distribution: str, required: set[str]) -> dict[str, str]:
    """The releases of what computes: what the component requires, what its distribution does, and those of `COMPUTING`
    that stand behind these."""
    roots = required if distribution == OURS else {*required, *_required(distribution), *_imported(module)}
    behind = set().union(*(_behind(root) for root in roots))
    names = {canonical(root) for root in roots} | {name for name in COMPUTING if name in behind} | {"numpy"}
    return versions(names)


def versions(names: Iterable[str]) -> dict[str, str]:
    """Python's release, whose tables of Unicode tokenizers read, and those of distributions."""
    return {"python": ".".join(platform.python_version_tuple()[:2]), **{name: _version(name) for name in sorted(names)}}


@functools.cache
def _behind(name: str) -> frozenset[str]:
    """The distributions that one requires, directly or not, and itself."""
    found: set[str] = set()
    left = {canonical(name)}
    while left:
        found |= left
        left = {needed for one in left for needed in _required(one)} - found
    return frozenset(found)


@functools.cache
def _required(name: str) -> frozenset[str]:
    """What a distribution requires without extras; not ourselves, who bring everything along."""
    installed = _distribution(name)
    lines = [line for line in (installed.requires if installed else None) or () if "extra ==" not in line]
    return frozenset(canonical(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in lines) - {OURS}


@functools.cache
def _imported(module: str) -> frozenset[str]:
    """What of `COMPUTING` the sources around a module import, whatever its distribution says that it requires."""
    files = [file for place in _places(module) for file in (files_below(place) if place.is_dir() else [place])]
    text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files if file.suffix == ".py")
    names = {canonical(name) for name in re.findall(r"^\s*(?:import|from)\s+(\w+)", text, re.MULTILINE)}
    ours = {"torch", "transformers"} if re.search(r"^\s*(?:import|from)\s+rr\.modeling", text, re.MULTILINE) else set()
    return frozenset((names & set(COMPUTING)) | ours)


def canonical(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name) if name else None
    except metadata.PackageNotFoundError:
        return None


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _device(torch: str | None) -> str:
    """What computes, where torch does."""
    return "" if torch in (None, "not installed") else device_name()
