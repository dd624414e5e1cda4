"""From a registry entry to a loaded reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rr.artefacts import fingerprint
from rr.errors import PluginError, RerankError, ScoringError
from rr.gate import checked_info, within_scale
from rr.hookspecs import Kind
from rr.isolation import plugin_code
from rr.keys import component_key, settings_files
from rr.plugins import Plugins, Registered
from rr.protocols import ModelInfo, Reranker, Settings
from rr.rerank.compose import compose
from rr.rerank.sort import one_each, with_ties
from rr.rerank.untouched import untouched
from rr.schema import RerankerEntry
from rr.types import Ranking, Request, Scores, checked_scores, float32
from rr.validation import validated


@dataclass(frozen=True)
class Resolved:
    """An entry whose component was found and whose settings were checked; nothing is loaded yet."""

    name: str
    entry: RerankerEntry
    target: Any
    settings: Settings
    registered: Registered | None = None

    def fingerprint(self) -> str:
        """A hash of the entry, of the weights and files that it names, and of what computes: the code behind it, the
        releases that it needs, and the device.

        Raises:
            PluginError: nothing tells which files the code is made of.
        """
        return fingerprint(
            {
                **component_key(self.target, self.registered, engines_of(self.settings)),
                "settings": self.settings.model_dump(mode="json"),
                "weights": weights_of(self.settings),
                "files": settings_files(self.settings),
                "window": [self.entry.beyond, self.entry.window, self.entry.stride],
                "permutations": [self.entry.permutations, self.entry.permutation],
            }
        )


def resolve(plugins: Plugins, name: str, entry: RerankerEntry) -> Resolved:
    """Finds the component of an entry and checks its settings.

    Raises:
        PluginError: the component does not exist or cannot be imported.
        RegistryError: its settings are wrong.
    """
    kind: Kind = "scorer" if entry.scorer is not None else "reranker"
    component = str(entry.scorer or entry.reranker)
    target = plugins.load(kind, component)
    settings = checked_settings(target, entry.settings, f"reranker {name!r}: settings")
    return Resolved(name, entry, target, settings, plugins.get(kind, component))


def checked_settings(target: Any, values: dict[str, Any], where: str) -> Settings:
    """The settings of a component's class, checked; a class without `Settings` takes none."""
    model = settings_model(target)
    with plugin_code(f"{where} cannot be checked"):
        settings = validated(model, values, where)
        settings.model_dump(mode="json")  # as every key of theirs is made
        return settings


def weights_of(settings: Settings) -> str:
    """`settings.weights()`: the hash of the weights that they name.

    Raises:
        PluginError: it broke, or gave no text.
    """
    where = f"{target_name(type(settings))}.weights()"
    with plugin_code(where):
        found: object = settings.weights()
    if not isinstance(found, str):
        raise PluginError(f"{where} gave {type(found).__name__}, not text")
    return found


def engines_of(settings: Settings) -> tuple[str, ...]:
    """`settings.engines()`: the distributions that compute with them.

    Raises:
        PluginError: it broke, or gave no names.
    """
    where = f"{target_name(type(settings))}.engines()"
    with plugin_code(where):
        found: object = settings.engines()
        if not isinstance(found, list | tuple) or not all(isinstance(name, str) for name in found):
            raise PluginError(f"{where} gave {found!r}, not names of distributions")
    return tuple(found)


def reference_of(settings: Settings) -> Settings:
    """`settings.reference()`: those that these approximate.

    Raises:
        RerankError: there are none, or it broke.
    """
    where = f"{target_name(type(settings))}.reference()"
    with plugin_code(where):
        found: object = settings.reference()
    if not isinstance(found, type(settings)):
        raise PluginError(f"{where} gave {type(found).__name__}, not {type(settings).__name__}")
    return found


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
    return checked_settings(load_trainer(plugins, resolved), resolved.entry.training, where)


def target_name(target: Any) -> str:
    """A component's class as its registration spells it: `module:Class`."""
    return f"{target.__module__}:{target.__qualname__}"


def settings_model(target: Any) -> type[Settings]:
    """What a component's class takes as settings.

    Raises:
        PluginError: its `Settings` are of another kind than this package's.
    """
    model: Any = getattr(target, "Settings", Settings)
    if not (isinstance(model, type) and issubclass(model, Settings)):
        raise PluginError(f"{target_name(target)}.Settings is no subclass of rr.Settings")
    return model


def load_reranker(resolved: Resolved, checkpoint: Path | None) -> Reranker:
    """Loads the component, and wraps a scorer into the generic reranker that fits it.

    Raises:
        PluginError: construction broke (its cause is chained), or the entry asks of the scorer what it cannot take.
    """
    component, entry = load_component(resolved, checkpoint), resolved.entry
    if entry.reranker is not None:
        reranker: Reranker = Checked(component)
    else:
        reranker = compose(component, entry.window, entry.stride, entry.beyond, entry.permutations, entry.permutation)
    if reranker.info.state == "trained" and checkpoint is None and not weights_of(resolved.settings):
        raise PluginError(
            f"reranker {resolved.name!r} says that it is trained, but was given no checkpoint and its settings name no "
            "weights: correct info.state, or let Settings.weights() return their hash"
        )
    return reranker


def load_component(resolved: Resolved, checkpoint: Path | None) -> Any:
    """The entry's own scorer or reranker, with nothing around it but the border to a plugin's code.

    Raises:
        PluginError: construction broke (its cause is chained), or made nothing that scores or reranks.
    """
    with plugin_code(f"reranker {resolved.name!r} cannot be loaded"):
        component = Isolated(resolved.target(resolved.settings, checkpoint))
        method = "score" if resolved.entry.scorer is not None else "rerank"
        if not callable(getattr(component, method, None)):
            raise PluginError(f"reranker {resolved.name!r}: {target_name(resolved.target)} has no method {method!r}")
    component.info  # noqa: B018 - now, for nothing that it says can be told without it
    return component


class Isolated:
    """A plugin's component, whose `info` and `export` run as plugin code. Its `score` and `rerank` run as such where
    their answers are checked: `rr.rerank.sort.score_all` and `Checked`."""

    def __init__(self, component: Any) -> None:
        self._component = component

    @property
    def info(self) -> ModelInfo:
        where = f"{target_name(type(self._component))}.info"
        with plugin_code(where):
            found: object = self._component.info
        return checked_info(found, where)

    def export(self, out: Path) -> None:
        with plugin_code(f"{target_name(type(self._component))}.export"):
            self._component.export(out)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._component, name)


class Checked:
    """A plugin's own reranker behind the same gate as everyone's scores."""

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker

    @property
    def info(self) -> ModelInfo:
        return self._reranker.info

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        # the whole of it: an answer may be computed as it is read
        with untouched(requests), plugin_code("rerank failed"):
            answer = self._reranker.rerank(list(requests))  # a list that it may empty
            rankings = one_each(answer, len(requests), "reranker", "rankings for")
            return [self._checked(request, ranking) for request, ranking in zip(requests, rankings, strict=True)]

    def _checked(self, request: Request, ranking: Ranking) -> Ranking:
        if not isinstance(ranking, Ranking):
            raise ScoringError(
                f"query {request.query.id!r}: the reranker answered {type(ranking).__name__}, not Ranking"
            )
        if ranking.query.id != request.query.id:
            raise ScoringError(
                f"query {request.query.id!r}: the reranker answered query {ranking.query.id!r} in its place"
            )
        ranked = [item.document.id for item in ranking.items]
        asked = {document.id for document in request.candidates}
        if len(set(ranked)) != len(ranked) or set(ranked) != asked:
            raise ScoringError(
                f"query {request.query.id!r}: the ranking holds {len(ranked)} documents ({len(set(ranked))} distinct, "
                f"{len(set(ranked) & asked)} of them candidates) for {len(asked)} candidates; rank each once"
            )
        scores, keys = ranking.scores, ranking.run
        values = tuple(scores[document.id] for document in request.candidates)
        within_scale(request, values, self.info)
        ranked_by = None if keys == scores else tuple(keys[document.id] for document in request.candidates)
        answer = checked_scores(request, Scores(values, ranking.diagnostics, ranked_by))
        held = float32(keys[id_] for id_ in ranked)
        if any(later > earlier for earlier, later in pairwise(held)):
            raise ScoringError(
                f"query {request.query.id!r}: the ranking's documents are not in the order of their scores; "
                "higher is better, best first"
            )
        return Ranking.from_scores(request, with_ties(answer))
