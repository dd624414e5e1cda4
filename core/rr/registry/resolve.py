"""The settings of a component, checked."""

from typing import Any

from rr.border import plugin_code
from rr.errors import PluginError
from rr.protocols import Settings
from rr.registry.plugins import Plugins
from rr.registry.validation import validated
from rr.spec import Kind


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
