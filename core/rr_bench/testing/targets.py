"""What `rr check` is asked about by name: plugins, entries of the registry, data sets, components of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rr.border import plugin_code
from rr.errors import NotApplicableError, RerankError, nearest
from rr.registry.plugins import Plugins, Registered
from rr.registry.resolve import settings_model
from rr.spec import Kind
from rr_bench.conformance import capabilities, keep_conformance
from rr_bench.entries import Failure, all_entries, find_entry, whole
from rr_bench.members import Part
from rr_bench.registry import DatasetEntry, Registry
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.testing.asked import run_checks
from rr_bench.testing.check import Outcome
from rr_bench.testing.registered import (
    full_name,
    installed_points,
    subject_of_entry,
    subject_of_plugin,
    subject_of_registered,
)
from rr_bench.testing.subject import Subject
from rr_bench.train.trainers import training_settings

LOADED = "can-be-loaded"
"""Not a check, but what comes before all of them."""
EPOCHS = 2
"""That a trainer of an entry is asked for, at most; a stop in the midst of one needs a second step."""


@dataclass(frozen=True)
class Target:
    """`subject` raises RerankError where the thing cannot even be made. `entry`: what is kept of it is kept under.
    `components`: those of its kind that it uses."""

    name: str
    kind: str
    plugins: Plugins
    subject: Callable[[], Subject]
    entry: RerankerEntry | None = None
    components: tuple[str, ...] = ()

    def outcomes(self) -> Iterator[Outcome]:
        """Asks each check, as the generator is read; what is found of an entry is kept at the end."""
        try:
            subject = self.subject()
        except NotApplicableError as why:
            yield Outcome(LOADED, "not applicable", str(why))
            return
        except RerankError as error:
            yield Outcome(LOADED, "broken", str(error))
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
            with plugin_code("it cannot be loaded"):
                said = capabilities(subject.info)
        except RerankError:  # a check has said so
            said = {}
        assert self.entry is not None
        keep_conformance(self.plugins, self.entry, len(asked), [one.check for one in asked if one.bad], said)


def all_targets(registry: Registry, plugins: Plugins, profile: str | None) -> list[Target]:
    """Every plugin that is installed, those that fail too; every entry of the profile; every data set of its suite; and
    what other components there are."""
    points = [Target(point.name, "plugin", plugins, partial(subject_of_plugin, point)) for point in installed_points()]
    entries: list[Target] = []
    for name, entry in all_entries(registry, plugins, profile).items():
        for target in _of_entry(registry, plugins, profile, name, entry):
            if not any(target.entry is not None and _alike(target.entry, one.entry) for one in entries):
                entries.append(replace(target, subject=partial(_without_plugin, target.subject)))
    suite = registry.suite(registry.profile(profile).suite)
    datasets = [one for name, entry in suite.datasets.items() for one in _of_dataset(plugins, name, entry)]
    used = {(one.kind, name) for one in (*entries, *datasets) for name in one.components}
    others = [
        Target(full_name(one), one.kind, plugins, partial(_by_default, plugins, one))
        for one in plugins.components
        if one.kind in ("scorer", "reranker", "reader", "retriever") and not _is_used(one, used)
    ]
    return [*points, *entries, *datasets, *others]


def _is_used(one: Registered, used: Iterable[tuple[str, str]]) -> bool:
    return any(kind == one.kind and one.called(name) for kind, name in used)


def _without_plugin(subject: Callable[[], Subject]) -> Subject:
    """Its plugin is asked about by itself."""
    return replace(subject(), point=None)


def _by_default(plugins: Plugins, one: Registered) -> Subject:
    """The component with the defaults of all its settings. Raises NotApplicableError: one of them has none."""
    fields = settings_model(plugins, one.kind, full_name(one)).model_fields
    missing = [name for name, field in fields.items() if field.is_required()]
    if missing:
        mend = f"rr check {one.component.name}:MODEL" if missing == ["model"] else "name what sets it"
        raise NotApplicableError(f"nothing here uses it, and its setting {missing[0]!r} has no default; {mend}")
    return _without_plugin(partial(subject_of_registered, plugins, one))


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
            partial(_of_part, plugins, part),
            part.entry,
            (part.entry.component[1],),
        )
        for part in parts
    ]


def _of_part(plugins: Plugins, part: Part) -> Subject:
    """What a trainer does shows in a few epochs, of the many that it may need to learn."""
    entry = part.entry
    if entry.trainer is not None:
        epochs = getattr(training_settings(plugins, resolve(plugins, part.name, entry)), "epochs", None)
        if isinstance(epochs, int) and epochs > EPOCHS:
            entry = entry.overridden({"training": {"epochs": EPOCHS}}, part.name)
    return subject_of_entry(plugins, resolve(plugins, part.name, entry))


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
        Target(f"{entry.reader} of {name}", "reader", plugins, reads, components=(entry.reader,)),
        Target(f"{plan.retriever} of {name}", "retriever", plugins, finds, components=(plan.retriever,)),
    ]


def _alike(entry: RerankerEntry, other: RerankerEntry | None) -> bool:
    """Whether the checks find the same of both: they differ in the checkpoint at most."""
    keys = ("component", "settings", "trainer", "training")
    return other is not None and all(getattr(entry, key) == getattr(other, key) for key in keys)
