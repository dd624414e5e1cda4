"""How well settings that approximate (fewer bits, another engine) agree with the ones that they approximate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from scipy.stats import kendalltau, spearmanr

from rr.border import plugin_code
from rr.errors import PluginError, RerankError
from rr.protocols import Settings
from rr.registry.resolve import target_name
from rr.types import Ranking, Request, Scale
from rr_bench.api import NamedReranker
from rr_bench.loading import load_reranker


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of ranks. 1: the same order; 0 where either side ties everything, which agrees with no order."""

    spearman: float
    kendall: float
    """Tau-b."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """An entry's scores of the same requests as its reference's."""

    queries: int
    pairs: int
    scale: Scale
    largest: float
    """The largest absolute difference between the two scores of a pair, on that scale."""
    overall: Correlation
    """Over all pairs."""
    within: Correlation | None
    """The means over the queries that the reference does not tie altogether; None where there is no such query."""
    changed_top: int
    """Queries that have another best candidate."""
    seconds: float
    reference_seconds: float


def verify(named: NamedReranker, requests: Sequence[Request]) -> Agreement:
    """Scores the requests with the loaded entry, and with the same weights under its settings' `reference()`.

    Raises:
        RerankError: the settings have no reference, it scores on another scale, or there is nothing to score.
        ScoringError: an answer that cannot be ranked.
    """
    exact = replace(named.resolved, settings=reference_of(named.resolved.settings))
    asked = [request for request in requests if request.candidates]
    if not asked:
        raise RerankError("no query has candidates to score; name another data set with --dataset")
    reference = replace(named, reranker=load_reranker(exact, named.checkpoint.folder if named.checkpoint else None))
    if named.info.scale != reference.info.scale:
        scales = f"{named.info.scale}, its reference's {reference.info.scale}"
        raise RerankError(f"{named.name!r}: its scores are {scales}; Settings.reference() must keep the scale")
    rankings, seconds = _ranked(named, asked)
    expected, reference_seconds = _ranked(reference, asked)
    found, wanted = _scores(rankings, asked), _scores(expected, asked)
    pairs = [
        (ours, theirs)
        for one, other in zip(found, wanted, strict=True)
        for ours, theirs in zip(one, other, strict=True)
    ]
    inside = [_correlation(one, other) for one, other in zip(found, wanted, strict=True) if len(set(other)) > 1]
    tops = zip(rankings, expected, strict=True)
    return Agreement(
        queries=len(asked),
        pairs=len(pairs),
        scale=named.info.scale,
        largest=max(abs(ours - theirs) for ours, theirs in pairs),
        overall=_correlation(*zip(*pairs, strict=True)),
        within=Correlation(fmean(c.spearman for c in inside), fmean(c.kendall for c in inside)) if inside else None,
        changed_top=sum(one.items[0].document.id != other.items[0].document.id for one, other in tops),
        seconds=seconds,
        reference_seconds=reference_seconds,
    )


def _ranked(named: NamedReranker, requests: Sequence[Request]) -> tuple[Sequence[Ranking], float]:
    named.rerank_all(requests[:1])  # the first call of a model allocates and compiles: not the price of a query
    started = time.perf_counter()
    rankings = named.rerank_all(requests)
    return rankings, time.perf_counter() - started


def _scores(rankings: Sequence[Ranking], requests: Sequence[Request]) -> list[list[float]]:
    """A query's scores in the order of its candidates."""
    return [
        [scores[document.id] for document in request.candidates]
        for scores, request in zip((ranking.scores for ranking in rankings), requests, strict=True)
    ]


def _correlation(left: Sequence[float], right: Sequence[float]) -> Correlation:
    if len(set(left)) == 1 or len(set(right)) == 1:
        return Correlation(0.0, 0.0)
    return Correlation(float(spearmanr(left, right).statistic), float(kendalltau(left, right).statistic))


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
