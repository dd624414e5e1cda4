"""What `rr list` shows: every name of a profile with its component, read without loading any of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rr.registry.plugins import Plugins
from rr_bench.entries import Failure, all_entries, checked, failing_datasets
from rr_bench.members import told
from rr_bench.registry import Registry


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    component: str = ""
    trainer: str = ""
    distribution: str = ""
    summary: str = ""
    failure: str = ""
    traceback: str = ""

    def as_dict(self, verbose: bool = False) -> dict[str, str]:
        """`verbose`: with the traceback of what failed."""
        return {key: value for key, value in asdict(self).items() if verbose or key != "traceback"}


def inventory(registry: Registry, plugins: Plugins, profile: str | None) -> list[Item]:
    """One item for everything that a bench of all would compare, and for each data set that it could not."""
    items = []
    for name, part in checked(all_entries(registry, plugins, profile), registry, plugins, profile).items():
        if isinstance(part, Failure):
            items.append(Item(name, failure=part.reason, traceback=part.traceback))
            continue
        entry = part.entry
        if entry.composed is not None:
            items.append(Item(name, entry.composed, summary=entry.summary or told(part)))
            continue
        found = plugins.get(*entry.component)
        summary = entry.summary or found.component.summary
        items.append(Item(name, entry.component[1], entry.trainer or "", found.distribution, summary))
    suite = registry.suite(registry.profile(profile).suite)
    for name, reason in failing_datasets(plugins, suite).items():
        items.append(Item(name, suite.datasets[name].reader, failure=reason))
    return items
