"""Which rerankers a bench compares: those of the profile, and whatever else is installed."""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rr.errors import PluginError, RerankError, nearest
from rr.registry.plugins import OURS, Plugins, Registered
from rr.registry.resolve import checked_settings
from rr.spec import Kind
from rr_bench.members import Part, of_member, part_of
from rr_bench.one_line import one_line, proposal
from rr_bench.registry import DatasetEntry, Registry, Suite
from rr_bench.schema import RerankerEntry

Asked = tuple[Kind, str, dict[str, Any], str]
"""A component by kind and name, what is given as its settings, and under which key."""


@dataclass(frozen=True, slots=True)
class Failure:
    """In the place of an entry that cannot be used: why, on one line, and the traceback."""

    reason: str
    traceback: str


def all_entries(registry: Registry, plugins: Plugins, profile: str | None) -> dict[str, RerankerEntry | Failure]:
    """All that a bench of the profile compares: its entries; a default entry for every scorer and reranker of another
    distribution that no entry of the registry names (ours are in the packaged registry, and whoever writes a registry
    of their own leaves them out on purpose); and the reason of each plugin that failed."""
    names = registry.profile(profile).rerankers or tuple(registry.rerankers)
    entries: dict[str, RerankerEntry | Failure] = {name: registry.reranker(name, profile) for name in names}
    used = {name for entry in registry.rerankers.values() for name in (entry.scorer, entry.reranker)}
    for registered in plugins.components:
        if registered.kind not in ("scorer", "reranker") or registered.distribution == OURS:
            continue
        if not any(registered.called(name) for name in used if name):
            bare = registered.component.name
            entries[f"{registered.distribution}/{bare}" if bare in entries else bare] = _default(plugins, registered)
    for failure in plugins.failures:
        label = failure.plugin if failure.plugin not in entries else f"{failure.distribution}/{failure.plugin}"
        reason = f"plugin {failure.plugin!r} of {failure.distribution}: {failure.reason}"
        entries[label] = Failure(reason, failure.traceback)
    return entries


def chosen_entries(
    registry: Registry, plugins: Plugins, profile: str | None, names: Sequence[str]
) -> dict[str, Part | Failure]:
    """The entries called `names`, those of other profiles included; all of the profile if none is named.

    Raises:
        RerankError: a name does not exist.
    """
    entries = all_entries(registry, plugins, profile)
    if names:
        entries = {name: find_entry(registry, plugins, profile, name, entries) for name in names}
    return checked(entries, registry, plugins, profile)


def chosen_entry(registry: Registry, plugins: Plugins, profile: str | None, name: str) -> Part | Failure:
    """Likewise, of one name."""
    return chosen_entries(registry, plugins, profile, [name])[name]


def find_entry(
    registry: Registry,
    plugins: Plugins,
    profile: str | None,
    name: str,
    entries: Mapping[str, RerankerEntry | Failure] | None = None,
) -> RerankerEntry | Failure:
    """What the name means: an entry of the registry, of whatever profile; or a component that is installed, by its own
    name where nothing else has it, else by `distribution/name`; or `COMPONENT:MODEL`. `entries`: those of the profile,
    if they are at hand.

    Raises:
        RerankError: nothing is called so.
    """
    if name in registry.rerankers:
        return registry.reranker(name, profile)
    entries = all_entries(registry, plugins, profile) if entries is None else entries
    if name in entries:
        return entries[name]
    for registered in plugins.components:
        if "/" in name and registered.kind in ("scorer", "reranker") and registered.called(name):
            return _default(plugins, registered)
    if (entry := one_line(plugins, name)) is not None:
        return entry
    line = proposal(plugins, name)
    mend = nearest(name, [*entries, *registry.rerankers]) if line is None else f"; {line}"
    raise RerankError(f"no reranker is called {name!r}{mend}")


def _default(plugins: Plugins, registered: Registered) -> RerankerEntry:
    """The entry of a component that the registry does not name."""
    trainer = trainer_of(plugins, registered) if registered.kind == "scorer" else None
    full = f"{registered.distribution}/{registered.component.name}"
    return RerankerEntry.model_validate({registered.kind: full, "trainer": trainer})


def usable(registry: Registry, plugins: Plugins, profile: str | None, name: str) -> RerankerEntry:
    """As `find_entry`; a RerankError, too, where its plugin failed."""
    entry = find_entry(registry, plugins, profile, name)
    if isinstance(entry, Failure):
        raise RerankError(entry.reason)
    return entry


def whole(registry: Registry, plugins: Plugins, profile: str | None, name: str, entry: RerankerEntry) -> Part:
    """The entry with those that it is made of. Raises RegistryError: these do not fit."""
    return part_of(name, entry, functools.partial(usable, registry, plugins, profile))


def checked(
    entries: Mapping[str, RerankerEntry | Failure], registry: Registry, plugins: Plugins, profile: str | None
) -> dict[str, Part | Failure]:
    """The entries with those that they are made of, or the reason in the place of each that is seen to fail before
    anything is loaded."""
    found: dict[str, Part | Failure] = {}
    for name, entry in entries.items():
        if isinstance(entry, Failure):
            found[name] = entry
        else:
            try:
                found[name] = part = whole(registry, plugins, profile, name, entry)
                for leaf in part.leaves:
                    with of_member(leaf, part):
                        check_entry(plugins, leaf.name, leaf.entry)
            except RerankError as error:
                if os.environ.get("RR_STRICT") == "1":
                    raise
                found[name] = Failure(str(error), traceback.format_exc())
    return found


def check_entry(plugins: Plugins, name: str, entry: RerankerEntry) -> None:
    """Checks all of an entry that can be checked without loading anything heavy.

    Raises:
        PluginError: a component does not exist, or its trainer is for another scorer.
        RegistryError: settings that its components' registrations name a class of are wrong.
    """
    kind, component = entry.component
    asked: list[Asked] = [(kind, component, entry.settings, "settings")]
    if entry.trainer is not None:
        asked.append(("trainer", entry.trainer, entry.training, "training"))
        trains = plugins.get("trainer", entry.trainer).component.trains
        if trains and not plugins.get(kind, component).called(trains):
            raise PluginError(f"reranker {name!r}: trainer {entry.trainer!r} trains {trains!r}, not {component!r}")
    _check_settings(plugins, f"reranker {name!r}", asked)


def check_dataset(plugins: Plugins, name: str, entry: DatasetEntry) -> None:
    """Checks all of a data set's entry that can be checked without loading anything heavy.

    Raises:
        PluginError: its reader or its retriever does not exist.
        RegistryError: their options are wrong, where their registrations name a class of settings.
    """
    plan = entry.candidates
    asked: list[Asked] = [
        ("reader", entry.reader, entry.options, "options"),
        ("retriever", plan.retriever, plan.options, "candidates.options"),
    ]
    _check_settings(plugins, f"data set {name!r}", asked)


def _check_settings(plugins: Plugins, who: str, asked: Sequence[Asked]) -> None:
    for kind, called, values, section in asked:
        if plugins.settings(kind, called) is not None:
            checked_settings(plugins, kind, called, values, f"{who}: {section}")


def failing_datasets(plugins: Plugins, suite: Suite) -> dict[str, str]:
    """Name → reason, of the data sets that are seen to fail before anything is read."""
    found = {}
    for name, entry in suite.datasets.items():
        try:
            check_dataset(plugins, name, entry)
        except RerankError as error:
            found[name] = str(error)
    return found


def trainer_of(plugins: Plugins, scorer: Registered) -> str | None:
    """The trainer that says it trains this scorer, as `distribution/name`; one of its own distribution first."""
    trainers = plugins.of_kind("trainer")
    found = [one for one in trainers if one.component.trains and scorer.called(one.component.trains)]
    found.sort(key=lambda one: one.distribution != scorer.distribution)
    return f"{found[0].distribution}/{found[0].component.name}" if found else None
