"""How checks ask a component, and how they compare what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rr.border import plugin_code
from rr.errors import NotApplicableError, RerankError
from rr.types import Ranking, Request, Scores, checked_scores
from rr_bench.evaluate.company import differing
from rr_bench.testing.check import BrokenRuleError
from rr_bench.testing.subject import Subject


def raw(component: Any, requests: list[Request]) -> list[Any]:
    """What the component answers by itself, with no gate around it."""
    asked = component.score if callable(getattr(component, "score", None)) else component.rerank
    return list(asked(requests))


def answers_by_itself(subject: Subject, request: Request, rule: str) -> Any:
    """What it answers to one request, with no gate around it.

    Raises:
        BrokenRuleError: it breaks, or there is not one answer.
    """
    example = shown([request])
    try:
        with plugin_code("it broke"):
            given = raw(subject.loaded, [request])
    except NotApplicableError:
        raise
    except RerankError as error:
        raise BrokenRuleError(rule, str(error), example) from error
    if len(given) != 1:
        raise BrokenRuleError(rule, f"{len(given)} answers to one request", example)
    return given[0]


def answers(
    subject: Subject, requests: Sequence[Request], rule: str, example: str = "", component: Any = None
) -> list[Scores]:
    """What it answers, through the gate.

    Raises:
        BrokenRuleError: it breaks, or the gate refuses the answer.
    """
    try:
        return subject.scores(requests, component)
    except NotApplicableError:
        raise
    except RerankError as error:
        raise BrokenRuleError(rule, str(error), example or shown(requests)) from error


def values(answer: Any) -> list[Any]:
    """The numbers of an answer that no gate has looked at: of its scores, or of its ranking."""
    if isinstance(answer, Ranking):
        return [number for item in answer.items for number in (item.score, item.ranked_by) if number is not None]
    if isinstance(answer, Scores):
        return [*answer.values, *(answer.ranked_by or ())]
    return list(answer)


def read(request: Request, answer: Any) -> Scores:
    """An answer that was given with no gate around it, checked, as scores in the order of the candidates."""
    if isinstance(answer, Ranking):
        answer = [answer.run[document.id] for document in request.candidates]
    return checked_scores(request, answer)


def same(
    subject: Subject, request: Request, first: Scores, second: Scores, rule: str, found: str, example: str = ""
) -> None:
    """`found`: says when the second figure was given, after "a document scores 1 and 2".

    Raises:
        BrokenRuleError: the two answers to the request differ by more than rounding does.
    """
    left, right = first.keys, second.keys
    worst = differing(left, right, subject.info, tuple({**first.diagnostics, **second.diagnostics}))
    if worst is not None:
        which = f"document {request.candidates[worst].id!r} of query {request.query.id!r}"
        figures = f"{left[worst]:.6g} and {right[worst]:.6g}"
        raise BrokenRuleError(rule, f"{which} scores {figures} {found}", example or shown([request]))


def shown(requests: Sequence[Request]) -> str:
    """Requests as an example of a few words."""
    counts = [len(request.candidates) for request in requests]
    if len(counts) == 1:
        return f"one request with {counts[0]} candidate{'s' * (counts[0] != 1)}"
    return f"{len(counts)} requests with {', '.join(map(str, counts))} candidates"
