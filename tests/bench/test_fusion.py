"""Fusion against ranx, and the weights that are found on dev."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from typing import Any

import pytest

from rr.types import Request, Scores, trec_order
from rr_bench.compose.answers import answers, narrowed, run_of
from rr_bench.compose.fusion import fused, normalised
from rr_bench.compose.weights import POINTS, points
from rr_bench.members import Part, part_of
from rr_bench.schema import RerankerEntry
from tests.core.scorers import request_of

QUERIES, DOCUMENTS = 25, 40
THEIRS: dict[str, str | None] = {"min-max": "min-max", "sum": "sum", "zmuv": "zmuv", "rank": "rank", "none": None}
WEIGHTS = (0.2, 0.7, 1.6)


def runs_of(seed: int, scale: float = 1.0) -> list[dict[str, dict[str, float]]]:
    """Three runs of the same candidates, on very different scales, without ties."""
    drawn = random.Random(seed)
    shapes = (lambda x: 30 * x, lambda x: math.tanh(x), lambda x: x**3 - 7)
    return [
        {f"q{q}": {f"d{d}": scale * shape(drawn.gauss(0, 1)) for d in range(DOCUMENTS)} for q in range(QUERIES)}
        for shape in shapes
    ]


def fusion(**options: Any) -> RerankerEntry:
    return RerankerEntry.model_validate({"fuse": ["a", "b", "c"], **options})


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{f"rrf {k}": ({"k": k}, {"norm": None, "method": "rrf", "params": {"k": k}}) for k in (0, 1, 60, 1000)},
    **{
        f"{method} {norm}": (
            {"method": method, "normalisation": norm},
            {"norm": given, "method": called, "params": {"weights": WEIGHTS} if method == "weighted" else None},
        )
        for norm, given in THEIRS.items()
        for method, called in (("combsum", "sum"), ("combmnz", "mnz"), ("weighted", "wsum"))
    },
}
"""Name → the options of an entry, and those of ranx that mean the same."""
RANX = """
import json, sys, warnings
warnings.simplefilter("ignore")
from ranx import Run, fuse
runs, cases = json.load(sys.stdin)
print(json.dumps({n: fuse([Run(run) for run in runs], **options).to_dict() for n, options in cases.items()}))
"""


@pytest.fixture(scope="module")
def by_ranx() -> dict[str, Any]:
    """Case → query → document → score. Not compiled, which would take minutes."""
    ended = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps([runs_of(1), {name: theirs for name, (_, theirs) in CASES.items()}]),
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    return json.loads(ended.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES)
def test_fusion_is_that_of_ranx(case: str, by_ranx: dict[str, Any]) -> None:
    runs, entry = runs_of(1), fusion(**CASES[case][0])
    assert len(by_ranx[case]) == QUERIES
    for query_id, theirs in by_ranx[case].items():
        ours = fused([run[query_id] for run in runs], entry, WEIGHTS)
        assert ours == {id_: pytest.approx(score, abs=1e-9, rel=0) for id_, score in theirs.items()}


@pytest.mark.parametrize("norm", THEIRS)
def test_what_is_constant_alone_or_empty_is_normalised_without_harm(norm: Any) -> None:
    for run in ({}, {"d": 5.0}, {"d1": -2.0, "d2": -2.0}):
        found = normalised(run, norm)
        assert found.keys() == run.keys()
        assert all(map(math.isfinite, found.values()))


def test_the_order_of_the_members_decides_no_tie() -> None:
    """Sums in another order are the same to the last bit."""
    one, two, three = ({"d1": 0.1 * n, "d2": 0.7, "d3": 0.2} for n in (1, 2, 3))
    for method in ("rrf", "combsum", "combmnz"):
        entry = fusion(method=method)
        assert fused([one, two, three], entry, ()) == fused([three, one, two], entry, ())


# --- the walk


def leaf(name: str) -> Part:
    return Part(name, RerankerEntry(scorer=name))


def whole(name: str, entry: dict[str, Any], **others: dict[str, Any]) -> Part:
    named = {key.replace("_", "-"): RerankerEntry.model_validate(value) for key, value in others.items()}
    return part_of(name, RerankerEntry.model_validate(entry), lambda one: named.get(one, RerankerEntry(scorer=one)))


class Asker:
    """Answers from the number in a document's id, the other way round for `b`; writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[list[str]]]] = []

    def __call__(self, part: Part, requests: Any) -> list[Scores]:
        self.asked.append((part.name, [[document.id for document in one.candidates] for one in requests]))
        sign = -1.0 if part.name == "b" else 1.0
        return [Scores(tuple(sign * float(d.id[1:]) for d in one.candidates), {"seen": 1.0}) for one in requests]


def test_a_cascade_shows_each_stage_the_best_of_the_one_before() -> None:
    stages = [{"reranker": "a", "keep": 5}, {"reranker": "b", "keep": 2}, {"reranker": "c"}]
    asker, requests = Asker(), [request_of(9), request_of(4, "few"), request_of(0, "none")]
    found = answers(whole("x", {"cascade": stages}), requests, asker, {})
    # as they were shown, not as they were ranked: a place tells nothing
    assert asker.asked[1] == ("b", [["d4", "d5", "d6", "d7", "d8"], ["d0", "d1", "d2", "d3"], []])
    assert asker.asked[2] == ("c", [["d4", "d5"], ["d0", "d1"], []])
    orders = [trec_order(run_of(request, answer)) for request, answer in zip(requests, found, strict=True)]
    assert orders[0] == ["d5", "d4", "d6", "d7", "d8", "d3", "d2", "d1", "d0"]
    assert orders[1] == ["d1", "d0", "d2", "d3"]
    assert orders[2] == []
    assert found[0].diagnostics == {"a seen": 1.0, "b seen": 1.0, "c seen": 1.0}


def test_a_narrowed_request_keeps_the_order_and_the_first_stage_and_shows_none_where_none_is_shown() -> None:
    request = request_of(4, first_stage=(4.0, 3.0, 2.0, 1.0))
    found = narrowed(request, ["d3", "d1"])
    assert [document.id for document in found.candidates] == ["d1", "d3"]
    assert found.first_stage == (3.0, 1.0)
    assert narrowed(request, ["d3", "d2", "d1", "d0"]) is request
    assert narrowed(request_of(4), ["d3", "d1"]).first_stage is None


def test_no_member_is_asked_the_same_twice() -> None:
    inner = {"fuse": ["a", "b"]}
    asker, requests = Asker(), [request_of(6)]
    answers(whole("x", {"fuse": ["a", "inner", "c"]}, inner=inner), requests, asker, {})
    assert sorted(name for name, _ in asker.asked) == ["a", "b", "c"]
    asker = Asker()
    cascade = {"cascade": [{"reranker": "a", "keep": 99}, {"reranker": "inner"}]}
    answers(whole("x", cascade, inner=inner), requests, asker, {})
    assert sorted(name for name, _ in asker.asked) == ["a", "b"], "a stage that leaves nothing out is asked once"


def test_a_member_that_fuses_is_fused_by_what_it_is_ranked_by() -> None:
    request = Request(request_of(3).query, request_of(3).candidates)
    (found,) = answers(whole("x", {"fuse": ["a", "b"], "method": "combsum"}), [request], Asker(), {})
    assert found.values == pytest.approx((1.0, 1.0, 1.0))


# --- weights


@pytest.mark.parametrize("members", range(2, 15))
def test_the_grid_of_weights_is_small_and_begins_with_the_most_even(members: int) -> None:
    found = list(points(members))
    assert len(set(found)) == len(found)
    assert len(found) <= POINTS + 1
    assert all(sum(point) == pytest.approx(1) and min(point) >= 0 for point in found)
    assert {tuple(float(i == n) for i in range(members)) for n in range(members)} <= set(found), "each member alone"
    assert found[0] == (1 / members,) * members
    assert found == list(points(members))
