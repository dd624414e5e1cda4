"""Asking about several orders: which ones, what becomes of the answers, and what it mends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from rr.errors import PluginError, ScoringError
from rr.protocols import ModelInfo
from rr.rerank.sort import Sort, Window
from rr.types import Request, Scores
from rr_bench.permute import Permute, kendall_tau, mean_tau, orders
from rr_bench.schema import Permutation
from rr_bench.tournament import Tournament
from tests.core.scorers import ByGold, PrefersTheFirst, best_first, gold_of, request_of

KINDS: tuple[Permutation, ...] = ("cyclic", "random")

# agreement


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=60)
    | st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=60)
)
def test_tau_is_that_of_scipy_with_ties(pairs: list[tuple[float, float]]) -> None:
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    theirs = float(kendalltau(left, right, variant="b").statistic)
    assert kendall_tau(left, right) == pytest.approx(0.0 if math.isnan(theirs) else theirs, abs=1e-12)


def test_tau_of_what_is_known() -> None:
    assert kendall_tau([3, 2, 1], [30, 20, 10]) == 1.0
    assert kendall_tau([3, 2, 1], [1, 2, 3]) == -1.0
    assert kendall_tau([1, 1, 1], [1, 2, 3]) == kendall_tau([1, 1], [1, 1]) == 0.0
    assert mean_tau([[3, 2, 1], [3, 2, 1], [1, 2, 3]]) == pytest.approx((1 - 1 - 1) / 3)
    assert mean_tau([[3, 2, 1]]) == 1.0
    with pytest.raises(ValueError, match="2 scores against 3"):
        kendall_tau([1, 2], [1, 2, 3])


# which orders


@settings(deadline=None)
@given(count=st.integers(2, 30), size=st.integers(0, 60), kind=st.sampled_from(KINDS))
def test_orders_are_different_permutations_and_the_first_is_the_one_given(
    count: int, size: int, kind: Permutation
) -> None:
    made = orders(request_of(size), count, kind)
    assert made[0] == tuple(range(size))
    assert len(set(made)) == len(made)
    assert len(made) == min(count, max(size, 1) if kind == "cyclic" else math.factorial(size))
    assert all(sorted(order) == list(range(size)) for order in made)


def test_rotations_are_evenly_spread_and_a_whole_turn_shows_each_at_each_place() -> None:
    assert [order[0] for order in orders(request_of(10), 4, "cyclic")] == [0, 2, 5, 7]
    whole = orders(request_of(7), 50, "cyclic")
    assert len(whole) == 7
    assert all(sorted(column) == list(range(7)) for column in zip(*whole, strict=True))


def test_random_orders_follow_the_query_and_the_seed_and_nothing_else() -> None:
    request = request_of(20, "a")
    assert orders(request, 4, "random", 1) == orders(request_of(20, "a"), 4, "random", 1)
    assert orders(request, 6, "random", 1)[:4] == orders(request, 4, "random", 1)
    others = [orders(request_of(20, "b"), 4, "random", 1), orders(request, 4, "random", 2)]
    assert all(other[1:] != orders(request, 4, "random", 1)[1:] for other in others)
    assert len(orders(request_of(4), 24, "random")) == 24  # all there are


# what becomes of the answers


class Spy(ByGold):
    def __init__(self, gold: dict[str, float]) -> None:
        super().__init__(gold)
        self.shown: list[Request] = []

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        self.shown.extend(requests)
        return super().score(requests)


def test_all_orders_of_a_request_follow_each_other_in_one_call() -> None:
    scorer = Spy(gold_of(6, 0))
    first_stage = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    Permute(scorer, 3).score([request_of(6, "a", first_stage), request_of(4, "b")])
    assert scorer.calls == 1
    shown = [(r.query.id, "".join(d.id[1:] for d in r.candidates)) for r in scorer.shown]
    assert shown == [("a", "012345"), ("a", "234501"), ("a", "450123"), ("b", "0123"), ("b", "1230"), ("b", "2301")]
    assert scorer.shown[1].first_stage == (2.0, 3.0, 4.0, 5.0, 0.0, 1.0)
    assert scorer.shown[4].first_stage is None


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 30), max_size=4),
    count=st.integers(2, 9),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 99),
)
def test_a_scorer_that_does_not_mind_the_order_answers_as_without(
    sizes: list[int], count: int, kind: Permutation, seed: int
) -> None:
    gold = gold_of(30, seed)
    requests = [request_of(size, f"q{place}") for place, size in enumerate(sizes)]
    permuted = Sort(Permute(ByGold(gold), count, kind)).rerank(requests)
    for request, ranking, plain in zip(requests, permuted, Sort(ByGold(gold)).rerank(requests), strict=True):
        assert ranking.scores == pytest.approx(plain.scores)
        assert list(ranking.scores) == list(plain.scores)
        if request.candidates:
            asked = len(orders(request, count, kind))
            expected = {**plain.diagnostics, "tau": 1.0, "permutations": float(asked)}
            assert ranking.diagnostics == pytest.approx(expected)


@pytest.mark.parametrize("strength", [0.5, 5.0, 500.0])
def test_a_whole_turn_takes_an_additive_liking_for_a_place_away(strength: float) -> None:
    gold = gold_of(8, 3)
    scorer = PrefersTheFirst(gold, strength)
    turned = Sort(Permute(scorer, 8)).rerank([request_of(8)])[0]
    assert list(turned.scores) == best_first(gold)
    assert turned.scores == pytest.approx({id_: value + strength / 8 for id_, value in gold.items()})
    plain = Sort(scorer).rerank([request_of(8)])[0]
    assert (list(plain.scores) == best_first(gold)) == (strength < 1)  # the bias is there, and is seen
    answers = [[gold[f"d{p}"] + strength * (p == first) for p in range(8)] for first in range(8)]
    pairs = [(a, b) for number, a in enumerate(answers) for b in answers[:number]]
    assert turned.diagnostics["tau"] == pytest.approx(float(np.mean([kendalltau(a, b).statistic for a, b in pairs])))
    assert (turned.diagnostics["tau"] < 1) == (strength > 1)


def test_who_has_the_same_scores_in_another_order_stays_tied() -> None:
    class ByPlace(ByGold):
        """Knows nothing but places; sums of these depend on their order."""

        def score(self, requests: Sequence[Request]) -> list[Scores]:
            return [Scores(tuple(0.1 * (place + 1) ** 0.5 for place in range(len(r.candidates)))) for r in requests]

    ranking = Sort(Permute(ByPlace({}), 7)).rerank([request_of(7)])[0]
    assert len(set(ranking.scores.values())) == 1
    assert ranking.diagnostics["constant"] == 1.0


def test_answers_that_are_all_equal_agree_with_nothing() -> None:
    answer = Permute(ByGold(dict.fromkeys(gold_of(5, 0), 0.5)), 3).score([request_of(5)])[0]
    assert answer.values == (0.5,) * 5
    assert answer.diagnostics["tau"] == 0.0


def test_more_candidates_than_the_scorer_takes_are_refused_in_any_order() -> None:
    scorer = ByGold(gold_of(5, 0), limit=4)
    for kind in KINDS:
        with pytest.raises(ScoringError, match=r"^query 'q': 5 candidates, and the scorer takes 4 at once; "):
            Permute(scorer, 3, kind).score([request_of(5)])
    assert scorer.calls == 0


def test_one_candidate_has_one_order() -> None:
    scorer = ByGold({"d0": 2.0})
    for kind in KINDS:
        answer = Permute(scorer, 5, kind).score([request_of(1)])[0]
        assert answer.values == (2.0,)
        assert (answer.diagnostics["tau"], answer.diagnostics["permutations"]) == (1.0, 1.0)
    assert scorer.seen["q", "d0"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_windows_and_tournaments_permute_each_part(kind: Permutation) -> None:
    gold = gold_of(23, 5)
    for make in (lambda scorer: Window(scorer, 6, 3), lambda scorer: Tournament(scorer, 6)):
        scorer = ByGold(gold, limit=6)
        ranking = make(Permute(scorer, 3, kind)).rerank([request_of(23)])[0]
        assert list(ranking.scores)[:3] == best_first(gold)[:3]
        assert ranking.diagnostics["permutations"] == 3.0
        assert min(scorer.seen.values()) == 3


def test_what_the_scorer_is_passes_through() -> None:
    assert Permute(ByGold({}, limit=4), 2).info == ByGold({}, limit=4).info


def test_a_scorer_that_looks_at_each_alone_is_refused() -> None:
    class Pointwise(ByGold):
        info = ModelInfo("logit")

    with pytest.raises(PluginError, match=r"each candidate alone.*leave 'permutations' out") as caught:
        Permute(Pointwise({}), 4)
    assert "\n" not in str(caught.value)


def test_one_order_is_nothing_to_average() -> None:
    with pytest.raises(ValueError, match="1 permutations average nothing"):
        Permute(ByGold({}), 1)


def test_an_answer_that_cannot_be_ranked_is_an_error_as_ever() -> None:
    with pytest.raises(ScoringError, match="1 of 3 scores are NaN or infinite"):
        Permute(ByGold({"d0": 1.0, "d1": math.nan, "d2": 0.0}), 2).score([request_of(3)])
