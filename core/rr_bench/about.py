"""What is installed here and where it works, without anything that is a secret: for issues."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from rr.errors import RerankError
from rr.files import home
from rr.files.fingerprints import chosen_device, device_name
from rr.registry.plugins import OURS, installed_plugins
from rr_bench.environment import machine
from rr_bench.registry import find_registry

VARIABLES = (
    *("RR_DEVICE", "RR_HOME", "RR_PLUGINS", "RR_REGISTRY", "RR_STRICT", "RR_TRUST_REMOTE_CODE"),
    *("CUDA_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS", "RANK", "WORLD_SIZE"),
)
"""Of the environment, those that are told where they are set: none of them is a secret."""


DEV = 'extra == "dev"'


def about_here(registry: Path | None = None) -> dict[str, Any]:
    """What cannot be told says why. Loads torch, where it is installed."""
    plugins = installed_plugins()
    brought: dict[str, list[str]] = {}
    for one in plugins.components:
        brought.setdefault(f"{one.plugin} of {one.distribution} {one.version}", []).append(one.component.name)
    failed = {f"{f.plugin} of {f.distribution}": f"FAILED: {f.reason}" for f in plugins.failures}
    return {
        OURS: _version(OURS),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "machine": machine(),
        "memory": _memory(),
        "device": _device(),
        "home": _home(),
        "registry": _registry(registry),
        "environment": {name: _without_user(os.environ[name]) for name in VARIABLES if os.environ.get(name)},
        "packages": _packages(),
        "plugins": {name: f"{len(names)} components" for name, names in brought.items()} | failed,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _packages() -> dict[str, str]:
    """Of what rr and its extras need, all that is installed."""
    try:
        needed = {one.name for one in map(Requirement, requires(OURS) or ()) if DEV not in str(one.marker)}
    except PackageNotFoundError:  # it runs from its sources
        needed = {"numpy", "pydantic", "torch", "transformers", "typer"}
    found = {name: _version(name) for name in sorted(needed - {OURS}, key=str.lower)}
    return {name: release for name, release in found.items() if release != "not installed"}


def _device() -> str:
    if find_spec("torch") is None:
        return "cpu (torch is not installed)"
    try:
        return f"{chosen_device()} ({device_name()})"
    except (RerankError, ImportError, OSError) as error:  # what a broken installation raises
        return f"cannot be told: {error}"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB"
    except (ValueError, OSError):  # the system does not tell
        return "not known"


def _home() -> str:
    try:
        folder = home()
        there = next(path for path in (folder, *folder.parents) if path.exists())
        return f"{_without_user(str(folder))} ({shutil.disk_usage(there).free / 1e9:.1f} GB free)"
    except (RerankError, OSError) as error:
        return f"cannot be used: {error}"


def _registry(given: Path | None) -> str:
    try:
        return _without_user(str(find_registry(given)))
    except RerankError as error:
        return f"cannot be read: {error}"


def _without_user(text: str) -> str:
    """With `~` for the user's own folder, which has a name in it."""
    try:
        own = str(Path.home())
    except RuntimeError:  # there is none
        return text
    return text.replace(own, "~") if len(own) > 1 else text
