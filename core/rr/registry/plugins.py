"""Discovery of plugins by entry point, each on its own: a plugin that fails is kept with its reason and traceback, and
the others stand. `RR_STRICT=1` re-raises the first failure; `RR_PLUGINS=a,b` loads these, and our measures, alone."""

import functools
import os
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, metadata, version
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rr.border import border, plugin_code
from rr.errors import PluginError, nearest
from rr.registry.rows import registered_rows
from rr.spec import Component, Kind

if TYPE_CHECKING:
    from rr.protocols import Settings

GROUP, OURS = "rr.plugins", "rerank-registry"
HEAVY = 30.0  # how many times longer a component's class may take to import than a plugin: it may bring torch


@dataclass(frozen=True, slots=True)
class Registered:
    """A component and where it comes from; `plugin` is the entry point's name."""

    component: Component
    kind: Kind
    plugin: str
    distribution: str
    version: str

    def called(self, name: str) -> bool:
        """Whether `name`, or `distribution/name`, means this one; distributions are compared as PEP 503 says."""
        distribution, _, bare = name.rpartition("/")
        ours = canonicalize_name(self.distribution)
        return self.component.name == bare and canonicalize_name(distribution) in ("", ours)


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """`reason`: in one line what broke, at which stage."""

    plugin: str
    distribution: str
    reason: str
    traceback: str


@dataclass
class Plugins:
    """All that was discovered. `components` are in discovery order, our own distribution first."""

    components: list[Registered] = field(default_factory=list)
    failures: list[PluginFailure] = field(default_factory=list)

    def of_kind(self, kind: Kind) -> list[Registered]:
        return [registered for registered in self.components if registered.kind == kind]

    def get(self, kind: Kind, name: str) -> Registered:
        """The component of that kind called `name`, or `distribution/name`; without a distribution, the first that
        registered the name owns it. Raises PluginError: there is none; it may have been a failed plugin's."""
        for registered in self.of_kind(kind):
            if registered.called(name):
                return registered
        known = [registered.component.name for registered in self.of_kind(kind)]
        failed = "".join(f"; plugin {f.plugin!r} of {f.distribution} failed: {f.reason}" for f in self.failures)
        raise PluginError(f"no {kind} is called {name!r}{nearest(name.rpartition('/')[2], known)}{failed}")

    def load(self, kind: Kind, name: str) -> Any:
        """What a component's target names, imported now: its class, or its function. Raises PluginError: unknown name,
        missing requirement (with the command that installs it), or an import that broke (its cause chained)."""
        registered = self.get(kind, name)
        if missing := [need for need in registered.component.requires if not is_met(need)]:
            mend = f"install with: pip install {_extra(registered, missing)}"
            raise PluginError(f"{kind} {name!r} needs {', '.join(missing)}; {mend}")
        where = f"{kind} {name!r}: {registered.component.target}"
        found = _imported(registered.component.target, where, HEAVY)
        function = kind in ("command", "check", "measure")
        fits, what = (callable(found), "function") if function else (isinstance(found, type), "class")
        if not fits:
            raise PluginError(f"{where} is {type(found).__name__}, not a {what}")
        return found

    def settings(self, kind: Kind, name: str) -> "type[Settings] | None":
        """What the component takes as settings, where its registration says so. Raises PluginError, as `load` does."""
        from rr.protocols import Settings  # here, for `rr --help` needs none of this

        declared = self.get(kind, name).component.settings
        if not declared:
            return None
        where = f"{kind} {name!r}: settings {declared}"
        found = _imported(declared, where)
        if not (isinstance(found, type) and issubclass(found, Settings)):
            raise PluginError(f"{where} is no subclass of rr.Settings")
        return found


def discover(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Loads every plugin of the group `rr.plugins` (or the entry points given) and collects its components."""
    border().check()  # a value that cannot be read is the user's mistake, no plugin's
    given, nobody = entry_points(group=GROUP) if points is None else points, {"Name": "unknown", "Version": "unknown"}
    told = [(point, getattr(point.dist, "metadata", nobody)) for point in given]
    found = [(point, about["Name"], about["Version"]) for point, about in told]
    chosen = {name.strip() for name in os.environ.get("RR_PLUGINS", "").split(",") if name.strip()}
    for unknown in sorted(chosen - {point.name for point, _, _ in found}):
        near = nearest(unknown, [point.name for point, _, _ in found])
        raise PluginError(f"RR_PLUGINS names {unknown!r}, which is not installed{near}")
    plugins = Plugins()
    for point, origin, release in sorted(found, key=lambda one: (one[1] != OURS, one[1], one[0].name)):
        if not chosen or point.name in chosen or (origin, point.name) == (OURS, "measures"):
            _register(plugins, point, origin, release)
    return plugins


installed_plugins = functools.cache(discover)
"""`discover()`, once a process."""


def _register(plugins: Plugins, point: EntryPoint, distribution: str, release: str) -> None:
    """Adds what one plugin offers: all of it, but for names that are taken, or nothing."""
    who = f"plugin {point.name!r} of {distribution}"
    try:
        with plugin_code("import failed", passing=()):
            plugin = border().in_time(f"importing {who}", partial(_loaded, point), 1.0)
        with plugin_code("registration failed", passing=()):
            rows = border().in_time(f"registering {who}", partial(registered_rows, plugin), 1.0)
    except PluginError as error:
        if os.environ.get("RR_STRICT") == "1":
            raise PluginError(f"{who}: {error}") from error.__cause__
        trace = "".join(traceback.format_exception(error.__cause__ or error))
        plugins.failures.append(PluginFailure(point.name, distribution, str(error), trace))
        return
    taken = []
    for kind, component in rows:
        owners = {one.distribution: one for one in plugins.of_kind(kind) if one.component.name == component.name}
        whose, already = f"{kind} {component.name!r} of {distribution} is already", owners.get(distribution)
        if already:
            taken.append(f"{whose} that of its plugin {already.plugin!r}; rename one of them")
            continue
        if owners:
            full = f"{distribution}/{component.name}"
            taken.append(f"{whose} registered by {next(iter(owners))}; write {full!r} for this one")
        plugins.components.append(Registered(component, kind, point.name, distribution, release))
    if taken:
        reason = "; ".join(taken)
        plugins.failures.append(PluginFailure(point.name, distribution, reason, f"{who}: {reason}\n"))


def _loaded(point: EntryPoint) -> object:
    if not EntryPoint.pattern.match(point.value):
        raise PluginError(f"its entry point {point.value!r} is not 'module' or 'module:object'")
    return point.load()


def _imported(target: str, where: str, factor: float = 1.0) -> Any:
    module, _, attribute = target.partition(":")
    with plugin_code(f"{where} cannot be imported"):
        return border().in_time(f"importing {where}", lambda: getattr(import_module(module), attribute), factor)


def _extra(registered: Registered, missing: list[str]) -> str:
    """What brings them: an extra of the distribution that has them all, its plugin's if there is a choice; or they."""
    wanted, extras = {canonicalize_name(Requirement(need).name) for need in missing}, []
    with suppress(PackageNotFoundError):
        found = metadata(registered.distribution)
        needs = [Requirement(line) for line in found.get_all("Requires-Dist") or ()]
        for extra in found.get_all("Provides-Extra") or ():
            brought = {canonicalize_name(n.name) for n in needs if n.marker and n.marker.evaluate({"extra": extra})}
            if wanted <= brought:
                named = canonicalize_name(extra) == canonicalize_name(registered.plugin)
                extras.append((not named, len(brought), extra))
    if extras:
        return f"'{registered.distribution}[{min(extras)[2]}]'"
    return " ".join(f"'{need}'" if set(need) & set("<>[]; ") else need for need in missing)


def is_met(need: str) -> bool:
    """Whether a requirement is met, or does not concern this machine."""
    requirement = Requirement(need)
    elsewhere = requirement.marker is not None and not requirement.marker.evaluate()
    with suppress(PackageNotFoundError):
        return elsewhere or requirement.specifier.contains(version(requirement.name), prereleases=True)
    return False
