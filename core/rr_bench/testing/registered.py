"""Subjects of what distributions register: an entry's component, any component, a plugin as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from packaging.utils import canonicalize_name

from rr.errors import RerankError
from rr.protocols import Settings
from rr.registry.plugins import GROUP, Plugins, Registered
from rr.registry.resolve import checked_settings
from rr_bench.entries import trainer_of
from rr_bench.resolve import Resolved
from rr_bench.testing.subject import Subject
from rr_bench.train.trainers import load_trainer, training_settings


def subject_of_entry(plugins: Plugins, resolved: Resolved) -> Subject:
    """What an entry names, with the trainer that it names.

    Raises:
        RerankError: the trainer cannot be imported, or its settings are wrong.
    """
    kind, _ = resolved.entry.component
    found = Subject(
        resolved.name,
        kind,
        resolved.target,
        resolved.settings,
        registered=resolved.registered,
        point=None if resolved.registered is None else point_of(resolved.registered),
        plugins=plugins,
    )
    if resolved.entry.trainer is None:
        return found
    return replace(
        found,
        trainer=load_trainer(plugins, resolved),
        training=training_settings(plugins, resolved),
        registered_trainer=plugins.get("trainer", resolved.entry.trainer),
    )


def subject_of_registered(
    plugins: Plugins,
    registered: Registered,
    options: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Subject:
    """A component with these settings, a scorer with the trainer that says it trains it. A trainer is asked about with
    its scorer: that is the subject then.

    Raises:
        RerankError: it cannot be imported (its plugin can be asked about all the same: `subject_of_plugin`), its
            settings are wrong, or it is a trainer that names no scorer.
    """
    name = full_name(registered)
    if registered.kind == "trainer":
        if not registered.component.trains:
            raise RerankError(f"trainer {name!r} names no scorer that loads what it writes; say trains=NAME")
        scorer = plugins.get("scorer", registered.component.trains)
        return _taught(plugins, subject_of_registered(plugins, scorer, options), registered, training)
    target = plugins.load(registered.kind, name)
    settings = checked_settings(plugins, registered.kind, name, dict(options or {}), f"{registered.kind} {name!r}")
    found = Subject(
        registered.component.name,
        registered.kind,
        target,
        settings,
        registered=registered,
        point=point_of(registered),
        plugins=plugins,
    )
    trainer = trainer_of(plugins, registered) if registered.kind == "scorer" else None
    return found if trainer is None else _taught(plugins, found, plugins.get("trainer", trainer), training)


def _taught(plugins: Plugins, scorer: Subject, trainer: Registered, training: Mapping[str, Any] | None) -> Subject:
    name = full_name(trainer)
    return replace(
        scorer,
        trainer=plugins.load("trainer", name),
        training=checked_settings(plugins, "trainer", name, dict(training or {}), f"trainer {name!r}"),
        registered_trainer=trainer,
    )


def subject_of_plugin(point: EntryPoint) -> Subject:
    """A plugin as such, all of whose components are looked at; one that cannot be imported, too."""
    return Subject(point.name, "plugin", object, Settings(), point=point)


def installed_points() -> Iterator[EntryPoint]:
    """Every plugin that is installed, those that fail included."""
    yield from entry_points(group=GROUP)


def point_of(registered: Registered) -> EntryPoint | None:
    """The entry point of the plugin that registers it; None where it is not installed (a test made it up)."""
    ours = canonicalize_name(registered.distribution)
    for point in installed_points():
        if point.name == registered.plugin and point.dist is not None and canonicalize_name(point.dist.name) == ours:
            return point
    return None


def full_name(registered: Registered) -> str:
    return f"{registered.distribution}/{registered.component.name}"
