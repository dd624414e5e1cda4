"""Scores on disk: computed once for the same weights, settings, code and data, in parts that are whole or absent.

A killed bench resumes at the part that is missing. Parts always cut the requests at the same places, so that a
resumed run batches, and therefore scores, as an uninterrupted one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rr.artefacts import fingerprint, home, write_atomic
from rr.protocols import ModelInfo, Reranker
from rr.types import Request

PART_PAIRS = 2_000
"""How many (query, document) pairs a part holds, more only where one query alone has more."""


@dataclass(frozen=True)
class Answer:
    """A reranker's run of one query (document id → what it is ordered by) with its diagnostics."""

    scores: Mapping[str, float]
    diagnostics: Mapping[str, float]


@dataclass(frozen=True)
class Scored:
    """Query id → answer. `seconds` is what scoring took when it was computed; `stored`: all of it was on disk."""

    answers: Mapping[str, Answer]
    info: ModelInfo
    seconds: float
    stored: bool


def score(
    reranker: Callable[[], Reranker], key: object, requests: Sequence[Request], advance: Callable[[int], None]
) -> Scored:
    """The answers for all requests, from disk where they are there. `key`: all that determines them besides the
    reranker's input. `reranker` loads it, and is called only if something is missing."""
    folder = home() / "scores" / fingerprint(key)[:32]
    answers: dict[str, Answer] = {}
    seconds, computed = 0.0, 0
    info: dict[str, Any] = {}
    for number, part in enumerate(parts(requests)):
        path = folder / f"part-{number:05d}.json"
        if not path.is_file():
            loaded = reranker()
            if not computed:
                loaded.rerank(part[:1])  # the first call of a model allocates and compiles: not the price of a query
            computed += 1
            _write(path, loaded, part)
        content = json.loads(path.read_text(encoding="utf-8"))
        seconds += content["seconds"]
        info = content["info"]
        answers.update({q: Answer(row["scores"], row["diagnostics"]) for q, row in content["queries"].items()})
        advance(len(part))
    return Scored(answers, ModelInfo(**{**info, "notes": tuple(info["notes"])}), seconds, not computed)


def parts(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """The requests in order, cut wherever a part would exceed `PART_PAIRS` pairs; one part at a time is in memory."""
    part: list[Request] = []
    pairs = 0
    for request in requests:
        if part and pairs + len(request.candidates) > PART_PAIRS:
            yield part
            part, pairs = [], 0
        part.append(request)
        pairs += len(request.candidates)
    if part:
        yield part


def _write(path: Path, reranker: Reranker, part: Sequence[Request]) -> None:
    started = time.perf_counter()
    rankings = reranker.rerank(part)
    seconds = time.perf_counter() - started
    rows = {
        request.query.id: {"scores": ranking.run, "diagnostics": dict(ranking.diagnostics)}
        for request, ranking in zip(part, rankings, strict=True)
    }
    content = {"info": asdict(reranker.info), "seconds": seconds, "queries": rows}
    write_atomic(path, json.dumps(content, ensure_ascii=False))
