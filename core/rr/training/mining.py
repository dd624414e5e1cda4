"""Hard negatives mined from the train split, without those that are likely unjudged positives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from rr.errors import PluginError
from rr.protocols import Corpus, Named, Settings
from rr.registry.plugins import installed_plugins
from rr.registry.resolve import checked_settings
from rr.registry.validation import validated
from rr.spec import Kind
from rr.training.negatives import first_stage_scores, hard_negatives
from rr.types import Dataset, Query, Request, checked_scores

FIRST_STAGE = "first-stage"

Scores = Mapping[str, float]
"""Document id → score."""


class MiningSettings(Settings):
    """What every trainer that mines can be told. The two margins are those of sentence-transformers'
    `mine_hard_negatives`; documents that a data set names as hard negatives are always kept."""

    negatives: str = FIRST_STAGE
    """What finds hard negatives: first-stage (the data set's candidates), the name of an installed retriever (bm25,
    tfidf), which searches the whole corpus, or that of an installed scorer, which scores the candidates."""
    negatives_kind: Literal["retriever", "scorer"] | None = None
    """Which of the two is meant; null: the retriever, where one is called so."""
    negatives_settings: Mapping[str, Any] = Field(default_factory=dict)
    """Of that retriever or scorer."""
    hard_neg_top_k: int = Field(100, gt=0)
    """The hardest of a query, among which to draw."""
    absolute_margin: float | None = Field(None, ge=0)
    """What scores more than a positive's score minus this is no negative: it may be an unjudged positive."""
    relative_margin: float | None = Field(None, ge=0)
    """Likewise, as a share of the positive's score. 0.05 is the "95 % of the positive" of NV-Retriever
    (https://arxiv.org/abs/2407.15831)."""

    def components(self) -> tuple[Named, ...]:
        return () if self.negatives == FIRST_STAGE else (_named(self),)


@dataclass(frozen=True)
class Mined:
    """`pools`: train query → ids of its hard negatives, hardest first. `notes`: what was dropped, in one line."""

    pools: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def mine(dataset: Dataset, settings: MiningSettings) -> Mined:
    """
    Raises:
        PluginError: nothing is called `negatives`, or it cannot score a query's candidates at once.
        RegistryError: `negatives_settings` are not those of what is called so.
    """
    scores = _scores(dataset, settings)
    margins = settings.absolute_margin is not None or settings.relative_margin is not None
    pools: dict[str, tuple[str, ...]] = {}
    dropped = 0
    for query_id in dataset.splits["train"]:
        found = scores[query_id]
        limit = _limit(dataset, query_id, found, settings) if margins else math.inf
        near = {id_: score for id_, score in found.items() if score <= limit}
        negatives = hard_negatives(dataset, query_id, settings.hard_neg_top_k, near)
        pools[query_id] = tuple(negative.document_id for negative in negatives)
        kept = {*near, *pools[query_id], *dataset.relevant(query_id)}
        dropped += sum(id_ not in kept for id_ in found)
    left, bare = sum(map(len, pools.values())), sum(not pool for pool in pools.values())
    told = (
        f"hard negatives: {dropped} dropped as possible unjudged positives, {left} left for {len(pools)} queries, "
        f"{bare} of which have none"
    )
    return Mined(pools, (told,) if margins else ())


def _limit(dataset: Dataset, query_id: str, found: Scores, settings: MiningSettings) -> float:
    """The score above which nothing is a negative. To be on the safe side, that of the worst positive found counts;
    where none was found, they all stand below what was, and everything is dropped."""
    worst = min((found[id_] for id_ in dataset.relevant(query_id) if id_ in found), default=-math.inf)
    if worst == -math.inf:
        return worst
    return worst - max(settings.absolute_margin or 0.0, abs(worst) * (settings.relative_margin or 0.0))


def _scores(dataset: Dataset, settings: MiningSettings) -> dict[str, Scores]:
    """The scores of the documents found, for each train query."""
    name, where = settings.negatives, f"negatives {settings.negatives!r}: negatives_settings"
    queries = [dataset.queries[query_id] for query_id in dataset.splits["train"]]
    if name == FIRST_STAGE:
        validated(Settings, dict(settings.negatives_settings), where)
        return {query.id: first_stage_scores(dataset, query.id) for query in queries}
    kind = _named(settings).kind
    plugins = installed_plugins()
    component = plugins.load(kind, name)
    checked = checked_settings(plugins, kind, name, dict(settings.negatives_settings), where)
    if kind == "retriever":
        retriever = component(checked)
        train = tuple((query, tuple(sorted(dataset.relevant(query.id)))) for query in queries)
        retriever.fit(Corpus(tuple(dataset.documents.values()), train))
        return {query.id: retriever.scores(query) for query in queries}
    scorer = component(checked, None)
    if scorer.info.max_candidates is not None:
        raise PluginError(
            f"negatives {name!r} takes only {scorer.info.max_candidates} candidates at once; name another"
        )
    requests = [_request(dataset, query) for query in queries]
    answers = scorer.score(requests)
    return {
        request.query.id: dict(
            zip((d.id for d in request.candidates), checked_scores(request, answer).values, strict=True)
        )
        for request, answer in zip(requests, answers, strict=True)
    }


def _named(settings: MiningSettings) -> Named:
    found: Kind = "retriever" if installed_plugins().has("retriever", settings.negatives) else "scorer"
    kind = settings.negatives_kind or found
    return Named(kind, settings.negatives, settings.negatives_settings)


def _request(dataset: Dataset, query: Query) -> Request:
    """The query with its candidates, and with its positives, whose scores the margins are taken from."""
    ids = sorted({*dataset.candidates[query.id], *dataset.relevant(query.id)})
    return Request(query, tuple(dataset.documents[id_] for id_ in ids))
