"""The trainer of an entry."""

from __future__ import annotations

from typing import Any

from rr.errors import RerankError
from rr.protocols import Settings
from rr.registry.plugins import Plugins
from rr.registry.resolve import checked_settings
from rr_bench.resolve import Resolved


def load_trainer(plugins: Plugins, resolved: Resolved) -> Any:
    """The class of the entry's trainer.

    Raises:
        RerankError: the entry has none, or it cannot be imported.
    """
    if resolved.entry.trainer is None:
        raise RerankError(f"reranker {resolved.name!r} has no trainer; add 'trainer:' to its registry entry")
    return plugins.load("trainer", resolved.entry.trainer)


def training_settings(plugins: Plugins, resolved: Resolved) -> Settings:
    """The entry's `training:`, checked by its trainer."""
    where = f"reranker {resolved.name!r}: training"
    load_trainer(plugins, resolved)
    return checked_settings(plugins, "trainer", str(resolved.entry.trainer), resolved.entry.training, where)
