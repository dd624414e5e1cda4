"""What every adapter must pass: the conformance kit, and the invariances of a scorer that looks at one pair alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import rr.testing
from rr import Document, Query, Request
from rr.testing import Subject

TEXTS = ["a lamp", "the river is long", "", "phòng có gác lửng", "x " * 3000, "a lamp", "a\x00b\u202ec", "مصباح أحمر"]
TOLERANCE = 1e-4


def passes_the_kit(target: type[Any], settings: Mapping[str, Any]) -> Subject:
    """No check of `rr.testing` has a bad outcome, and company, order and repetition change no score."""
    subject = rr.testing.subject_of(target, settings)
    found = [outcome for outcome in rr.testing.run_checks(subject) if outcome.bad]
    assert not found, found
    documents = tuple(Document(f"d{place}", text) for place, text in enumerate(TEXTS))
    first = Request(Query("q", "where is the lamp?"), documents)
    other = Request(Query("r", "a river"), documents[:3])
    together = [answer.values for answer in subject.scores([first, other])]
    backwards = [answer.values for answer in subject.scores([other, replace(first, candidates=documents[::-1])])]
    assert backwards[0] == pytest.approx(together[1], abs=TOLERANCE)
    assert backwards[1][::-1] == pytest.approx(together[0], abs=TOLERANCE)
    alone = [subject.scores([replace(first, candidates=(document,))])[0].values[0] for document in documents]
    assert alone == pytest.approx(together[0], abs=TOLERANCE)
    assert together[0][0] == together[0][5]  # equal texts
    again = subject.scores([first], subject.load())[0]
    assert again.values == pytest.approx(together[0], abs=TOLERANCE)
    assert subject.scores([]) == []
    return subject
