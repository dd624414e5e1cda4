"""From a registry entry to the component that it names, and its checked settings."""

from dataclasses import dataclass
from typing import Any

from rr.border import plugin_code
from rr.errors import PluginError, RegistryError
from rr.protocols import Settings
from rr.registry.plugins import Plugins, Registered
from rr.registry.schema import RerankerEntry
from rr.registry.validation import validated
from rr.spec import Kind


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


def checked_settings(plugins: Plugins, kind: Kind, name: str, values: dict[str, Any], where: str) -> Settings:
    """The settings of a component, checked; one without settings takes none."""
    model = settings_model(plugins, kind, name)
    with plugin_code(f"{where} cannot be checked"):
        settings = validated(model, values, where)
        settings.model_dump(mode="json")  # as every key of theirs is made
        return settings


def settings_model(plugins: Plugins, kind: Kind, name: str) -> type[Settings]:
    """What a component takes as settings: what its registration names, or else its class's own `Settings`, which must
    be a subclass of `rr.Settings`."""
    if (declared := plugins.settings(kind, name)) is not None:
        return declared
    target = plugins.load(kind, name)
    model: Any = getattr(target, "Settings", Settings)
    if not (isinstance(model, type) and issubclass(model, Settings)):
        raise PluginError(f"{target_name(target)}.Settings is no subclass of rr.Settings")
    return model


def target_name(target: Any) -> str:
    """A component's class as its registration spells it: `module:Class`."""
    return f"{target.__module__}:{target.__qualname__}"
