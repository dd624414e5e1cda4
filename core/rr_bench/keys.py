"""What the keys of scores, checkpoints and data sets hold of the components behind them: the code that decides, the
releases that it computes with, the device, the settings and the files that they name. Nothing else of this program: a
change of a report or of the command line makes no score stale.
"""

from __future__ import annotations

import functools
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel

from rr.border import plugin_code
from rr.errors import PluginError, RegistryError
from rr.files import device_name, file_sha256, files_below, fingerprint, folder_fingerprint
from rr.files.fingerprints import counts
from rr.measures import metric
from rr.protocols import Settings
from rr.registry.plugins import GROUP, OURS, Registered, installed_plugins
from rr.registry.resolve import checked_settings, target_name
from rr.spec import Kind
from rr_bench.code import code_fingerprint, places, room_fingerprint
from rr_bench.loading import naming, told
from rr_bench.resolve import Resolved

COMPUTING = ("torch", "transformers", "tokenizers", "sentence-transformers", "peft", "numpy", "scipy")
"""Distributions whose release can change a score wherever they stand behind what a component requires."""
SCORING = ("rr.types", "rr.protocols", "rr.rerank")
TRAINING = (*SCORING, "rr.data", "rr.measures", "rr.training", "rr_measures")  # it selects by a measure
ROOMS: dict[Kind, tuple[str, ...]] = {
    "scorer": SCORING,
    "reranker": SCORING,
    "trainer": TRAINING,
    "reader": ("rr.types", "rr.data"),
    "retriever": ("rr.types", "rr.protocols"),
}
"""What of the contract decides what a component of a kind computes."""


def reranker_key(resolved: Resolved) -> str:
    """A hash of the entry, of the weights and files that it names, and of what computes.

    Raises:
        PluginError: nothing tells which files the code is made of.
    """
    entry = resolved.entry
    with naming(resolved):
        settings = settings_key(resolved.settings)
    return fingerprint(
        {
            **component_key(resolved.target, resolved.registered, engines_of(resolved.settings)),
            **settings,
            "window": [entry.beyond, entry.window, entry.stride],
            "beyond": room_fingerprint("rr_bench.tournament") if entry.beyond == "tournament" else "",
            "permutations": [entry.permutations, entry.permutation],
        }
    )


def model_key(resolved: Resolved, checkpoint: str) -> str:
    """What entries have in common that load one and the same model; `checkpoint`: its fingerprint."""
    return fingerprint([target_name(resolved.target), resolved.settings.model_dump(mode="json"), checkpoint])


def component_key(target: Any, registered: Registered | None, engines: Iterable[str] = ()) -> dict[str, Any]:
    """All that the answers of a component's class depend on besides its settings. `registered`: as what it was found,
    None where it is not a plugin's. `engines`: distributions that compute with these settings, besides what the
    component always requires.

    Raises:
        PluginError: nothing tells where its code is.
    """
    releases = _versions(target.__module__, registered, engines)
    return {
        "component": target_name(target),
        "code": sorted(_code(target.__module__, registered)),
        "versions": releases,
        "device": device_name() if releases.get("torch", ABSENT) != ABSENT else "",
    }


def settings_key(settings: Settings, files: bool = True) -> dict[str, Any]:
    """The settings, with what lies behind the names in them: weights, files, other components. Without `files` where
    the component itself says which files it reads.

    Raises:
        PluginError: a method of theirs broke, or gave something else than it must.
    """
    return {
        "settings": settings.model_dump(mode="json"),
        "weights": told(settings, "weights"),
        "version": told(settings, "version"),
        "files": settings_files(settings) if files else {},
        "components": [*_components_of(settings), *_measure_of(settings)],
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


def _components_of(settings: Settings) -> list[Any]:
    where = f"{target_name(type(settings))}.components()"
    with plugin_code(where):
        named = list(settings.components())
    keys: list[Any] = []
    plugins = installed_plugins()
    for one in named:
        target = plugins.load(one.kind, one.name)
        given = checked_settings(plugins, one.kind, one.name, dict(one.settings), f"{where}: {one.kind} {one.name!r}")
        keys.append([component_key(target, plugins.get(one.kind, one.name), engines_of(given)), settings_key(given)])
    return keys


def _measure_of(settings: Settings) -> list[Any]:
    """The measure of another distribution by which a trainer selects: its code decides what is kept."""
    with plugin_code(f"{target_name(type(settings))}.selects_by()"):
        name = settings.selects_by()
    try:
        found = metric(name or "").registered
    except RegistryError:  # there is none, or it is a figure of the trainer's own
        return []
    if found.distribution == OURS:
        return []
    target = installed_plugins().load("measure", f"{found.distribution}/{found.component.name}")
    return [component_key(target, found)]


def engines_of(settings: Settings) -> tuple[str, ...]:
    """`settings.engines()`: the distributions that compute with them.

    Raises:
        PluginError: it broke, or gave no names.
    """
    where = f"{target_name(type(settings))}.engines()"
    with plugin_code(where):
        found: object = settings.engines()
        if not isinstance(found, list | tuple) or not all(isinstance(name, str) for name in found):
            raise PluginError(f"{where} gave {found!r}, not names of distributions")
    return tuple(found)


def _code(module: str, registered: Registered | None) -> set[str]:
    """Fingerprints of the rooms of the contract that it depends on, of the module's own package, of what it says that
    it uses, and of all that its distribution installed; of our own, whose plugins never import each other, the package
    alone counts."""
    rooms = TRAINING if registered is None else ROOMS.get(registered.kind, ())
    found = {code_fingerprint(module), *map(room_fingerprint, rooms)}
    used = set(registered.component.uses if registered else ())
    distribution = registered.distribution if registered else ""
    if distribution != OURS and _imports(module, "rr_torch"):  # whether it says so or not
        used.add("rr_torch")
    found |= set(map(code_fingerprint, used))
    installed = _distribution(distribution)
    if installed is not None and distribution != OURS:
        points = installed.entry_points.select(group=GROUP)
        found |= {code_fingerprint(point.module) for point in points}  # where it is installed as a link to its sources
        files = [file for file in installed.files or () if counts(file) and not file.match("*.*-info/*")]
        found.add(fingerprint({str(file): path_fingerprint(Path(str(file.locate()))) for file in files}))
    return found


ABSENT = "not installed"


def _versions(module: str, registered: Registered | None, engines: Iterable[str]) -> dict[str, str]:
    """The releases of what computes: what the component requires, what its distribution does, and those of `COMPUTING`
    that stand behind these."""
    required = (Requirement(line).name for line in (registered.component.requires if registered else ()))
    roots: set[str] = {canonicalize_name(name) for name in (*required, *engines)}
    if registered is None or registered.distribution != OURS:
        roots |= {*_required(registered.distribution if registered else ""), *_imported(module)}
    behind = {name for root in roots for name in _behind(root)}
    names: set[str] = {*roots, *(name for name in COMPUTING if name in behind), "numpy"}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **{name: _version(name) for name in sorted(names)}}


@functools.cache
def _behind(name: str) -> frozenset[str]:
    """The distributions that one requires, directly or not, and itself."""
    found: set[str] = set()
    left: set[str] = {canonicalize_name(name)}
    while left:
        found |= left
        left = {needed for one in left for needed in _required(one)} - found
    return frozenset(found)


@functools.cache
def _required(name: str) -> frozenset[str]:
    """What a distribution requires without extras; not ourselves, who bring everything along."""
    installed = _distribution(name)
    needs = map(Requirement, (installed.requires if installed else None) or ())
    return frozenset(
        canonicalize_name(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})
    ) - {OURS}


@functools.cache
def _imported(module: str) -> frozenset[str]:
    """What of `COMPUTING` the sources around a module import, whatever its distribution says that it requires."""
    names = {name for name in COMPUTING if _imports(module, name.replace("-", "_"))}
    return frozenset({*names, *(("torch", "transformers") if _imports(module, "rr_torch") else ())})


@functools.cache
def _imports(module: str, package: str) -> bool:
    """Whether the sources around a module import a package."""
    files = [file for place in places(module) for file in (files_below(place) if place.is_dir() else [place])]
    pattern = re.compile(rf"^\s*(?:import|from)\s+{package}\b", re.MULTILINE)
    return any(
        pattern.search(file.read_text(encoding="utf-8", errors="replace")) for file in files if file.suffix == ".py"
    )


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name) if name else None
    except metadata.PackageNotFoundError:
        return None


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ABSENT
