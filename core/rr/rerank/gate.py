"""The gate that every scorer and reranker passes: what it says of itself, and whether its answers hold to it."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import replace
from itertools import islice
from typing import Any, get_args

from rr.border import plugin_code
from rr.errors import PluginError, ScoringError
from rr.protocols import ModelInfo, Precision, Scorer
from rr.types import Request, Scale, Scores, State, checked_scores, float32, lost_in_32_bits

BOUNDS: dict[str, tuple[float, float]] = {"probability": (0.0, 1.0), "cosine": (-1.0, 1.0)}  # of a scale's scores
BEYOND: dict[str, float] = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}  # how far rounding may carry them
_CHOICES: dict[str, Any] = {"scale": Scale, "state": State, "precision": Precision}
_WHOLE = "a whole number from 0 on"


def checked_info(info: Any, where: str = "info") -> ModelInfo:
    """What a component says of itself; a PluginError about what cannot be understood calls it `where`."""
    if not isinstance(info, ModelInfo):
        raise PluginError(f"{where} is {type(info).__name__}, not rr.ModelInfo")
    rules = [
        *((n, getattr(info, n) in get_args(c), f"one of {', '.join(get_args(c))}") for n, c in _CHOICES.items()),
        ("max_candidates", info.max_candidates is None or whole(info.max_candidates), f"{_WHOLE}, or None"),
        *((name, whole(getattr(info, name)), _WHOLE) for name in ("parameters", "trainable")),
        ("listwise", isinstance(info.listwise, bool), "True or False"),
        ("notes", isinstance(info.notes, tuple) and all(isinstance(n, str) for n in info.notes), "a tuple of texts"),
    ]
    for name, holds, rule in rules:
        if not holds:
            raise PluginError(f"{where}.{name} is {getattr(info, name)!r}; it must be {rule}")
    return info


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def within_scale(request: Request, values: Sequence[float], info: ModelInfo) -> None:
    """Raises ScoringError about a score that its scale does not have."""
    if info.scale not in BOUNDS:
        return
    (low, high), slack = BOUNDS[info.scale], BEYOND[info.precision]
    for document, value in zip(request.candidates, values, strict=True):
        if not low - slack <= value <= high + slack:
            raise ScoringError(
                f"query {request.query.id!r}: document {document.id!r} scores {value:.6g}, and a {info.scale} lies "
                f"between {low:g} and {high:g}; correct the scores, or info.scale"
            )


def one_each(given: object, count: int, who: str, what: str) -> list[Any]:
    """What a plugin gave for `count` requests, read no further than it takes to see that there are too many; a
    ScoringError where it is no sequence, or one of another length."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ScoringError(f"the {who} gave {type(given).__name__}, not a list of {what.split()[0]}")
    items = list(islice(given, count + 1))  # which may have no end
    if len(items) != count:
        found = len(given) if isinstance(given, Sized) else len(items) if len(items) < count else f"more than {count}"
        raise ScoringError(f"the {who} gave {found} {what} {count} requests")
    return items


def with_ties(scores: Scores) -> Scores:
    """The scores with diagnostics of their ties: `tied`, 1 where two candidates have the same score as 32-bit floats;
    `constant`, 1 where all have; and, where it happened, `lost_in_32_bits`, 1: some of those are different numbers."""
    distinct = len(set(float32(scores.keys)))
    tied = {"tied": float(distinct < len(scores.keys)), "constant": float(distinct == 1 < len(scores.keys))}
    lost = {"lost_in_32_bits": 1.0} if lost_in_32_bits(scores.keys) else {}
    return replace(scores, diagnostics={**scores.diagnostics, **tied, **lost})


def score_all(scorer: Scorer, requests: Sequence[Request]) -> list[Scores]:
    """Checked scores for every request; the scorer never sees an empty candidate list. Raises ScoringError: a request
    has more candidates than the scorer takes, or there is not one answer a request, or one that cannot be ranked."""
    info, asked = scorer.info, [request for request in requests if request.candidates]
    for request in asked:
        if info.max_candidates is not None and len(request.candidates) > info.max_candidates:
            many = f"{len(request.candidates)} candidates, and the scorer takes {info.max_candidates} at once"
            mend = "rerank them in windows (rr.load(NAME).rerank does), or ask for fewer"
            raise ScoringError(f"query {request.query.id!r}: {many}; {mend}")
    # the whole of it: an answer may be computed as it is read
    with plugin_code("score failed", shown=asked):
        given = scorer.score(list(asked)) if asked else ()  # a list that it may empty
        answers = one_each(given, len(asked), "scorer", "answers to")
        found = [checked_scores(request, answer) for request, answer in zip(asked, answers, strict=True)]
    for request, scores in zip(asked, found, strict=True):
        within_scale(request, scores.values, info)
    checked = iter(map(with_ties, found))
    return [next(checked) if request.candidates else Scores(()) for request in requests]
