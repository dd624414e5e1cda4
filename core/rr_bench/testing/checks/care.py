"""What a component does besides: to what it ranks, to the process, to memory, to threads."""

from __future__ import annotations

import gc
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import Any

from rr.border import plugin_code
from rr.errors import NotApplicableError, RerankError
from rr.types import Request, Scores
from rr_bench.testing.asking import answers, answers_by_itself, raw, read, same, shown
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.examples import request, requests
from rr_bench.testing.process import generators, generators_kept, printed, put_back, sow, state, unlogged
from rr_bench.testing.subject import Subject

CALLS, EACH = 200, 50
"""How often it is asked for the sake of memory, and after how many calls each this is looked at."""
OBJECTS, RESIDENT = 3.0, 16 * 1024
"""Python's objects, and bytes of the process, that a call leaves behind where it leaks, between any two looks. Torch
models that leak nothing are seen to leave 1 object, and no byte."""
THREADS, TURNS = 4, 5


@check_of("scorer")
def check_metadata_kept(subject: Subject) -> None:
    """The rankings of a reranker hold the very documents, and the query, that it was given, metadata included: whoever
    asked reads the price of the best one there."""
    if subject.kind != "reranker":
        raise NotApplicableError("a scorer gives numbers, and no documents")
    rule = "a ranking holds the documents and the query that were given"
    for asked in requests(3, min(subject.fits, 4)):
        ranking = answers_by_itself(subject, asked, rule)
        given = {document.id: document for document in asked.candidates}
        for item in ranking.items:
            before = given[item.document.id]
            if item.document != before or item.document.metadata != before.metadata:
                found = f"{item.document!r} in the place of {before!r}"
                raise BrokenRuleError(rule, found, shown([asked]))
        if ranking.query != asked.query:
            raise BrokenRuleError(rule, f"{ranking.query!r} in the place of {asked.query!r}", shown([asked]))


@check_of("scorer")
def check_random_state(subject: Subject) -> None:
    """The generators that all code of the process shares, of random, numpy and torch, are neither drawn from while it
    scores nor seeded when it loads: what others draw would depend on it."""
    rule = "the generators that all share are left alone; a generator of its own is seeded"
    asked = [request(min(subject.fits, 4))]
    raw(subject.loaded, list(asked))  # what is drawn once, at the first call, is not what this is about
    with generators_kept():
        before = _states()
        raw(subject.loaded, list(asked))
        for name, after in _states().items():
            if before.get(name, after) != after:
                raise BrokenRuleError(rule, f"scoring changes the state of {name}", shown(asked))
        ends = []
        for seed in (1, 2):
            sow(seed)
            raw(subject.another(), list(asked))
            ends.append(_states())
    for name, after in ends[0].items():
        if after == ends[1][name]:
            raise BrokenRuleError(rule, f"loading seeds {name}", f"{subject.name}(settings)")


def _states() -> dict[str, str]:
    return {name: _as_text(get()) for name, (get, _, _) in generators().items()}


def _as_text(held: Any) -> str:
    """A state, whole, as something that can be compared."""
    if isinstance(held, dict):
        return str({key: _as_text(value) for key, value in held.items()})
    return str(held.tolist()) if hasattr(held, "tolist") else str(held)


@check_of("scorer")
def check_process_unchanged(subject: Subject) -> None:
    """Environment variables, the working directory, logging, `sys.path` and what holds for all of torch are the same
    before it is loaded and after it has scored. What libraries do when they are first imported is not counted."""
    rule = "what all code of the process shares is left as it was"
    asked = [request(min(subject.fits, 4))]
    raw(subject.loaded, list(asked))
    now = state()
    try:
        put_back(subject.process)
        before = state()
        raw(subject.another(), list(asked))
        after = state()
    finally:
        put_back(now)
    for name, value in before.items():
        if after[name] != value:
            raise BrokenRuleError(rule, f"{name} is {_difference(value, after[name])}", f"load, then {shown(asked)}")


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, dict):
        names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        return f"changed: {', '.join(names)}"
    if isinstance(before, list):
        return f"changed: {len(before)} of them before, {len(after)} after"
    return f"{after} where it was {before}"


@check_of("scorer")
def check_prints_nothing(subject: Subject) -> None:
    """It prints nothing, on stdout or stderr, when it loads and scores: progress bars neither. What is worth telling
    goes to `logging`, or into `Scores.diagnostics`."""
    asked = [request(min(subject.fits, 4))]
    raw(subject.loaded, list(asked))
    with printed() as text:
        raw(subject.another(), list(asked))
    if text.getvalue():
        found = f"{text.getvalue().strip()[:80]!r}"
        raise BrokenRuleError("nothing is printed", found, f"load, then {shown(asked)}")


@check_of("scorer")
def check_memory_flat(subject: Subject) -> None:
    """200 calls take no more memory than 50 do: nothing is kept of a call. Texts come again, so that a store of what
    was computed of them is no leak; what grows between all looks is."""
    rule = f"memory stays flat over {CALLS} calls"
    # each call has objects of its own, which it would be seen to keep
    asked = [request(min(subject.fits, 2), query) for query in range(5)]
    for one in asked:
        raw(subject.loaded, [_anew(one)])
    looks = []
    with unlogged():
        for number in range(1, CALLS + 1):
            raw(subject.loaded, [_anew(asked[number % 5])])
            if number % EACH == 0:
                gc.collect()
                looks.append((sys.getallocatedblocks(), _resident()))
    for what, limit, seen in zip(("objects", "bytes"), (OBJECTS, RESIDENT), zip(*looks, strict=True), strict=True):
        grown = min(later - earlier for earlier, later in pairwise(seen)) / EACH
        if grown > limit:
            raise BrokenRuleError(rule, f"{grown:,.0f} {what} more with each call", shown(asked[:1]))


def _anew(one: Request) -> Request:
    return replace(one, query=replace(one.query), candidates=tuple(replace(document) for document in one.candidates))


def _resident() -> int:
    """Bytes of the process in memory; 0 where the system does not say."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


@check_of("scorer")
def check_threads(subject: Subject) -> None:
    """Asked from several threads at once, it answers as it does from one; where its class says `thread_safe = True`."""
    if getattr(subject.loaded, "thread_safe", False) is not True:
        raise NotApplicableError("it does not say thread_safe = True")
    rule = "several threads are answered as one is"
    asked = requests(THREADS, min(subject.fits, 5))
    alone = [answers(subject, [one], rule)[0] for one in asked]

    start = Barrier(THREADS)

    def ask(number: int) -> list[Scores]:
        start.wait()
        return [read(asked[number], raw(subject.loaded, [asked[number]])[0]) for _ in range(TURNS)]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns often, as they would in hours
    try:
        with plugin_code("it broke"), ThreadPoolExecutor(THREADS) as pool:
            given = list(pool.map(ask, range(THREADS)))
    except RerankError as error:
        raise BrokenRuleError(rule, str(error), f"{THREADS} threads, each with {shown(asked[:1])}") from error
    finally:
        sys.setswitchinterval(before)
    for one, first, turns in zip(asked, alone, given, strict=True):
        for second in turns:
            same(subject, one, first, second, rule, f"from one thread and from {THREADS}")
