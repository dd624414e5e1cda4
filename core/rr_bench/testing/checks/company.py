"""Whether a score depends on what it should not: on company, order, earlier calls. Answers are the same where they
differ by no more than the rounding of `info.precision`, as a bench compares them (`rr_bench.evaluate.company`)."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rr.errors import NotApplicableError
from rr.types import Request, trec_order
from rr_bench.evaluate.company import differing
from rr_bench.testing.asking import answers, same, shown
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.examples import about, of, request, requests
from rr_bench.testing.subject import Subject

DEPTH = 4
"""How far below a component's attributes models are looked for."""


@check_of("scorer")
def check_eval_mode(subject: Subject) -> None:
    """No torch module that it holds drops units, or learns statistics, while it scores: `model.eval()` was called."""
    torch = sys.modules.get("torch")
    if torch is None:
        raise NotApplicableError("torch is not loaded")
    answers(subject, [request(min(subject.fits, 2))], "an answer")  # what is built at the first call
    models = list(_models(subject.loaded, torch.nn.Module))
    if not models:
        raise NotApplicableError("it holds no torch module")
    for model in models:
        for name, module in model.named_modules():
            if module.training and _differs_in_training(module):
                found = f"{type(model).__name__}: {name or 'itself'} ({type(module).__name__}) is in training mode"
                raise BrokenRuleError("models are in eval mode", found, f"{type(model).__name__}.eval() is missing")


def _models(value: Any, kind: type[Any], depth: int = DEPTH, seen: set[int] | None = None) -> Iterator[Any]:
    """The modules among what a component holds, not those inside of other modules."""
    seen = set() if seen is None else seen
    if id(value) in seen or depth < 0:
        return
    seen.add(id(value))
    if isinstance(value, kind):
        yield value
        return
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for one in (*held, *getattr(value, "__dict__", {}).values()):
        yield from _models(one, kind, depth - 1, seen)


def _differs_in_training(module: Any) -> bool:
    name = type(module).__name__
    drops = getattr(module, "p", 0) if "Dropout" in name else 0
    drops = drops or any("dropout" in key and isinstance(rate, float) and rate for key, rate in vars(module).items())
    return bool(drops) or "BatchNorm" in name


@check_of("scorer")
def check_same_twice(subject: Subject) -> None:
    """The same request, asked twice, has the same scores: nothing is drawn by chance."""
    rule, asked = "the same answer to the same request", request(min(subject.fits, 6))
    first, second = (answers(subject, [asked], rule)[0] for _ in range(2))
    same(subject, asked, first, second, rule, "when asked twice")


@check_of("scorer")
def check_earlier_calls(subject: Subject) -> None:
    """What was asked before changes nothing: a new one gives a request the same scores before and after others."""
    rule, asked, new = "a score does not depend on earlier calls", request(min(subject.fits, 6), 1), subject.another()
    (first,) = answers(subject, [asked], rule, component=new)
    for other in requests(4, min(subject.fits, 5)):
        answers(subject, [other], rule, component=new)
    (second,) = answers(subject, [asked], rule, component=new)
    same(subject, asked, first, second, rule, "before and after four other calls")


@check_of("scorer")
def check_two_loads(subject: Subject) -> None:
    """Two that are loaded of the same settings and the same checkpoint give the same scores: a random head is drawn
    with a seed of its own."""
    rule, asked = "two that are loaded alike answer alike", requests(2, min(subject.fits, 6))
    first, second = answers(subject, asked, rule), answers(subject, asked, rule, component=subject.another())
    for one, left, right in zip(asked, first, second, strict=True):
        same(subject, one, left, right, rule, "by two that were loaded alike")


@check_of("scorer")
def check_company(subject: Subject) -> None:
    """A request has the same scores alone, among others, and among the same others the other way round."""
    rule = "a score does not depend on which requests come together"
    asked = [request(count, query) for query, count in enumerate(_counts(subject))]
    alone = [answers(subject, [one], rule)[0] for one in asked]
    together = answers(subject, asked, rule)
    backwards = answers(subject, asked[::-1], rule)[::-1]
    for one, left, right, turned in zip(asked, alone, together, backwards, strict=True):
        same(subject, one, left, right, rule, f"alone and among {len(asked)} requests", shown(asked))
        same(subject, one, left, turned, rule, f"alone and among {len(asked)} in reverse", shown(asked))


def _counts(subject: Subject) -> list[int]:
    return [min(count, subject.fits) for count in (5, 1, 8, 3, 6)]


@check_of("scorer")
def check_order(subject: Subject) -> None:
    """Shown in another order, every candidate keeps its score; a scorer whose scores depend on it says that it is
    `listwise`, and then it is told here how much, and no fault."""
    if subject.fits < 2:
        raise NotApplicableError("one candidate fits, which has no order")
    rule = "scores follow their documents into another order, or info.listwise"
    changed, asked = 0, requests(6, min(subject.fits, 6))
    for one in asked:
        (first,) = answers(subject, [one], rule)
        generator = random.Random(one.query.id)
        last = len(one.candidates) - 1
        for places in (range(last, -1, -1), generator.sample(range(last + 1), last + 1)):
            (given,) = answers(subject, [of(one, places)], rule)
            back = sorted(range(last + 1), key=list(places).__getitem__)
            second = replace(given, values=tuple(given.keys[place] for place in back), ranked_by=None)
            if not subject.info.listwise:
                same(subject, one, first, second, rule, "in two orders of the same candidates")
            elif differing(first.keys, second.keys, subject.info, ()) is not None:
                ids = [document.id for document in one.candidates]
                best = [trec_order(dict(zip(ids, keys, strict=True)))[0] for keys in (first.keys, second.keys)]
                changed += best[0] != best[1]
    if subject.info.listwise:
        told = f"in another order {changed} of {2 * len(asked)} requests have another best candidate"
        raise NotApplicableError(f"it says that it is listwise; {told} (`rr bias` tells more)")


@check_of("scorer")
def check_subsets(subject: Subject) -> None:
    """Among fewer candidates, every one that is left keeps its score; a scorer whose scores depend on the others says
    that it is `listwise`."""
    if not _pointwise(subject):
        what = "it says that it is listwise" if subject.info.listwise else "a reranker may compare its candidates"
        raise NotApplicableError(what)
    if subject.fits < 2:
        raise NotApplicableError("one candidate fits, which has no subset")
    rule = "a score does not depend on the other candidates, or info.listwise"
    for one in requests(3, min(subject.fits, 6)):
        (whole,) = answers(subject, [one], rule)
        count = len(one.candidates)
        for places in (range(1, count), range(0, count, 2), [count - 1]):
            part = of(one, places)
            (second,) = answers(subject, [part], rule)
            first = replace(whole, values=tuple(whole.keys[place] for place in places), ranked_by=None)
            same(subject, part, first, second, rule, f"among {count} candidates and among {len(places)} of them")


@check_of("scorer")
def check_padding(subject: Subject) -> None:
    """Short texts have the same scores beside long ones: what fills a batch up is masked, on whichever side. Where a
    score depends on the other candidates, the long ones are another request's."""
    rule = "a short text scores alike beside short and long ones"
    count = max(min(subject.fits - 1, 3), 1)
    short = about([f"A {colour} bicycle." for colour in ("red", "blue", "green")][:count], "A red bicycle?")
    long = about([" ".join(["a long text about lamps, kettles and tents"] * 60)], "A lamp?")
    long = replace(long, query=replace(long.query, id="long"))
    (alone,) = answers(subject, [short], rule)
    for asked in ([short, long], [long, short]):
        beside = answers(subject, asked, rule)[asked.index(short)]
        same(subject, short, alone, beside, rule, "alone and beside a request with a long text", "a text of 480 words")
    if _pointwise(subject) and subject.fits > count:
        first_stage = (*(short.first_stage or ()), 0.0)
        mixed = Request(short.query, (*short.candidates, replace(long.candidates[0], id="long")), first_stage)
        (found,) = answers(subject, [mixed], rule)
        beside = replace(found, values=found.values[:-1], ranked_by=found.ranked_by and found.ranked_by[:-1])
        same(subject, short, alone, beside, rule, "alone and beside a long candidate", "a text of 480 words")


def _pointwise(subject: Subject) -> bool:
    return subject.kind == "scorer" and not subject.info.listwise
