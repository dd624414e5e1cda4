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
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, metadata, version
from itertools import islice
from typing import Any, get_args

import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rr import spec
from rr.border import check, in_time, plugin_code
from rr.errors import PluginError, nearest
from rr.protocols import Settings
from rr.spec import API, PROJECT, Component, Kind

GROUP = "rr.plugins"
OURS = "rerank-registry"
HEAVY = 30.0
"""How many times longer a component's class may take to import than a plugin: it may bring torch."""
MOST = 1_000
"""Rows that a hook may return: more come of a loop without an end."""
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Registered:
    """A component and where it comes from."""

    component: Component
    kind: Kind
    plugin: str
    """The entry point's name."""
    distribution: str
    version: str

    def called(self, name: str) -> bool:
        """Whether `name`, or `distribution/name`, means this one; distributions are compared as packaging does."""
        distribution, _, bare = name.rpartition("/")
        return self.component.name == bare and canonicalize_name(distribution) in (
            "",
            canonicalize_name(self.distribution),
        )


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

    def has(self, kind: Kind, name: str) -> bool:
        """Whether there is a component of that kind called `name`, or `distribution/name`."""
        return any(one.called(name) for one in self.of_kind(kind))

    def get(self, kind: Kind, name: str) -> Registered:
        """The component of that kind called `name`, or `distribution/name`.

        Raises:
            PluginError: there is none; the failed plugins are named, since it may have been one of theirs.
        """
        bare = name.rpartition("/")[2]
        found = [registered for registered in self.of_kind(kind) if registered.called(name)]
        if found:
            return found[0]  # without a distribution, the first to register owns the name
        known = [registered.component.name for registered in self.of_kind(kind)]
        failed = "".join(
            f"; plugin {failure.plugin!r} of {failure.distribution} failed: {failure.reason}"
            for failure in self.failures
        )
        raise PluginError(f"no {kind} is called {name!r}{nearest(bare, known)}{failed}")

    def load(self, kind: Kind, name: str) -> Any:
        """The class of a component, imported now; of a command, its function.

        Raises:
            PluginError: unknown name, missing requirement (with the command that installs it), or an import that
                broke (with its cause chained).
        """
        registered = self.get(kind, name)
        missing = [need for need in registered.component.requires if not _installed(need)]
        if missing:
            raise PluginError(
                f"{kind} {name!r} needs {', '.join(missing)}; install with: pip install {_extra(registered, missing)}"
            )
        where = f"{kind} {name!r}: {registered.component.target}"
        found = _imported(registered.component.target, where, HEAVY)
        if kind == "command":
            if not callable(found):
                raise PluginError(f"{where} is {type(found).__name__}, not a function")
        elif not isinstance(found, type):
            raise PluginError(f"{where} is {type(found).__name__}, not a class")
        return found

    def settings(self, kind: Kind, name: str) -> type[Settings] | None:
        """What the component takes as settings, where that can be told without loading it: its registration names it.

        Raises:
            PluginError: unknown name, or the settings cannot be imported.
        """
        declared = self.get(kind, name).component.settings
        if not declared:
            return None
        where = f"{kind} {name!r}: settings {declared}"
        found = _imported(declared, where)
        if not (isinstance(found, type) and issubclass(found, Settings)):
            raise PluginError(f"{where} is no subclass of rr.Settings")
        return found

    def trainer_of(self, scorer: Registered) -> str | None:
        """The trainer that says it trains this scorer, as `distribution/name`; one of its own distribution first."""
        found = [one for one in self.of_kind("trainer") if one.component.trains and scorer.called(one.component.trains)]
        found.sort(key=lambda one: one.distribution != scorer.distribution)
        return f"{found[0].distribution}/{found[0].component.name}" if found else None


def _imported(target: str, where: str, factor: float = 1.0) -> Any:
    module, _, attribute = target.partition(":")
    with plugin_code(f"{where} cannot be imported"):
        return in_time(f"importing {where}", lambda: getattr(import_module(module), attribute), factor)


def discover(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Loads every plugin of the group `rr.plugins` (or the entry points given) and collects its components."""
    check()  # a value that cannot be read is the user's mistake, no plugin's
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
    manager.add_hookspecs(spec)
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
        rows += [(kind, component) for component in _components(f"rr_register_{kind}s", kind, answer)]
    counts = Counter((kind, component.name) for kind, component in rows)
    for (kind, name), count in counts.items():
        if count > 1:
            raise PluginError(f"{kind} {name!r} is registered {count} times; give each a name of its own")
    return rows


def _components(hook: str, kind: Kind, answer: object) -> list[Component]:
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
        given = "None" if answer is None else f"{type(answer).__name__}"
        raise PluginError(f"{hook} returned {given}; return a list of rr.Component rows")
    rows = list(islice(answer, MOST + 1))
    if len(rows) > MOST:
        raise PluginError(f"{hook} returned more than {MOST} rows")
    return [_checked(row, kind) for row in rows]


def _checked(component: object, kind: Kind) -> Component:
    if not isinstance(component, Component):
        raise PluginError(f"a hook returned {component!r}; return rr.Component rows")
    who = f"component {component.name!r}"
    for field_name in ("name", "target", "summary", "settings", "trains"):
        value = getattr(component, field_name)
        if not isinstance(value, str):
            raise PluginError(f"{who}: its {field_name} is {type(value).__name__}, not text")
    words = component.name.split(" ") if kind == "command" else [component.name]
    if not all(map(NAME.fullmatch, words)):
        raise PluginError(
            f"{who}: a name is up to 100 small letters, digits, '_', '-' or '.', and begins with a letter or digit"
        )
    for field_name in ("target", "settings"):
        value = getattr(component, field_name)
        if (value or field_name == "target") and not TARGET.fullmatch(value):
            raise PluginError(f"{who}: {field_name} {value!r} is not 'module:Class'")
    for field_name in ("requires", "uses"):
        value = getattr(component, field_name)
        if not isinstance(value, tuple | list) or not all(isinstance(n, str) for n in value):
            raise PluginError(f"{who}: {field_name} is {value!r}; give a tuple of names")
    for need in component.requires:
        try:
            Requirement(need)
        except InvalidRequirement as error:
            raise PluginError(f"{who}: requires {need!r}, which is no requirement as PEP 508 has it") from error
    if not isinstance(component.api, int) or component.api > API:
        raise PluginError(f"{who} needs rr.API {component.api!r}, and this is {API}; upgrade {OURS}")
    return component


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else "unknown"


def _extra(registered: Registered, missing: list[str]) -> str:
    """What brings the missing requirements: an extra of the distribution, if one has them all, called as its plugin if
    there is a choice; else they themselves."""
    try:
        found = metadata(registered.distribution)
    except PackageNotFoundError:
        found = None
    needs = [Requirement(line) for line in (found.get_all("Requires-Dist") if found else None) or ()]
    wanted = {canonicalize_name(Requirement(need).name) for need in missing}
    fitting = []
    for extra in (found.get_all("Provides-Extra") if found else None) or ():
        brought = {canonicalize_name(n.name) for n in needs if n.marker and n.marker.evaluate({"extra": extra})}
        if wanted <= brought:
            fitting.append((canonicalize_name(extra) != canonicalize_name(registered.plugin), len(brought), extra))
    if fitting:
        return f"'{registered.distribution}[{min(fitting)[2]}]'"
    return " ".join(f"'{need}'" if set(need) & set("<>[]; ") else need for need in missing)


def _installed(need: str) -> bool:
    """Whether a requirement is met, or does not concern this machine."""
    requirement = Requirement(need)
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
