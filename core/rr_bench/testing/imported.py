"""What the import of a plugin does, as a process of its own that does nothing else tells it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from rr.errors import PluginError
from rr.registry.plugins import Plugins, Registered
from rr.spec import Component
from rr_bench.testing.subject import Subject

HEAVY = (
    *("torch", "transformers", "sentence_transformers", "peft", "sklearn", "numpy", "scipy", "pandas", "tensorflow"),
    *("jax", "onnxruntime", "FlagEmbedding", "datasets", "matplotlib"),
)
"""What takes long to import, and is needed by what a plugin offers alone."""
PROBE = Path(__file__).with_name("probe.py")
"""Run as a file: its package imports what a plugin may be found to import."""
HANGS = 60.0
"""Seconds after which an import is given up."""


@dataclass(frozen=True)
class Imported:
    """`broke`: why it could not be imported. `unregistered`: why its hooks are refused. `seconds`: of both. `printed`:
    what came on stdout and stderr. `heavy`, `settings`: heavy modules that came with it, and with each module of
    settings. `changed`: what of the process it changed. `touched`: what it did beyond the process."""

    broke: str = ""
    unregistered: str = ""
    seconds: float = 0.0
    printed: str = ""
    heavy: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    components: tuple[Registered, ...] = ()
    settings: dict[str, list[str]] = field(default_factory=dict)


def imported(subject: Subject) -> Imported:
    """Of the subject's plugin. Raises PluginError: it cannot be imported at all, which is another check's."""
    found = tried(subject)
    if found.broke:
        raise PluginError(f"the plugin cannot be imported: {found.broke}")
    return found


def tried(subject: Subject) -> Imported:
    """As `imported`, of a plugin that breaks as well."""
    assert subject.point is not None
    return _tried(subject.point, tuple(sys.path))


@functools.cache
def _tried(point: EntryPoint, path: tuple[str, ...]) -> Imported:
    return _once(point, path)


def again(subject: Subject) -> Imported:
    """Once more: how long it takes depends on what else this machine does, and what it finds in its caches."""
    assert subject.point is not None
    return _once(subject.point, tuple(sys.path))


def _once(point: EntryPoint, path: tuple[str, ...]) -> Imported:
    """In an empty folder, with what this process finds its modules in."""
    with tempfile.TemporaryDirectory(prefix="rr-testing-") as folder:
        out, here = Path(folder) / "facts.json", Path(folder) / "here"
        here.mkdir()
        whole = os.pathsep.join(str(Path(one).absolute()) for one in path)
        command = [sys.executable, "-B", "-P", str(PROBE), point.name, point.value, str(out), *HEAVY]
        try:
            ended = subprocess.run(
                command, env={**os.environ, "PYTHONPATH": whole}, cwd=here, capture_output=True, timeout=HANGS
            )
        except subprocess.TimeoutExpired:
            return Imported(broke=f"not done after {HANGS:g} s")
        printed = (ended.stdout + ended.stderr).decode(errors="replace")
        if not out.is_file():
            return Imported(broke=f"it ended the process (exit code {ended.returncode})", printed=printed)
        told: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    distribution, version = ("unknown", "unknown") if point.dist is None else (point.dist.name, point.dist.version)
    rows = [
        Registered(
            Component(**{**row, "requires": tuple(row["requires"]), "uses": tuple(row["uses"])}),
            kind,
            point.name,
            distribution,
            version,
        )
        for kind, row in told.pop("rows", [])
    ]
    lists: dict[str, Any] = {name: tuple(told.pop(name, ())) for name in ("heavy", "changed", "touched")}
    return Imported(printed=printed, components=tuple(rows), **lists, **told)


def looked_at(subject: Subject) -> tuple[Plugins, list[Registered]]:
    """The plugin's components by name; and those of them that the subject is about: all, of a plugin as such."""
    components = list(imported(subject).components)
    asked = {
        (one.kind, one.component.name) for one in (subject.registered, subject.registered_trainer) if one is not None
    }
    if subject.kind == "plugin":
        asked = {(one.kind, one.component.name) for one in components}
    return Plugins(components), [one for one in components if (one.kind, one.component.name) in asked]
