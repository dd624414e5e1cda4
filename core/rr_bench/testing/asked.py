"""One generator of checks for whoever asks them, and one function that asks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from importlib import import_module

from rr.border import plugin_code
from rr.errors import NotApplicableError, RerankError, nearest
from rr_bench.testing.check import WRITTEN, BrokenRuleError, Check, Outcome
from rr_bench.testing.subject import Part, Subject

MODULES = ("plugin", "answers", "texts", "company", "care", "training", "reading", "retrieving")
"""Of `rr_bench.testing.checks`, in the order in which their checks are asked: what others rest on comes first."""


def all_checks() -> list[Check]:
    for module in MODULES:
        import_module(f"rr_bench.testing.checks.{module}")
    order = {f"rr_bench.testing.checks.{module}": place for place, module in enumerate(MODULES)}
    return sorted(WRITTEN, key=lambda one: order[one.function.__module__])


def checks_of(subject: Subject) -> Iterator[Check]:
    """Those that are about something that the subject has."""
    parts = set(_parts(subject))
    yield from (check for check in all_checks() if check.part in parts)


def _parts(subject: Subject) -> Iterator[Part]:
    if subject.point is not None:
        yield "plugin"
    yield subject.kind
    if subject.kind == "reranker":
        yield "scorer"
    if subject.trainer is not None:
        yield "trainer"


def ask(check: Check, subject: Subject, expected: Mapping[str, str]) -> Outcome:
    """`expected`: the name of each check that is known to fail → why. A check that passes all the same is bad: the
    reason is no longer true."""
    reason, started = expected.get(check.name), time.perf_counter()
    try:
        with plugin_code(f"check {check.name} broke", passing=(RerankError, BrokenRuleError)):
            check.function(subject)
    except NotApplicableError as why:
        return Outcome(check.name, "not applicable", str(why), time.perf_counter() - started)
    except BrokenRuleError as broken:
        verdict, message = "failed", str(broken)
    except RerankError as error:
        verdict, message = "broken", str(error)
    else:
        verdict, message = "passed", ""
    seconds = time.perf_counter() - started
    if reason is None:
        return Outcome(check.name, verdict, message, seconds)  # type: ignore[arg-type]
    if verdict == "passed":
        return Outcome(check.name, "unexpected pass", f"it is expected to fail: {reason}", seconds)
    return Outcome(check.name, "expected failure", reason, seconds)


def run_checks(subject: Subject, expected: Mapping[str, str] | None = None) -> Iterator[Outcome]:
    """Asks each, as the generator is read. Raises RerankError: as `known`."""
    reasons = known(expected)
    for check in checks_of(subject):
        yield ask(check, subject, reasons)


def known(expected: Mapping[str, str] | None) -> Mapping[str, str]:
    """
    Raises:
        RerankError: a check that is expected to fail does not exist.
    """
    names = [check.name for check in all_checks()]
    for name in expected or {}:
        if name not in names:
            raise RerankError(f"expected_failures: no check is called {name!r}{nearest(name, names)}")
    return expected or {}
