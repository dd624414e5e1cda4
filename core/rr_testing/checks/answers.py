"""Whether a scorer answers at all: one finite number a candidate, of the declared scale, whatever their number."""

from __future__ import annotations

from rr.errors import RerankError
from rr_testing.check import BrokenRuleError, check_of
from rr_testing.examples import request
from rr_testing.subject import Subject


@check_of("scorer")
def check_each_candidate_once(subject: Subject) -> None:
    """One finite score a candidate, in the declared scale, for 1, N - 1, N and N + 1 of them, N being how many fit; no
    more than fit are ever shown."""
    fits, any_number = subject.fits, subject.info.max_candidates is None
    for count in sorted({1, 2, fits - 1, fits, *([fits + 1, 10 * fits] if any_number else [])}):
        asked = request(min(count, 80))
        try:
            subject.scores([asked])
        except RerankError as error:
            example = f"score([request with {len(asked.candidates)} candidates])"
            raise BrokenRuleError("one finite number a candidate, in their order", str(error), example) from error


@check_of("scorer")
def check_no_request(subject: Subject) -> None:
    """No requests are answered by no answers."""
    try:
        found = subject.scores([])
    except RerankError as error:
        raise BrokenRuleError("an empty list for an empty list", str(error), "score([])") from error
    if found:
        raise BrokenRuleError("an empty list for an empty list", f"{len(found)} answers", "score([])")
