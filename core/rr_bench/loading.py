"""From a resolved entry to a loaded reranker, whose answers are checked as everyone's are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from rr.border import plugin_code
from rr.errors import NotApplicableError, PluginError, RerankError, ScoringError
from rr.protocols import ModelInfo, Reranker, Settings
from rr.registry.resolve import target_name
from rr.rerank import compose
from rr.rerank.gate import checked_info, one_each, with_ties, within_scale
from rr.rerank.sort import Window
from rr.types import Ranking, Request, Scores, checked_scores, float32
from rr_bench.permute import Permute
from rr_bench.resolve import Resolved
from rr_bench.tournament import Tournament


def load_reranker(resolved: Resolved, checkpoint: Path | None) -> Reranker:
    """Loads the component, and wraps a scorer into the generic reranker that fits it. Raises PluginError: construction
    broke (its cause is chained), or the entry asks of the scorer what it cannot take."""
    component, entry = load_component(resolved, checkpoint), resolved.entry
    if entry.reranker is not None:
        reranker: Reranker = Checked(component)
    else:
        scorer = component if entry.permutations < 2 else Permute(component, entry.permutations, entry.permutation)
        reranker = compose(scorer, entry.window, entry.stride)
        if entry.beyond == "tournament" and isinstance(reranker, Window) and reranker.size:
            reranker = Tournament(scorer, reranker.size)
    if reranker.info.state == "trained" and checkpoint is None and not told(resolved.settings, "weights"):
        raise PluginError(
            f"reranker {resolved.name!r} says that it is trained, but was given no checkpoint and its settings name no "
            "weights: correct info.state, or let Settings.weights() return their hash"
        )
    return reranker


def load_component(resolved: Resolved, checkpoint: Path | None) -> Any:
    """The entry's own scorer or reranker, with nothing around it but the border to a plugin's code. Raises PluginError:
    construction broke (its cause is chained), or made nothing that scores or reranks."""
    with naming(resolved), plugin_code(f"reranker {resolved.name!r} cannot be loaded"):
        component = Isolated(resolved.target(resolved.settings, checkpoint))
        method = "score" if resolved.entry.scorer is not None else "rerank"
        if not callable(getattr(component, method, None)):
            raise PluginError(f"reranker {resolved.name!r}: {target_name(resolved.target)} has no method {method!r}")
    component.info  # noqa: B018 - now, for nothing that it says can be told without it
    return component


@contextmanager
def naming(resolved: Resolved) -> Iterator[None]:
    """An error of ours that comes of the block names the entry: a plugin knows its model, and not for whom it is."""
    entry = f"reranker {resolved.name!r}"
    try:
        yield
    except NotApplicableError:  # no fault of the entry
        raise
    except RerankError as error:
        if entry not in str(error):
            error.args = (f"{entry}: {error}", *error.args[1:])
        raise


def told(settings: Settings, method: str) -> str:
    """What `settings.weights()` or `.version()` says, and that it is text."""
    where = f"{target_name(type(settings))}.{method}()"
    with plugin_code(where):
        found: object = getattr(settings, method)()
    if not isinstance(found, str):
        raise PluginError(f"{where} gave {type(found).__name__}, not text")
    return found


class Isolated:
    """A plugin's component, whose `info` and `export` run as plugin code. Its `score` and `rerank` run as such where
    their answers are checked: `rr.rerank.gate.score_all` and `Checked`."""

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
        with plugin_code("rerank failed", shown=requests):
            answer = self._reranker.rerank(list(requests))  # a list that it may empty
            rankings = one_each(answer, len(requests), "reranker", "rankings for")
            return [self._checked(request, ranking) for request, ranking in zip(requests, rankings, strict=True)]

    def _checked(self, request: Request, ranking: Ranking) -> Ranking:
        where = f"query {request.query.id!r}: the reranker answered"
        if not isinstance(ranking, Ranking):
            raise ScoringError(f"{where} {type(ranking).__name__}, not Ranking")
        if ranking.query.id != request.query.id:
            raise ScoringError(f"{where} query {ranking.query.id!r} in its place")
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
