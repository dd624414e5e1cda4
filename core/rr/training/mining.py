"""Hard negatives mined from the train split, without those that are likely unjudged positives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from rr.errors import PluginError
from rr.protocols import Corpus, Named, Settings
from rr.registry.plugins import installed_plugins
from rr.registry.validation import validated
from rr.rerank.gate import score_all
from rr.spec import Kind
from rr.training.negatives import first_stage_scores, hard_negatives
from rr.types import Dataset, Request, checked_scores

FIRST_STAGE = "first-stage"
Scores = Mapping[str, float]  # document id → score


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
        return () if self.negatives == FIRST_STAGE else (self.named(),)

    def named(self) -> Named:
        retrieves = any(one.called(self.negatives) for one in installed_plugins().of_kind("retriever"))
        found: Kind = "retriever" if retrieves else "scorer"
        return Named(self.negatives_kind or found, self.negatives, self.negatives_settings)


@dataclass(frozen=True)
class Mined:
    """`pools`: train query → ids of its hard negatives, hardest first. `notes`: what was dropped, in one line."""

    pools: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def mine(dataset: Dataset, settings: MiningSettings) -> Mined:
    """Raises PluginError: nothing is called `negatives`, or it cannot score a query's candidates at once;
    RegistryError: `negatives_settings` are not those of what is called so."""
    scores = _scores(dataset, settings)
    margins = settings.absolute_margin is not None or settings.relative_margin is not None
    pools, dropped = dict[str, tuple[str, ...]](), 0
    for query_id in dataset.splits["train"]:
        found = scores[query_id]
        limit = _limit(dataset, query_id, found, settings) if margins else math.inf
        near = {id_: score for id_, score in found.items() if score <= limit}
        negatives = hard_negatives(dataset, query_id, settings.hard_neg_top_k, near)
        pools[query_id] = tuple(negative.document_id for negative in negatives)
        kept = {*near, *pools[query_id], *dataset.relevant(query_id)}
        dropped += sum(id_ not in kept for id_ in found)
    left, bare = sum(map(len, pools.values())), sum(not pool for pool in pools.values())
    told = f"{dropped} dropped as possible unjudged positives, {left} left for {len(pools)} queries"
    return Mined(pools, (f"hard negatives: {told}, {bare} of which have none",) if margins else ())


def _limit(dataset: Dataset, query_id: str, found: Scores, settings: MiningSettings) -> float:
    """The score above which nothing is a negative. To be on the safe side, that of the worst positive found counts;
    where none was found, they all stand below what was, and everything is dropped."""
    worst = min((found[id_] for id_ in dataset.relevant(query_id) if id_ in found), default=-math.inf)
    margin = max(settings.absolute_margin or 0.0, abs(worst) * (settings.relative_margin or 0.0))
    return worst if worst == -math.inf else worst - margin


def _scores(dataset: Dataset, settings: MiningSettings) -> dict[str, Scores]:
    """The scores of the documents found, for each train query."""
    named, where = settings.named(), f"negatives {settings.negatives!r}: negatives_settings"
    queries = [dataset.queries[query_id] for query_id in dataset.splits["train"]]
    if named.name == FIRST_STAGE:
        validated(Settings, dict(named.settings), where)
        return {query.id: first_stage_scores(dataset, query.id) for query in queries}
    component = named.load(where)
    if named.kind == "retriever":
        train = tuple((query, tuple(sorted(dataset.relevant(query.id)))) for query in queries)
        component.fit(Corpus(tuple(dataset.documents.values()), train))
        found = [dict(component.scores(query)) for query in queries]
    else:  # with the positives, whose scores the margins are taken from
        found = [dict.fromkeys(sorted({*dataset.candidates[q.id], *dataset.relevant(q.id)}), 0.0) for q in queries]
    asked = [Request(q, tuple(map(dataset.documents.__getitem__, ids))) for q, ids in zip(queries, found, strict=True)]
    if named.kind == "retriever":
        answers = [checked_scores(r, tuple(one.values())) for r, one in zip(asked, found, strict=True)]
    else:
        if (limit := component.info.max_candidates) is not None:
            raise PluginError(f"negatives {named.name!r} takes only {limit} candidates at once; name another")
        answers = score_all(component, asked)
    return {q.id: dict(zip(ids, a.values, strict=True)) for q, ids, a in zip(queries, found, answers, strict=True)}
