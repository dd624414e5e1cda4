"""What `rr check` is asked about by name: plugins, entries of the registry, data sets, components of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rr.errors import RerankError, nearest
from rr.registry.plugins import Plugins
from rr.registry.resolve import resolve
from rr.registry.schema import RerankerEntry
from rr.spec import Kind
from rr_bench.conformance import capabilities, keep_conformance
from rr_bench.entries import Failure, all_entries, find_entry, whole
from rr_bench.registry import DatasetEntry, Registry
from rr_bench.testing.asked import run_checks
from rr_bench.testing.check import Outcome
from rr_bench.testing.registered import installed_points, subject_of_entry, subject_of_plugin, subject_of_registered
from rr_bench.testing.subject import Subject


@dataclass(frozen=True)
class Target:
    """`subject` raises RerankError where the thing cannot even be made. `entry`: what is kept of it is kept under."""

    name: str
    kind: str
    plugins: Plugins
    subject: Callable[[], Subject]
    entry: RerankerEntry | None = None

    def outcomes(self) -> Iterator[Outcome]:
        """Asks each check, as the generator is read; what is found of an entry is kept at the end."""
        try:
            subject = self.subject()
        except RerankError as error:
            yield Outcome("can-be-loaded", "broken", str(error))
            return
        found = []
        for outcome in run_checks(subject):
            found.append(outcome)
            yield outcome
        if self.entry is not None:
            self._keep(subject, found)

    def _keep(self, subject: Subject, outcomes: Sequence[Outcome]) -> None:
        asked = [one for one in outcomes if one.verdict != "not applicable"]
        try:
            said = capabilities(subject.info)
        except RerankError:  # a check has said so
            said = {}
        assert self.entry is not None
        keep_conformance(self.plugins, self.entry, len(asked), [one.check for one in asked if one.bad], said)


def all_targets(registry: Registry, plugins: Plugins, profile: str | None) -> list[Target]:
    """Every plugin that is installed, those that fail too; every entry of the profile; every data set of its suite."""
    found = [Target(point.name, "plugin", plugins, partial(subject_of_plugin, point)) for point in installed_points()]
    seen: list[tuple[object, ...]] = []
    for name, entry in all_entries(registry, plugins, profile).items():
        for target in _of_entry(registry, plugins, profile, name, entry):
            asked = () if target.entry is None else _asked(target.entry)
            if not asked or asked not in seen:  # `head-base` is `head` without a checkpoint
                found.append(target)
                seen.append(asked)
    suite = registry.suite(registry.profile(profile).suite)
    return [*found, *(one for name, entry in suite.datasets.items() for one in _of_dataset(plugins, name, entry))]


def named_targets(registry: Registry, plugins: Plugins, profile: str | None, names: Iterable[str]) -> list[Target]:
    """
    Raises:
        RerankError: nothing is called so.
    """
    return [target for name in names for target in _named(registry, plugins, profile, name)]


def _named(registry: Registry, plugins: Plugins, profile: str | None, name: str) -> list[Target]:
    """What `rr list` shows under the name, else the data set, the plugin, or the component of some kind."""
    datasets = {key: entry for suite in registry.suites.values() for key, entry in suite.datasets.items()}
    points = {point.name: point for point in installed_points()}
    others = [one for one in plugins.components if one.kind in ("trainer", "reader", "retriever") and one.called(name)]
    try:
        return _of_entry(registry, plugins, profile, name, find_entry(registry, plugins, profile, name))
    except RerankError as error:
        if name in datasets:
            return _of_dataset(plugins, name, datasets[name])
        if name in points:
            return [Target(name, "plugin", plugins, partial(subject_of_plugin, points[name]))]
        if others:
            return [Target(name, one.kind, plugins, partial(subject_of_registered, plugins, one)) for one in others]
        known = [*registry.rerankers, *datasets, *points, *(one.component.name for one in plugins.components)]
        raise RerankError(f"nothing is called {name!r}{nearest(name, known)}; rr list shows what there is") from error


def _of_entry(
    registry: Registry, plugins: Plugins, profile: str | None, name: str, entry: RerankerEntry | Failure
) -> list[Target]:
    """The entry, or those that it is made of; one that failed says why."""
    if isinstance(entry, Failure):
        return [Target(name, "reranker", plugins, partial(_failed, entry.reason))]
    parts = whole(registry, plugins, profile, name, entry).leaves
    return [
        Target(
            part.name,
            part.entry.component[0],
            plugins,
            lambda part=part: subject_of_entry(plugins, resolve(plugins, part.name, part.entry)),  # type: ignore[misc]
            part.entry,
        )
        for part in parts
    ]


def _failed(reason: str) -> Subject:
    raise RerankError(reason)


def _of_dataset(plugins: Plugins, name: str, entry: DatasetEntry) -> list[Target]:
    """Its reader and its retriever, with the options that it gives them."""
    plan = entry.candidates

    def made(kind: Kind, called: str, options: dict[str, object]) -> Subject:
        return subject_of_registered(plugins, plugins.get(kind, called), options)

    reads = partial(made, "reader", entry.reader, entry.options)
    finds = partial(made, "retriever", plan.retriever, plan.options)
    return [
        Target(f"{entry.reader} of {name}", "reader", plugins, reads),
        Target(f"{plan.retriever} of {name}", "retriever", plugins, finds),
    ]


def _asked(entry: RerankerEntry) -> tuple[object, ...]:
    """What decides what the checks find; entries that differ in the checkpoint alone are asked once."""
    return entry.component, entry.settings, entry.trainer, entry.training
