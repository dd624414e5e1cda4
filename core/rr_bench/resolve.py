"""From an entry of the registry to the component that it names, with its checked settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rr.errors import RegistryError
from rr.protocols import Settings
from rr.registry.plugins import Plugins, Registered
from rr.registry.resolve import checked_settings
from rr_bench.schema import RerankerEntry


@dataclass(frozen=True)
class Resolved:
    """An entry whose component was found and whose settings were checked; nothing is loaded yet."""

    name: str
    entry: RerankerEntry
    target: Any
    settings: Settings
    registered: Registered | None = None


def resolve(plugins: Plugins, name: str, entry: RerankerEntry) -> Resolved:
    """Finds the component of an entry and checks its settings. Raises PluginError: the component does not exist or
    cannot be imported; RegistryError: its settings are wrong, or it is made of other entries."""
    if entry.composed:
        raise RegistryError(f"{name!r} is made of {', '.join(entry.members)}; name one of these here")
    kind, component = entry.component
    settings = checked_settings(plugins, kind, component, entry.settings, f"reranker {name!r}: settings")
    return Resolved(name, entry, plugins.load(kind, component), settings, plugins.get(kind, component))
