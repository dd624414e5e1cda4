"""Reranking a file into a file, resumable, with any reranker of the registry: a run of any size from disk to disk, or
requests as JSON lines."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rr.data.files import checked_file
from rr.errors import RerankError
from rr.files import file_sha256, fingerprint
from rr_bench.api import NamedReranker
from rr_bench.calibrate.probable import Empty, are_places, gives_probabilities
from rr_bench.moving import Moving
from rr_bench.progress import SILENT, Progress
from rr_bench.stream.lookup import Lookup, collection
from rr_bench.stream.partial import partial
from rr_bench.stream.places import Place, stored_places
from rr_bench.stream.requests import Placed, to_json
from rr_bench.stream.reranking import Lines, Reranking, reranked
from rr_bench.stream.runs import must_be_writable, read_run, scores
from rr_bench.stream.spread import Spread

SAVE_SECONDS = 1.0
"""How long answers to requests wait to be flushed to disk, which takes milliseconds, together."""


def rerank_run(
    reranker: NamedReranker,
    run: Path,
    data: Path,
    out: Path,
    depth: int | None = None,
    progress: Progress = SILENT,
    min_probability: float | None = None,
    spread: Spread | None = None,
) -> None:
    """Reranks the run's best `depth` documents of each query (all if None) and writes them, and no others, to `out`,
    as a run tagged with the reranker's name; with `min_probability` those of at least that probability. Texts are those
    of `data` (`rr_bench.stream.lookup.collection`). The candidates are shown in the run's order, best first, with its
    scores as those of the first stage.

    The run is checked before anything is scored. It is worked through in the parts of the score store, which a kill
    leaves behind, so that the same call goes on and ends with the same bytes as one that nothing interrupted. `spread`:
    who scores them, if it is not this process.

    Raises:
        DataError: a file is malformed, or the run names a query or a document that does not exist.
        RerankError: `out` exists, or holds other work that was interrupted.
        ScoringError: the model's answer cannot be ranked. What was finished is kept.
    """
    checked_file(run)
    with collection(data, progress) as (documents, queries):
        sources = [file_sha256(run), documents.fingerprint, queries.fingerprint]
        with progress.task(f"checking {run.name}", None):
            total = _checked(run, sources, documents, queries)
        tag = "-".join(reranker.name.split())  # a column may hold no blank
        key = [reranker.fingerprint(), tag, sources, depth, *_probability_key(reranker, min_probability)]
        with partial(out, fingerprint(key)) as work:
            with progress.task(f"reranking with {reranker.name}", total) as advance:
                advance(work.done)
                task = Reranking(str(run.absolute()), str(data.absolute()), depth, min_probability, tag)
                moving = Moving(advance)
                made: Iterator[Lines] = (
                    (reranked(reranker, part, documents, queries, task, moving) for part in task.parts(work.done))
                    if spread is None
                    else spread.parts(task, work.done, reranker.fingerprint())
                )
                empty = Empty(min_probability)
                for lines in made:
                    work.append(lines.text, lines.queries)
                    empty.add(lines.queries, lines.empty)
                    moving.finish(lines.queries)
            work.publish()
            empty.tell()


def rerank_requests(
    reranker: NamedReranker,
    asked: Sequence[Placed],
    out: Path,
    progress: Progress = SILENT,
    min_probability: float | None = None,
) -> None:
    """Writes the rankings of requests to `out` as JSON lines. What is finished survives a kill (but for its last
    second) and an error, and the same call goes on from there.

    Raises:
        RerankError: `out` exists, or holds other work that was interrupted.
        ScoringError: the model's answer to a request cannot be ranked; its place is named.
    """
    key = [reranker.fingerprint(), [asdict(one.request) for one in asked], *_probability_key(reranker, min_probability)]
    with partial(out, fingerprint(key)) as work:
        with progress.task(f"reranking with {reranker.name}", len(asked)) as advance:
            advance(work.done)
            fresh: list[str] = []
            try:
                saved = time.monotonic()
                for line in answers(reranker, asked[work.done :], min_probability):
                    fresh.append(line)
                    advance(1)
                    if time.monotonic() - saved >= SAVE_SECONDS:
                        work.append("".join(fresh), len(fresh))
                        fresh, saved = [], time.monotonic()
            except RerankError as error:
                done = work.done + len(fresh)
                raise type(error)(f"{error}; {done} answers before it are kept in {work.folder}") from error
            finally:
                if fresh:
                    work.append("".join(fresh), len(fresh))
        work.publish()


def answers(reranker: NamedReranker, asked: Iterable[Placed], min_probability: float | None = None) -> Iterator[str]:
    """The rankings of requests as JSON lines, each as soon as it is made. Behind the last it is told how many of them
    `min_probability` has left empty.

    Raises:
        ScoringError: the model's answer to a request cannot be ranked; its place is named.
        PluginError: the model broke; likewise.
    """
    empty, probable = Empty(min_probability), gives_probabilities(reranker, min_probability)
    for one in asked:
        try:
            (ranking,) = reranker.rerank_all([one.request], min_probability=min_probability)
        except RerankError as error:
            query = f"query {one.request.query.id!r}: "
            raise type(error)(f"{one.place}, {query}{str(error).removeprefix(query)}") from error
        empty.count([ranking])
        # places of many candidates have no probability
        told = probable and (min_probability is not None or not are_places(ranking))
        yield to_json(ranking, reranker.probabilities(ranking) if told else None) + "\n"
    empty.tell()


def _probability_key(reranker: NamedReranker, least: float | None) -> list[Any]:
    """What an output depends on besides the scores."""
    if not gives_probabilities(reranker, least):
        return []
    return [least, asdict(reranker.calibration) if reranker.calibration else None]


def _checked(run: Path, sources: list[str], documents: Lookup, queries: Lookup) -> int:
    """How many queries the run holds. That it was found good is kept, so that it is checked once.

    Raises:
        DataError: a line is malformed, a query or document does not exist, a query is blank, a document comes twice,
            or the lines of a query do not stand together.
    """

    def places() -> Iterator[Place]:
        for place, block in enumerate(read_run(run), 1):
            query_id = block[0].reference("query", queries, "query")
            queries.query(query_id)
            for row in block:
                row.reference("document", documents, "document")
                must_be_writable(row)
            scores(block)
            line = re.match(r"line (\d+)", block[0].at)  # of one JSON object, there is none
            yield query_id, int(line[1]) if line else place, 0  # the offset: a run is read from its beginning

    def scattered(query_id: str, first: int) -> str:
        mend = f"bring its lines together: LC_ALL=C sort -k1,1 -s {shlex.quote(str(run))}"
        return f"query {query_id!r} came already in line {first}, with others between; {mend}"

    with closing(stored_places(run, sources, places, scattered)) as found:
        return len(found)
