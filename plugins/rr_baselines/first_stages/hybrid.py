"""Several first stages as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rr import Corpus, Query, Searches
from rr_baselines.first_stages.best import best_first
from rr_baselines.settings import HybridSettings


class Hybrid:
    """Reciprocal rank fusion (Cormack, Clarke & Büttcher 2009): the sum of 1 / (k + rank) over the members that have
    the document among their best `depth`. They may be any retrievers of any plugin."""

    Settings = HybridSettings

    def __init__(self, settings: HybridSettings) -> None:
        self._k, self._depth = settings.k, settings.depth
        self._members: list[Any] = [
            named.load(f"hybrid: options of member {named.name!r}") for named in settings.components()
        ]
        self.learns = any(member.learns for member in self._members)

    def fit(self, corpus: Corpus) -> None:
        for member in self._members:
            member.fit(corpus)

    def scores(self, query: Query) -> dict[str, float]:
        return self._fused([member.scores(query) for member in self._members])

    def search(self, queries: Sequence[Query], depth: int) -> Iterable[dict[str, float]]:
        """All that is found, whatever `depth` is: no member gives more than its best."""
        for answers in zip(*(self._answers(member, queries) for member in self._members), strict=True):
            yield self._fused(answers)

    def _answers(self, member: Any, queries: Sequence[Query]) -> Iterable[Mapping[str, float]]:
        if isinstance(member, Searches):
            return member.search(queries, self._depth)
        return map(member.scores, queries)

    def _fused(self, answers: Sequence[Mapping[str, float]]) -> dict[str, float]:
        fused: dict[str, float] = {}
        for answer in answers:
            for rank, id_ in enumerate(best_first(answer)[: self._depth], 1):
                fused[id_] = fused.get(id_, 0.0) + 1 / (self._k + rank)
        return fused
