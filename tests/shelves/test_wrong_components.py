"""The shelf of the conformance kit: each wrong scorer or reranker is caught by the check that is meant for it, and by
no other first; the right ones pass all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rr
from rr.errors import NotApplicableError
from rr_bench.testing import Outcome, Subject, all_checks, checks_of, subject_of
from rr_bench.testing.asked import ask
from rr_bench.testing.checks.company import check_order
from rr_bench.testing.process import generators_kept, put_back, state
from tests.shelves.components import RIGHT, WRONG, Listwise, Overlap

CHECKS = [check for check in all_checks() if check.part == "scorer"]


@pytest.fixture(autouse=True)
def _as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a wrong one does to this process is undone."""
    monkeypatch.chdir(tmp_path)
    before = state()
    with generators_kept():
        yield
    put_back(before)


def asked(subject: Subject) -> Iterator[Outcome]:
    yield from (ask(check, subject, {}) for check in checks_of(subject) if check.part == "scorer")


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize("target", WRONG, ids=lambda target: target.__name__)
def test_a_wrong_one_is_caught_by_the_check_that_is_meant_for_it(target: type[Any]) -> None:
    first = next((one for one in asked(subject_of(target)) if one.bad), None)
    assert first is not None, "every check passed"
    assert (first.check, first.verdict) == (target.caught, "failed"), first.message
    assert "expected: " in first.message
    assert "\n" not in first.message


@pytest.mark.parametrize("target", RIGHT, ids=lambda target: target.__name__)
def test_a_right_one_passes_all(target: type[Any]) -> None:
    found = list(asked(subject_of(target)))
    assert [one for one in found if one.bad] == []
    assert sum(one.verdict == "passed" for one in found) > 25


def test_each_check_has_something_wrong_that_it_alone_tells() -> None:
    assert {target.caught for target in WRONG} == {check.name for check in CHECKS}
    assert all(target.__doc__ != Overlap.__doc__ for target in (*WRONG, *RIGHT))
    assert len(WRONG) >= 40


def test_of_a_listwise_one_it_is_told_how_much_the_order_matters() -> None:
    with pytest.raises(NotApplicableError, match=r"in another order \d+ of 12 requests have another best candidate"):
        check_order(subject_of(Listwise))


def test_one_that_needs_its_trainer_is_asked_as_trained() -> None:
    class Learned(Overlap):
        """Has nothing to score with before it is trained."""

        info = rr.ModelInfo("logit", state="trained", parameters=1, trainable=1)

        def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
            if checkpoint is None:
                raise rr.RerankError("it was never trained")
            self._weight = float((checkpoint / "weight.txt").read_text(encoding="utf-8"))

        def number(self, query: rr.Query, document: rr.Document) -> float:
            return self._weight * super().number(query, document)

    class Teaches:
        def __init__(self, settings: rr.Settings, scorer_settings: rr.Settings) -> None:
            pass

        def train(self, dataset: rr.Dataset, out: Path, on_event: rr.OnEvent) -> None:
            (out / "weight.txt").write_text("2.0", encoding="utf-8")

    assert [one for one in asked(subject_of(Learned, trainer=Teaches)) if one.bad] == []
    (first, *_) = (one for one in asked(subject_of(Learned)) if one.bad)
    assert (first.check, first.verdict) == ("loads", "failed")
    assert "it was never trained" in first.message
