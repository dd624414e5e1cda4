"""Scores on disk: computed once for the same weights, settings, code and data, in parts that are whole or absent.

A killed bench resumes at the part that is missing. Parts always cut the requests at the same places, so that a
resumed run batches, and therefore scores, as an uninterrupted one. Two benches at once share the parts: what another
process is computing is left to it, the next one is taken, and its answer is waited for at the end. A killed owner's
part is taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import isclose
from pathlib import Path
from typing import Any

from rr.errors import ScoringError
from rr.files import alone, fingerprint, home
from rr.protocols import ModelInfo, Reranker
from rr.rerank.gate import checked_info
from rr.rerank.sort import Sort
from rr.types import Ranking, Request
from rr_bench.evaluate.company import same_in_company
from rr_bench.evaluate.pairs import OF_THE_LIST, Answer, Pairs, rest, united
from rr_bench.keeping import read_checked, write_checked
from rr_bench.moving import Moving
from rr_bench.parts import parts

APART, OTHERWISE, NO_MEANS = "yes", "it scores otherwise among fewer", "its diagnostics are no means over documents"
"""Whether a scorer looks at one document at a time."""
NOT_APART = (
    "says that it looks at one document at a time, and scores documents otherwise among fewer: info.listwise must say "
    "so; no pair of it is used again"
)


@dataclass(frozen=True)
class Scored:
    """Query id → answer. `stored`: all of it was on disk."""

    answers: Mapping[str, Answer]
    info: ModelInfo
    stored: bool


def score(
    reranker: Callable[[], Reranker],
    key: object,
    requests: Sequence[Request],
    advance: Callable[[int], None],
    pairs: Pairs | None = None,
) -> Scored:
    """The answers for all requests, from disk where they are there. `key`: all that determines them besides the
    reranker's input. `reranker` loads it, and is called only if something is missing. `pairs`: what it has answered
    about other data sets, if it may look at one document at a time."""
    moving = Moving(advance)
    asking = _Asking(reranker, pairs, moving)
    contents: dict[int, dict[str, Any]] = {}
    left = list(enumerate(parts(requests)))
    for seconds in (0, -1):  # first what nobody is busy with
        busy = []
        for number, part in left:
            content = _part(key, number, part, asking, seconds)
            if content is None:
                busy.append((number, part))
                continue
            contents[number] = content
            moving.finish(len(part))
        left = busy
    answers: dict[str, Answer] = {}
    info: dict[str, Any] = {}
    for _, content in sorted(contents.items()):
        info = content["info"]
        answers.update({q: Answer(row["scores"], row["diagnostics"]) for q, row in content["queries"].items()})
    return Scored(answers, ModelInfo(**{**info, "notes": tuple(info["notes"])}), not asking.computed)


def score_part(
    reranker: Callable[[], Reranker], key: object, number: int, part: Sequence[Request], pairs: Pairs | None
) -> bool:
    """Computes one part of what `score` finds then, unless it is there, and tells whether. `number`: its place among
    all."""
    # as in one process, where the first part is compared: a model that keeps vectors answers from those of that query
    asking = _Asking(reranker, pairs, Moving(lambda queries: None), compared=number > 0)
    _part(key, number, part, asking, -1)
    return asking.computed > 0


def _part(of: object, number: int, part: Sequence[Request], asking: _Asking, seconds: float) -> dict[str, Any] | None:
    """What the part holds, from disk or computed now; None where another process has been computing it for longer
    than so many seconds. `of`: the key of all parts."""
    path, key = parts_folder(of) / f"part-{number:05d}.json", _part_key(of, number)
    found: dict[str, Any] | None = read_checked(path, key)
    if found is not None:
        return found
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(path, seconds))
        except TimeoutError:
            return None
        found = read_checked(path, key)  # it may have been finished meanwhile
        if found is None:
            found = asking.content(part)
            write_checked(path, key, found)
        return found


def parts_folder(key: object) -> Path:
    """Where `score` keeps its parts."""
    return home() / "scores" / fingerprint(key)[:32]


def _part_key(key: object, number: int) -> str:
    """What a part says that it is, so that no other one is taken for it."""
    return f"part {number} of {fingerprint(key)}"


class _Asking:
    """Asks the reranker, once it is loaded, for what `pairs` do not know. `computed`: for how many parts. `compared`:
    one query was asked alone, elsewhere."""

    def __init__(
        self, reranker: Callable[[], Reranker], pairs: Pairs | None, moving: Moving, compared: bool = False
    ) -> None:
        self._reranker, self._pairs, self._moving = reranker, pairs, moving
        self.computed = 0
        self._compared = compared

    def content(self, part: Sequence[Request]) -> dict[str, Any]:
        """What a part holds: JSON-able."""
        known, about = self._pairs.known(part) if self._pairs else ([[] for _ in part], None)
        due = [rest(request, answers) for request, answers in zip(part, known, strict=True)]
        if any(known):
            due = [request for request in due if request.candidates]
        new: dict[str, Answer] = {}
        if about is not None and not due:
            info = about["info"]
        else:
            info, new, about = self._answered(due, about)
        rows = {}
        for request, answers in zip(part, known, strict=True):
            own = new.get(request.query.id)
            answer = own if own and not answers else united(request, [*answers, *([own] if own else [])])
            rows[request.query.id] = {"scores": answer.scores, "diagnostics": answer.diagnostics}
        notes = [*info["notes"], *([NOT_APART] if about and about["apart"] == OTHERWISE else [])]
        return {"info": {**info, "notes": notes}, "queries": rows}

    def _answered(
        self, due: Sequence[Request], about: dict[str, Any] | None
    ) -> tuple[dict[str, Any], dict[str, Answer], dict[str, Any] | None]:
        """What the reranker says of itself, its answers by query, which `pairs` keep, and what these now know of it."""
        loaded = self._reranker()
        self.computed += 1
        # one query in no company: it was compared when the first of these pairs were kept
        compare = not self._compared and (about is None or len(due) > 1)
        self._compared = True
        alone_ = loaded.rerank(due[:1]) if compare else ()
        with self._moving.through(due, loaded.info.listwise):
            rankings = loaded.rerank(due)
        info = checked_info(loaded.info)
        for request, before, now in zip(due, alone_, rankings, strict=False):
            same_in_company(request, before.run, now.run, info, tuple(now.diagnostics))
        asked = [(request, _answer(ranking)) for request, ranking in zip(due, rankings, strict=True)]
        if self._pairs is not None:
            if about is None and (apart := looks_at_one(loaded, info, asked)):
                about = {"info": asdict(info), "apart": apart}
            if about is not None:
                self._pairs.keep(asked if about["apart"] == APART else [], about)
        return asdict(info), {request.query.id: answer for request, answer in asked}, about


def looks_at_one(reranker: Reranker, info: ModelInfo, asked: Sequence[tuple[Request, Answer]]) -> str:
    """Whether what the reranker says of a document can be used again among other candidates. That it says so is not
    believed: one request is asked again in two halves. Empty where it does not say so, gives ranks, which are of one
    list, or was asked about no two documents."""
    plain = type(reranker) is Sort and not info.listwise and info.max_candidates is None and info.scale != "rank"
    several = next((one for one in asked if len(one[0].candidates) > 1), None) if plain else None
    if several is None:
        return ""
    request, whole = several
    half = len(request.candidates) // 2
    sides = (request.candidates[half:], request.candidates[:half])
    halves = [rest(request, [Answer({document.id: 0.0 for document in side}, {})]) for side in sides]
    found = united(request, [_answer(ranking) for ranking in reranker.rerank(halves)])
    try:
        same_in_company(request, whole.scores, found.scores, info, ())
    except ScoringError:
        return OTHERWISE
    names = {*whole.diagnostics, *found.diagnostics} - {*OF_THE_LIST}
    same = all(isclose(whole.diagnostics.get(n, 0.0), found.diagnostics.get(n, 0.0), abs_tol=1e-6) for n in names)
    return APART if same else NO_MEANS


def _answer(ranking: Ranking) -> Answer:
    return Answer(ranking.run, dict(ranking.diagnostics))
