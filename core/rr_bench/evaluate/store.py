"""Scores on disk: computed once for the same weights, settings, code and data, in parts that are whole or absent.

A killed bench resumes at the part that is missing. Parts always cut the requests at the same places, so that a
resumed run batches, and therefore scores, as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rr.files import fingerprint, home
from rr.protocols import ModelInfo, Reranker
from rr.rerank.gate import checked_info
from rr.types import Ranking, Request
from rr_bench.evaluate.company import same_in_company
from rr_bench.keeping import read_checked, write_checked
from rr_bench.parts import parts


@dataclass(frozen=True)
class Answer:
    """A reranker's run of one query (document id → what it is ordered by) with its diagnostics."""

    scores: Mapping[str, float]
    diagnostics: Mapping[str, float]


@dataclass(frozen=True)
class Scored:
    """Query id → answer. `stored`: all of it was on disk."""

    answers: Mapping[str, Answer]
    info: ModelInfo
    stored: bool


def score(
    reranker: Callable[[], Reranker], key: object, requests: Sequence[Request], advance: Callable[[int], None]
) -> Scored:
    """The answers for all requests, from disk where they are there. `key`: all that determines them besides the
    reranker's input. `reranker` loads it, and is called only if something is missing."""
    folder = home() / "scores" / fingerprint(key)[:32]
    answers: dict[str, Answer] = {}
    computed = 0
    info: dict[str, Any] = {}
    for number, part in enumerate(parts(requests)):
        path = folder / f"part-{number:05d}.json"
        content = read_checked(path, _part_key(key, number))
        if content is None:
            loaded = reranker()
            alone = loaded.rerank(part[:1]) if not computed else ()
            computed += 1
            content = _answers(loaded, part, alone)
            write_checked(path, _part_key(key, number), content)
        info = content["info"]
        answers.update({q: Answer(row["scores"], row["diagnostics"]) for q, row in content["queries"].items()})
        advance(len(part))
    return Scored(answers, ModelInfo(**{**info, "notes": tuple(info["notes"])}), not computed)


def _part_key(key: object, number: int) -> str:
    """What a part says that it is, so that no other one is taken for it."""
    return f"part {number} of {fingerprint(key)}"


def _answers(reranker: Reranker, part: Sequence[Request], alone: Sequence[Ranking]) -> dict[str, Any]:
    """What a part holds: JSON-able. `alone`: the rankings of its first requests, asked before and by themselves."""
    rankings = reranker.rerank(part)
    info = checked_info(reranker.info)
    for request, before, now in zip(part, alone, rankings, strict=False):
        same_in_company(request, before.run, now.run, info, tuple(now.diagnostics))
    rows = {
        request.query.id: {"scores": ranking.run, "diagnostics": dict(ranking.diagnostics)}
        for request, ranking in zip(part, rankings, strict=True)
    }
    return {"info": asdict(info), "queries": rows}
