"""Discovery of plugins by entry point, each on its own: a plugin that fails is kept with its reason and traceback,
and the others stand.

`RR_STRICT=1` re-raises the first failure. `RR_PLUGINS=a,b` loads only the entry points named.
"""

from __future__ import annotations

import functools
import os
import re
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from itertools import islice
from typing import Any

import pluggy

from rr import hookspecs
from rr.errors import PluginError, nearest
from rr.hookspecs import PROJECT, Component, Kind
from rr.isolation import plugin_code
from rr.patience import in_time, limit

GROUP = "rr.plugins"
OURS = "rerank-registry"
HEAVY = 30.0
"""How many times longer a component's class may take to import than a plugin: it may bring torch."""
MOST = 1_000
"""Rows that a hook may return: more come of a loop without an end."""
NAME = re.compile(r"[^\W_][\w.+-]{0,99}")
TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
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
        where = f"{kind} {name!r}: {registered.component.target}"
        module, _, attribute = registered.component.target.partition(":")
        with plugin_code(f"{where} cannot be imported"):
            found = in_time(f"importing {where}", lambda: getattr(import_module(module), attribute), HEAVY)
        if not isinstance(found, type):
            raise PluginError(f"{where} is {type(found).__name__}, not a class")
        return found


def discover(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Loads every plugin of the group `rr.plugins` (or the entry points given) and collects its components."""
    limit()  # a value that cannot be read is the user's mistake, no plugin's
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
    plugins = Plugins()
    for point in sorted(found, key=lambda point: (_distribution(point) != OURS, _distribution(point), point.name)):
        _register(plugins, point)
    return plugins


@functools.cache
def installed_plugins() -> Plugins:
    """`discover()`, once a process."""
    return discover()


def _register(plugins: Plugins, point: EntryPoint) -> None:
    """Adds what one plugin offers, all of it or nothing."""
    distribution = _distribution(point)
    who = f"plugin {point.name!r} of {distribution}"
    try:
        with plugin_code("import failed", passing=()):
            plugin = in_time(f"importing {who}", partial(_loaded, point))
        with plugin_code("registration failed", passing=()):
            rows = in_time(f"registering {who}", partial(_rows, plugin))
    except PluginError as error:
        if os.environ.get("RR_STRICT") == "1":
            raise PluginError(f"{who}: {error}") from error.__cause__
        trace = "".join(traceback.format_exception(error.__cause__ or error))
        plugins.failures.append(PluginFailure(point.name, distribution, str(error), trace))
        return
    taken = []
    for kind, component in rows:
        full = f"{distribution}/{component.name}"
        owners = {one.distribution: one for one in plugins.of_kind(kind) if one.component.name == component.name}
        if distribution in owners:
            other = owners[distribution].plugin
            taken.append(
                f"{kind} {component.name!r} of {distribution} is already that of its plugin {other!r}; "
                "rename one of them"
            )
            continue
        if owners:
            owner = next(iter(owners))
            taken.append(
                f"{kind} {component.name!r} of {distribution} is already registered by {owner}; "
                f"write {full!r} for this one"
            )
        plugins.components.append(Registered(component, kind, point.name, distribution, _version(point)))
    if taken:
        reason = "; ".join(taken)
        plugins.failures.append(PluginFailure(point.name, distribution, reason, f"{who}: {reason}\n"))


def _loaded(point: EntryPoint) -> object:
    if not EntryPoint.pattern.match(point.value):
        raise PluginError(f"its entry point {point.value!r} is not 'module' or 'module:object'")
    return point.load()


def _rows(plugin: object) -> list[tuple[Kind, Component]]:
    """All that the plugin's hooks return, checked.

    Raises:
        PluginError: it has no hook, or a hook returns something else than components, each under a name of its own.
    """
    manager = pluggy.PluginManager(PROJECT)  # of its own: nothing of a plugin that fails is left for the next one
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    hooks = [(kind, hook) for kind in KINDS for hook in getattr(manager.hook, f"rr_register_{kind}s").get_hookimpls()]
    if not hooks:
        names = ", ".join(f"rr_register_{kind}s" for kind in KINDS)
        what = getattr(plugin, "__name__", None) or type(plugin).__name__
        raise PluginError(f"registers nothing: {what} has no function marked @rr.hookimpl; its name is one of {names}")
    rows: list[tuple[Kind, Component]] = []
    for kind, hook in hooks:
        answer = hook.function()  # not through pluggy, which leaves out a hook that returns None
        rows += [(kind, component) for component in _components(f"rr_register_{kind}s", answer)]
    counts = Counter((kind, component.name) for kind, component in rows)
    for (kind, name), count in counts.items():
        if count > 1:
            raise PluginError(f"{kind} {name!r} is registered {count} times; give each a name of its own")
    return rows


def _components(hook: str, answer: object) -> list[Component]:
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
        given = "None" if answer is None else f"{type(answer).__name__}"
        raise PluginError(f"{hook} returned {given}; return a list of rr.Component rows")
    rows = list(islice(answer, MOST + 1))
    if len(rows) > MOST:
        raise PluginError(f"{hook} returned more than {MOST} rows")
    return [_checked(row) for row in rows]


def _checked(component: object) -> Component:
    if not isinstance(component, Component):
        raise PluginError(f"a hook returned {component!r}; return rr.Component rows")
    for field_name in ("name", "target", "summary"):
        value = getattr(component, field_name)
        if not isinstance(value, str):
            raise PluginError(f"component {component.name!r}: its {field_name} is {type(value).__name__}, not text")
    if not NAME.fullmatch(component.name):
        raise PluginError(
            f"component {component.name!r}: a name is up to 100 letters, digits, '_', '-', '.' or '+', and begins with "
            "a letter or digit"
        )
    if not TARGET.fullmatch(component.target):
        raise PluginError(f"component {component.name!r}: target {component.target!r} is not 'module:Class'")
    if not isinstance(component.requires, tuple | list) or not all(isinstance(n, str) for n in component.requires):
        raise PluginError(
            f"component {component.name!r}: requires is {component.requires!r}; give a tuple of distributions' names"
        )
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
