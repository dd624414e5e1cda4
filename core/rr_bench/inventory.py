"""What `rr list` shows: every name of a profile with its component, read without loading any of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from rr.registry.plugins import Plugins, Registered
from rr_bench.conformance import last_conformance
from rr_bench.entries import Failure, all_entries, checked, failing_datasets
from rr_bench.members import Part, told
from rr_bench.registry import Registry


@dataclass(frozen=True, slots=True)
class Item:
    """`api`: the `rr.API` that the component was written for. `capabilities`: what it said of itself when `rr check`
    last asked; `checked`: what that found."""

    name: str
    component: str = ""
    trainer: str = ""
    distribution: str = ""
    summary: str = ""
    failure: str = ""
    traceback: str = ""
    kind: str = ""
    version: str = ""
    licence: str = ""
    api: int | None = None
    capabilities: dict[str, Any] = field(default_factory=dict)
    checked: str = ""

    def as_dict(self, verbose: bool = False) -> dict[str, Any]:
        """`verbose`: with the traceback of what failed."""
        return {key: value for key, value in asdict(self).items() if verbose or key != "traceback"}


def inventory(registry: Registry, plugins: Plugins, profile: str | None) -> list[Item]:
    """One item for everything that a bench of all would compare, and for each data set that it could not."""
    items = []
    for name, part in checked(all_entries(registry, plugins, profile), registry, plugins, profile).items():
        if isinstance(part, Failure):
            items.append(Item(name, failure=part.reason, traceback=part.traceback))
        else:
            items.append(item_of(plugins, part))
    suite = registry.suite(registry.profile(profile).suite)
    for name, reason in failing_datasets(plugins, suite).items():
        items.append(Item(name, suite.datasets[name].reader, failure=reason, kind="reader"))
    return items


def item_of(plugins: Plugins, part: Part) -> Item:
    """
    Raises:
        PluginError: no component is called as the entry says.
    """
    entry = part.entry
    if entry.composed is not None:
        return Item(part.name, entry.composed, summary=entry.summary or told(part), kind=entry.composed)
    found, last = plugins.get(*entry.component), last_conformance(plugins, entry)
    return Item(
        part.name,
        entry.component[1],
        entry.trainer or "",
        found.distribution,
        entry.summary or found.component.summary,
        kind=found.kind,
        version=found.version,
        licence=licence(found),
        api=found.component.api,
        capabilities=dict(last.capabilities) if last else {},
        checked=str(last) if last else "",
    )


def licence(registered: Registered) -> str:
    """As its distribution states it: an SPDX expression, an older field, or a classifier; else empty."""
    try:
        told = metadata(registered.distribution)
    except PackageNotFoundError:
        return ""
    for field_name in ("License-Expression", "License"):
        for said in told.get_all(field_name) or ():
            if len(said.splitlines()) == 1:
                return str(said)
    return ", ".join(
        line.rpartition("::")[2].strip() for line in told.get_all("Classifier") or () if line.startswith("License ::")
    )
