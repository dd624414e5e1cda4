"""From a registry entry to a loaded reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rr.artefacts import code_fingerprint, fingerprint
from rr.errors import PluginError, RerankError, ScoringError
from rr.plugins import Plugins, summary
from rr.protocols import ModelInfo, Reranker, Settings
from rr.rerank.compose import compose
from rr.rerank.sort import with_ties
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

    def fingerprint(self) -> str:
        """A hash of the entry, of the weights that it names and of the code behind it."""
        return fingerprint(
            {
                "component": target_name(self.target),
                "settings": self.settings.model_dump(mode="json"),
                "weights": self.settings.weights(),
                "window": [self.entry.beyond, self.entry.window, self.entry.stride],
                "permutations": [self.entry.permutations, self.entry.permutation],
                "code": [code_fingerprint("rr"), code_fingerprint(self.target.__module__.partition(".")[0])],
            }
        )


def resolve(plugins: Plugins, name: str, entry: RerankerEntry) -> Resolved:
    """Finds the component of an entry and checks its settings.

    Raises:
        PluginError: the component does not exist or cannot be imported.
        RegistryError: its settings are wrong.
    """
    if entry.scorer is not None:
        target = plugins.load("scorer", entry.scorer)
    else:
        target = plugins.load("reranker", str(entry.reranker))
    return Resolved(name, entry, target, checked_settings(target, entry.settings, f"reranker {name!r}: settings"))


def checked_settings(target: Any, values: dict[str, Any], where: str) -> Settings:
    """The settings of a component's class, checked; a class without `Settings` takes none."""
    return validated(settings_model(target), values, where)


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
    """What a component's class takes as settings."""
    model: type[Settings] = getattr(target, "Settings", Settings)
    return model


def load_reranker(resolved: Resolved, checkpoint: Path | None) -> Reranker:
    """Loads the component, and wraps a scorer into the generic reranker that fits it.

    Raises:
        PluginError: construction broke (its cause is chained), or the entry asks of the scorer what it cannot take.
    """
    component, entry = load_component(resolved, checkpoint), resolved.entry
    if entry.reranker is not None:
        return Checked(component)
    return compose(component, entry.window, entry.stride, entry.beyond, entry.permutations, entry.permutation)


def load_component(resolved: Resolved, checkpoint: Path | None) -> Any:
    """The entry's own scorer or reranker, with nothing around it.

    Raises:
        PluginError: construction broke (its cause is chained).
    """
    try:
        return resolved.target(resolved.settings, checkpoint)
    except RerankError:
        raise
    except Exception as error:
        raise PluginError(f"reranker {resolved.name!r} cannot be loaded: {summary(error)}") from error


class Checked:
    """A plugin's own reranker behind the same gate as everyone's scores."""

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker

    @property
    def info(self) -> ModelInfo:
        return self._reranker.info

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        with untouched(requests):
            rankings = list(self._reranker.rerank(requests))
        if len(rankings) != len(requests):
            raise ScoringError(f"the reranker gave {len(rankings)} rankings for {len(requests)} requests")
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
        ranked_by = None if keys == scores else tuple(keys[document.id] for document in request.candidates)
        answer = checked_scores(request, Scores(values, ranking.diagnostics, ranked_by))
        held = float32(keys[id_] for id_ in ranked)
        if any(later > earlier for earlier, later in pairwise(held)):
            raise ScoringError(
                f"query {request.query.id!r}: the ranking's documents are not in the order of their scores; "
                "higher is better, best first"
            )
        return Ranking.from_scores(request, with_ties(answer))
