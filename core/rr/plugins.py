"""Discovery of plugins by entry point, each on its own: a plugin that fails is kept with its reason and traceback,
and the others stand.

`RR_STRICT=1` re-raises the first failure. `RR_PLUGINS=a,b` loads only the entry points named.
"""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any

import pluggy

from rr import hookspecs
from rr.errors import PluginError, nearest
from rr.expansion import as_written
from rr.hookspecs import PROJECT, Component, Kind

GROUP = "rr.plugins"
OURS = "rerank-registry"
KINDS: tuple[Kind, ...] = ("scorer", "reranker", "trainer")


@dataclass(frozen=True, slots=True)
class Registered:
    """A component and where it comes from."""

    component: Component
    kind: Kind
    plugin: str
    """The entry point's name."""
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class PluginFailure:
    plugin: str
    distribution: str
    reason: str
    """One line: what broke, at which stage."""
    traceback: str


@dataclass
class Plugins:
    """All that was discovered. `components` are in discovery order, our own distribution first."""

    components: list[Registered] = field(default_factory=list)
    failures: list[PluginFailure] = field(default_factory=list)

    def of_kind(self, kind: Kind) -> list[Registered]:
        return [registered for registered in self.components if registered.kind == kind]

    def get(self, kind: Kind, name: str) -> Registered:
        """The component of that kind called `name`, or `distribution/name`.

        Raises:
            PluginError: there is none; the failed plugins are named, since it may have been one of theirs.
        """
        distribution, _, bare = name.rpartition("/")
        found = [
            registered
            for registered in self.of_kind(kind)
            if registered.component.name == bare and distribution in ("", registered.distribution)
        ]
        if found:
            return found[0]  # without a distribution, the first to register owns the name
        known = [registered.component.name for registered in self.of_kind(kind)]
        failed = "".join(
            f"; plugin {failure.plugin!r} of {failure.distribution} failed: {failure.reason}"
            for failure in self.failures
        )
        raise PluginError(f"no {kind} is called {name!r}{nearest(bare, known)}{failed}")

    def load(self, kind: Kind, name: str) -> Any:
        """The class of a component, imported now.

        Raises:
            PluginError: unknown name, missing requirement (with the command that installs it), or an import that
                broke (with its cause chained).
        """
        registered = self.get(kind, name)
        missing = [need for need in registered.component.requires if not _installed(need)]
        if missing:
            raise PluginError(
                f"{kind} {name!r} needs {', '.join(missing)}; install with: pip install {' '.join(missing)}"
            )
        module, _, attribute = registered.component.target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except Exception as error:
            raise PluginError(
                f"{kind} {name!r}: {registered.component.target} cannot be imported: {summary(error)}"
            ) from error


def summary(error: BaseException) -> str:
    """An exception as one line: `TypeName: message`."""
    text = " ".join(as_written(str(error)).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def discover(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Loads every plugin of the group `rr.plugins` (or the entry points given) and collects its components."""
    found = list(entry_points(group=GROUP) if points is None else points)
    chosen = {name.strip() for name in os.environ.get("RR_PLUGINS", "").split(",") if name.strip()}
    if chosen:
        unknown = chosen - {point.name for point in found}
        if unknown:
            raise PluginError(
                f"RR_PLUGINS names {sorted(unknown)[0]!r}, which is not installed"
                + nearest(sorted(unknown)[0], [point.name for point in found])
            )
        found = [point for point in found if point.name in chosen]
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins()
    for point in sorted(found, key=lambda point: (_distribution(point) != OURS, _distribution(point), point.name)):
        _register(plugins, manager, point)
    return plugins


@functools.cache
def installed_plugins() -> Plugins:
    """`discover()`, once a process."""
    return discover()


def _register(plugins: Plugins, manager: pluggy.PluginManager, point: EntryPoint) -> None:
    distribution = _distribution(point)
    name = f"{distribution}/{point.name}"
    stage = "import"
    try:
        plugin = point.load()
        stage = "registration"
        manager.register(plugin, name=name)
        manager.check_pending()
        others = [other for other in manager.get_plugins() if other is not plugin]
        rows: list[tuple[Kind, Component]] = []
        for kind in KINDS:
            hook = manager.subset_hook_caller(f"{PROJECT}_register_{kind}s", others)
            for answer in hook():
                rows += [(kind, _checked(component)) for component in answer]
    except Exception as error:
        if manager.has_plugin(name):
            manager.unregister(name=name)  # or its unknown hooks would be held against the next plugin
        if os.environ.get("RR_STRICT") == "1":
            raise PluginError(f"plugin {point.name!r} of {distribution}: {stage} failed") from error
        _fail(plugins, point, f"{stage} failed: {summary(error)}", traceback.format_exc())
        return
    for kind, component in rows:
        for earlier in plugins.of_kind(kind):
            if earlier.component.name == component.name:
                _fail(
                    plugins,
                    point,
                    f"{kind} {component.name!r} of {distribution} is already registered by "
                    f"{earlier.distribution}; write '{distribution}/{component.name}' for this one",
                    "",
                )
        plugins.components.append(Registered(component, kind, point.name, distribution, _version(point)))


def _fail(plugins: Plugins, point: EntryPoint, reason: str, trace: str) -> None:
    plugins.failures.append(PluginFailure(point.name, _distribution(point), reason, trace))


def _checked(component: object) -> Component:
    if not isinstance(component, Component):
        raise PluginError(f"a hook returned {component!r}; return rr.Component rows")
    if component.target.count(":") != 1:
        raise PluginError(f"component {component.name!r}: target {component.target!r} is not 'module:Class'")
    return component


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else "unknown"


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
