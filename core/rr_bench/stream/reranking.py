"""A run part by part: what is read of it, and the lines that come of that. A part is plain data in between, so that it
can be scored anywhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rr.data.rows import Row
from rr.types import Request, lost_in_32_bits, trec_order
from rr_bench.api import NamedReranker
from rr_bench.moving import Moving
from rr_bench.parts import cut
from rr_bench.stream.lookup import Lookup
from rr_bench.stream.runs import read_run, run_lines, scores


@dataclass(frozen=True)
class Candidates:
    """A query's best documents, by their ids, and the first stage's scores of them. `place`: where they stand in the
    run, if 32 bits cannot tell some scores of the query apart."""

    query: str
    documents: tuple[str, ...]
    scores: tuple[float, ...]
    place: str = ""


@dataclass(frozen=True)
class Lines:
    """Of the reranked run; `queries`: of how many; `empty`: those of which nothing is left."""

    text: str
    queries: int
    empty: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reranking:
    """What is asked of `rr_bench.stream.batch.rerank_run`: plain data."""

    run: str
    data: str
    depth: int | None
    min_probability: float | None
    tag: str

    def parts(self, done: int) -> Iterator[list[Candidates]]:
        """Those of the run behind its first `done` queries, cut as the score store cuts."""
        blocks = islice(read_run(Path(self.run)), done, None)
        return cut(map(self._candidates, blocks), lambda one: len(one.documents))

    def _candidates(self, block: Sequence[Row]) -> Candidates:
        found = scores(block)
        best = tuple(trec_order(found)[: self.depth])
        place = f"{block[0].file}, {block[0].at}" if lost_in_32_bits(found.values()) else ""
        return Candidates(block[0].id("query"), best, tuple(found[id_] for id_ in best), place)


def reranked(
    reranker: NamedReranker,
    part: Sequence[Candidates],
    documents: Lookup,
    queries: Lookup,
    task: Reranking,
    moving: Moving | None = None,
) -> Lines:
    """`moving`: who is told how far it is.

    Raises:
        RerankError: as `NamedReranker.rerank_all`.
    """
    requests = [_request(one, documents, queries) for one in part]
    with moving.through(requests, reranker.info.listwise) if moving is not None else nullcontext():
        rankings = reranker.rerank_all(requests, min_probability=task.min_probability)
    empty = tuple(ranking.query.id for ranking in rankings if not ranking.items)
    return Lines("".join(run_lines(ranking, task.tag) for ranking in rankings), len(part), empty)


def _request(one: Candidates, documents: Lookup, queries: Lookup) -> Request:
    query = queries.query(one.query)
    if one.place:
        logging.getLogger("rr").warning(
            "%s: query %r has scores that 32 bits cannot tell apart; they count as tied, as in trec_eval",
            *(one.place, query.id),
        )
    return Request(query, tuple(map(documents.document, one.documents)), one.scores)
