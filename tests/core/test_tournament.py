"""The tournament: everyone plays, nobody is lost, and with a perfect scorer the top is exactly right."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.protocols import ModelInfo, Reranker
from rr.rerank.sort import Window
from rr.types import Request, Scores, trec_order
from rr_bench.tournament import Tournament
from tests.core.scorers import ByGold, best_first, gold_of, request_of

SHAPES = st.tuples(st.integers(0, 300), st.integers(2, 9) | st.integers(2, 320))


@settings(max_examples=200, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 99), with_first_stage=st.booleans())
def test_everyone_is_scored_and_ranked_once_and_the_top_half_of_a_group_is_exact(
    shape: tuple[int, int], seed: int, with_first_stage: bool
) -> None:
    count, size = shape
    gold = gold_of(count, seed)
    scorer = ByGold(gold, limit=size)
    first_stage = list(gold_of(count, seed + 1).values()) if with_first_stage else None
    ranking = Tournament(scorer, size).rerank([request_of(count, first_stage=first_stage)])[0]
    assert sorted(ranking.scores) == sorted(gold)
    assert set(scorer.seen) == {("q", id_) for id_ in gold}
    assert list(ranking.scores)[: size // 2] == best_first(gold)[: size // 2]
    if count > size:
        assert list(ranking.scores.values()) == [float(count - place) for place in range(count)]
        assert ranking.diagnostics["tournament"] == 1.0
        assert scorer.calls <= math.log2(count / size) + 2  # of score(): rounds, each with all of its groups
    else:
        assert scorer.calls == bool(count)
        assert ranking.scores == gold
        assert "tournament" not in ranking.diagnostics


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.integers(0, 4), max_size=120),
    size=st.integers(2, 12),
    stride=st.integers(1, 11),
    first_stage=st.sampled_from([None, 0.0, 1.0]),
)
def test_ties_lose_nobody_and_leave_the_top_exact(
    values: list[int], size: int, stride: int, first_stage: float | None
) -> None:
    """The first stage's scores are none, all equal, or tied as the scorer's are."""
    gold = {f"d{place}": float(value) for place, value in enumerate(values)}
    stride = min(stride, size - 1)
    given_scores = None if first_stage is None else [first_stage * value for value in gold.values()]
    request = request_of(len(values), first_stage=given_scores)
    rerankers: list[tuple[Reranker, int]] = [
        (Tournament(ByGold(gold, limit=size), size), size // 2),
        (Window(ByGold(gold, limit=size), size, stride), size - stride),
    ]
    for reranker, sure in rerankers:
        order = list(reranker.rerank([request])[0].scores)
        assert sorted(order) == sorted(gold)
        assert order[:sure] == trec_order(gold)[:sure]


def test_no_more_than_the_top_is_promised() -> None:
    """The proofs are tight: one place further down, an order of the first stage can be found that is ranked wrongly."""
    wrong = {"tournament": False, "window": False}
    for seed in range(50):
        gold = gold_of(9, seed)
        tournament = Tournament(ByGold(gold), 4).rerank([request_of(9)])[0]
        window = Window(ByGold(gold), 4, 2).rerank([request_of(9)])[0]
        wrong["tournament"] |= list(tournament.scores)[2] != best_first(gold)[2]
        wrong["window"] |= list(window.scores)[2] != best_first(gold)[2]
    assert wrong == {"tournament": True, "window": True}


class Spy(ByGold):
    """Keeps what it was shown, one list of groups a call."""

    def __init__(self, gold: dict[str, float], limit: int) -> None:
        super().__init__(gold, limit)
        self.shown: list[list[Request]] = []

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        self.shown.append(list(requests))
        return super().score(requests)

    def rounds(self) -> list[list[str]]:
        """Each group as its digits, in the order shown."""
        return [["".join(d.id.removeprefix("d") for d in group.candidates) for group in call] for call in self.shown]


def test_rounds_deal_like_cards_and_the_later_eliminated_rank_higher() -> None:
    scorer = Spy({f"d{place}": float(place) for place in range(10)}, limit=4)  # 9 is the best, shown last
    order = list(Tournament(scorer, 4).rerank([request_of(10)])[0].scores)
    assert scorer.rounds() == [["0369", "147", "258"], ["468", "579"], ["6789"]]
    # the final; out in round 2: both third in their group; out in round 1: three thirds, one fourth
    assert order == [f"d{place}" for place in (9, 8, 7, 6, 4, 5, 1, 2, 3, 0)]


def test_groups_are_dealt_in_the_first_stages_order_and_show_its_scores() -> None:
    scorer = Spy(gold_of(6, 0), limit=4)
    first_stage = [0.5, 3.0, 1.0, 2.0, -1.0, 7.0]
    Tournament(scorer, 4).rerank([request_of(6, first_stage=first_stage)])
    assert scorer.rounds()[0] == ["530", "124"]
    for group in (group for call in scorer.shown for group in call):
        assert group.first_stage == tuple(first_stage[int(d.id.removeprefix("d"))] for d in group.candidates)


def test_a_group_that_advances_whole_is_not_scored() -> None:
    scorer = Spy({"d0": 0.0, "d1": 1.0, "d2": 2.0}, limit=2)
    assert list(Tournament(scorer, 2).rerank([request_of(3)])[0].scores) == ["d2", "d1", "d0"]
    assert scorer.rounds() == [["02"], ["12"]]
    wide = Spy(gold_of(53, 1), limit=52)
    Tournament(wide, 52).rerank([request_of(53)])
    assert [[len(group.candidates) for group in call] for call in wide.shown] == [[27], [52]]


def test_all_groups_of_all_requests_of_a_round_are_scored_in_one_call() -> None:
    scorer = Spy(gold_of(40, 2), limit=5)
    requests = [request_of(count, f"q{count}") for count in (40, 3, 12, 0, 6)]
    reranker = Tournament(scorer, 5)
    together = reranker.rerank(requests)
    assert [len({group.query.id for group in call}) for call in scorer.shown] == [1, 3, 3, 2, 1]
    assert together == [reranker.rerank([request])[0] for request in requests]


def test_diagnostics_are_means_over_the_calls() -> None:
    scorer = ByGold(dict.fromkeys(gold_of(6, 0), 0.5), limit=4)
    ranking = Tournament(scorer, 4).rerank([request_of(6)])[0]
    assert ranking.diagnostics == {"length": (3 + 3 + 4) / 3, "tied": 1.0, "constant": 1.0, "tournament": 1.0}


def test_a_tournament_takes_any_number_of_candidates_and_says_so() -> None:
    scorer = ByGold({}, limit=4)
    assert Tournament(scorer, 4).info == ModelInfo("logit", listwise=True, max_candidates=None, notes=("perfect",))
    assert Tournament(scorer, 4).rerank([]) == []
    assert Tournament(scorer, 4).rerank([request_of(0)])[0].items == ()


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_groups_in_which_nobody_meets_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"groups of {size} compare nothing"):
        Tournament(ByGold({}), size)
