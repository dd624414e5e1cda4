"""The generic rerankers and the gate in front of a plugin's own: nothing is lost, invented or left unscored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.data.collection import Collection
from rr.errors import PluginError, RegistryError, ScoringError
from rr.protocols import ModelInfo, Reranker, Settings
from rr.rerank.gate import score_all
from rr.rerank.sort import Sort, Window
from rr.training.quality import ranking_quality
from rr.types import Document, Query, RankedDocument, Ranking, Request, Scores
from rr_bench.keys import reranker_key
from rr_bench.loading import Checked, load_reranker
from rr_bench.registry import CandidatePlan, SplitPlan
from rr_bench.resolve import Resolved
from rr_bench.schema import RerankerEntry
from rr_bench.tournament import Tournament
from tests.core.scorers import ByGold, best_first, gold_of, request_of
from tests.preparing import prepare

UNTIED = {"tied": 0.0, "constant": 0.0}


class Answers:
    """A scorer that gives back what it was built with."""

    def __init__(self, answers: object) -> None:
        self._answers = answers

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("logit")

    def score(self, requests: Sequence[Request]) -> Any:
        return self._answers


# sort


@settings(deadline=None)
@given(count=st.integers(0, 300), seed=st.integers(0, 99))
def test_sort_scores_each_candidate_once_and_puts_the_best_first(count: int, seed: int) -> None:
    gold = gold_of(count, seed)
    scorer = ByGold(gold)
    ranking = Sort(scorer).rerank([request_of(count)])[0]
    assert list(ranking.scores) == best_first(gold)
    assert ranking.scores == gold
    assert scorer.seen == Counter({("q", id_): 1 for id_ in gold})


def test_sort_answers_in_the_order_of_the_requests_and_never_shows_an_empty_one() -> None:
    scorer = ByGold(gold_of(5, 0))
    requests = [request_of(0, "a"), request_of(3, "b"), request_of(0, "c"), request_of(5, "d"), request_of(0, "e")]
    rankings = Sort(scorer).rerank(requests)
    assert [ranking.query.id for ranking in rankings] == list("abcde")
    assert [len(ranking.items) for ranking in rankings] == [0, 3, 0, 5, 0]
    assert [ranking.diagnostics for ranking in rankings] == [
        {},
        {"length": 3.0, **UNTIED},
        {},
        {"length": 5.0, **UNTIED},
        {},
    ]
    assert scorer.calls == 1


def test_a_scorer_is_not_called_without_a_candidate() -> None:
    scorer = ByGold({}, limit=2)
    for reranker in (Sort(scorer), Window(scorer, 2, 1)):
        assert reranker.rerank([]) == []
        assert [ranking.items for ranking in reranker.rerank([request_of(0), request_of(0, "r")])] == [(), ()]
    assert scorer.calls == 0


BAD_ANSWERS = {
    "too few answers": ([], "0 answers to 1 requests"),
    "too many answers": ([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], "2 answers to 1 requests"),
    "too few scores": ([[1.0, 2.0]], "query 'q': 2 scores for 3 candidates"),
    "too many scores": ([[1.0] * 4], "query 'q': 4 scores for 3 candidates"),
    "NaN": ([[1.0, float("nan"), 2.0]], "1 of 3 scores are NaN or infinite"),
    "infinite": ([Scores((1.0, -float("inf"), 2.0))], "1 of 3 scores are NaN or infinite"),
    "nested": ([[[1.0], [2.0], [3.0]]], "not a flat sequence of numbers"),
    "one flat list for all": ([1.0], "not a flat sequence of numbers"),
}


@pytest.mark.parametrize(("answers", "message"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_an_answer_that_cannot_be_ranked_is_an_error(answers: object, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        Sort(Answers(answers)).rerank([request_of(3)])
    with pytest.raises(ScoringError, match=message):
        Window(Answers(answers), 3, 1).rerank([request_of(5)])


def test_an_answer_may_be_any_iterable() -> None:
    def generated() -> Iterator[list[float]]:
        yield [1.0, 2.0]

    assert [scores.values for scores in score_all(Answers(generated()), [request_of(2)])] == [(1.0, 2.0)]


@pytest.mark.parametrize("count", [5, 60])
def test_more_candidates_than_a_scorer_takes_are_refused_before_it_is_asked(count: int) -> None:
    """A window is what shows them in parts; whoever asks without one is told so."""
    scorer = ByGold(gold_of(60, 0), limit=4)
    message = f"^query 'long': {count} candidates, and the scorer takes 4 at once; rerank them in windows .*$"
    for ask in (partial(score_all, scorer), Sort(scorer).rerank):
        with pytest.raises(ScoringError, match=message):
            ask([request_of(4, "short"), request_of(0, "none"), request_of(count, "long")])
    assert scorer.calls == 0
    assert len(score_all(scorer, [request_of(4), request_of(0)])[0].values) == 4
    assert Window(scorer, 4, 2).rerank([request_of(count)])[0].items[0].rank == 1


@pytest.mark.parametrize(
    ("values", "tied", "constant"),
    [
        ([1.0, 2.0, 3.0], 0.0, 0.0),
        ([1.0, 2.0, 1.0], 1.0, 0.0),
        ([0.5, 0.5, 0.5], 1.0, 1.0),
        ([0.5], 0.0, 0.0),  # one candidate cannot be told from another
    ],
)
def test_a_ranking_says_whether_its_scores_were_tied(values: list[float], tied: float, constant: float) -> None:
    request = request_of(len(values))
    own = Checked(Gives(lambda requests: [Ranking.from_scores(requests[0], values)]))
    for reranker in (Sort(Answers([values])), Window(Answers([values]), 3, 1), own):
        assert reranker.rerank([request])[0].diagnostics == {"tied": tied, "constant": constant}


def test_scores_that_only_64_bits_tell_apart_are_tied_and_said_to_be_lost() -> None:
    values, request = [1.0, 1.0 + 1e-12, 2.0], request_of(3)
    own = Checked(Gives(lambda requests: [Ranking.from_scores(requests[0], values)]))
    for reranker in (Sort(Answers([values])), Window(Answers([values]), 3, 1), own):
        found = reranker.rerank([request])[0]
        assert found.diagnostics == {"tied": 1.0, "constant": 0.0, "lost_in_32_bits": 1.0}


# window


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, int, int]:
    """(length, size, stride), with lengths that do not divide."""
    size = draw(st.one_of(st.integers(2, 8), st.integers(2, 320)))
    return draw(st.integers(0, 300)), size, draw(st.integers(max(1, size - 40), size - 1) | st.integers(1, size - 1))


@settings(max_examples=150, deadline=None)
@given(shape=windows(), seed=st.integers(0, 99), with_first_stage=st.booleans())
def test_a_window_scores_every_candidate_and_loses_none(
    shape: tuple[int, int, int], seed: int, with_first_stage: bool
) -> None:
    count, size, stride = shape
    gold = gold_of(count, seed)
    scorer = ByGold(gold, limit=size)
    first_stage = gold_of(count, seed + 1).values() if with_first_stage else None
    ranking = Window(scorer, size, stride).rerank([request_of(count, first_stage=first_stage and list(first_stage))])[0]
    assert sorted(ranking.scores) == sorted(gold)
    assert set(scorer.seen) == {("q", id_) for id_ in gold}
    if count > size:
        assert scorer.calls == -(-(count - size) // stride) + 1
        assert list(ranking.scores.values()) == [float(count - place) for place in range(count)]
        assert ranking.diagnostics["windowed"] == 1.0
    else:
        assert scorer.calls == bool(count)
        assert ranking.scores == gold
        assert "windowed" not in ranking.diagnostics
    sure = min(size - stride, count)  # what overlaps is carried to the front
    assert list(ranking.scores)[:sure] == best_first(gold)[:sure]


def window_starts(count: int, size: int, stride: int) -> list[int]:
    """Where each window starts, while none of them changes the order."""
    documents = list(request_of(count).candidates)
    turns = Window(ByGold({}), size, stride)._turns(documents, size)
    parts, starts = next(turns), list[int]()
    while True:
        starts.append(documents.index(parts[0][0]) if parts[0] else 0)
        try:
            parts = turns.send([list(part) for part in parts])
        except StopIteration:
            return starts


@given(count=st.integers(0, 400), size=st.integers(2, 50), stride=st.integers(1, 49))
def test_windows_start_back_to_front_and_leave_no_gap(count: int, size: int, stride: int) -> None:
    stride = min(stride, size - 1)
    starts = window_starts(count, size, stride)
    assert starts == sorted(set(starts), reverse=True)
    assert starts[-1] == 0
    assert {place for start in starts for place in range(start, start + size)} >= set(range(count))
    assert starts[0] + size >= count
    assert all(start + size <= max(count, size) for start in starts)


def test_a_window_slides_over_the_first_stages_order() -> None:
    scorer = ByGold({f"d{place}": float(place == 0) for place in range(9)}, limit=3)
    shown_first = request_of(9, first_stage=[-9.0, *range(8)])
    assert next(iter(Window(scorer, 3, 1).rerank([shown_first])[0].scores)) == "d0"
    seen: list[list[str]] = []

    class Spy(ByGold):
        def score(self, requests: Sequence[Request]) -> list[Scores]:
            seen.extend([document.id for document in request.candidates] for request in requests)
            return super().score(requests)

    # a scorer that knows nothing leaves ties, which go by descending id, here the first stage's order: so the windows
    # show it from its back to its front, whatever place its worst document is shown at
    Window(Spy({f"d{place}": 0.0 for place in range(9)}, limit=3), 3, 2).rerank([shown_first])
    assert [sorted(ids) for ids in seen] == [[f"d{place}" for place in range(n, n + 3)] for n in (0, 2, 4, 6)]


def test_without_first_stage_scores_a_window_slides_over_the_given_order() -> None:
    scorer = ByGold({"d0": 3.0, "d1": 2.0, "d2": 1.0, "d3": 0.0}, limit=2)
    assert list(Window(scorer, 2, 1).rerank([request_of(4)])[0].scores) == ["d0", "d1", "d2", "d3"]


@settings(deadline=None, max_examples=50)
@given(counts=st.lists(st.integers(0, 40), max_size=6), size=st.integers(2, 12), seed=st.integers(0, 99))
def test_requests_do_not_depend_on_which_come_together(counts: list[int], size: int, seed: int) -> None:
    gold = gold_of(40, seed)
    requests = [request_of(count, f"q{place}") for place, count in enumerate(counts)]
    reranker = Window(ByGold(gold, limit=size), size, size // 2)
    assert reranker.rerank(requests) == [reranker.rerank([request])[0] for request in requests]


def test_diagnostics_of_windows_are_means_over_the_calls() -> None:
    # d3 and d4 are tied where both are in the window, which is in the first of two calls
    scorer = ByGold({"d0": 4.0, "d1": 3.0, "d2": 2.0, "d3": 1.0, "d4": 1.0}, limit=4)
    ranking = Window(scorer, 4, 2).rerank([request_of(5)])[0]
    assert ranking.diagnostics == {"length": 4.0, "tied": 0.5, "constant": 0.0, "windowed": 1.0}
    assert scorer.calls == 2


def test_a_window_does_not_hide_that_all_scores_are_equal() -> None:
    ranking = Window(ByGold(dict.fromkeys(gold_of(10, 0), 0.5), limit=4), 4, 2).rerank([request_of(10)])[0]
    assert ranking.diagnostics == {"length": 4.0, "tied": 1.0, "constant": 1.0, "windowed": 1.0}


def test_each_window_shows_its_candidates_first_stage_scores() -> None:
    seen: list[Request] = []

    class Spy(ByGold):
        def score(self, requests: Sequence[Request]) -> list[Scores]:
            seen.extend(requests)
            return super().score(requests)

    first_stage = {f"d{place}": place / 7 for place in range(10)}
    window = Window(Spy(gold_of(10, 3), limit=4), 4, 2)
    window.rerank([request_of(10, first_stage=list(first_stage.values()))])
    assert len(seen) == 4
    for request in seen:
        assert request.first_stage == tuple(first_stage[document.id] for document in request.candidates)
    seen.clear()
    window.rerank([request_of(10)])
    assert [request.first_stage for request in seen] == [None] * 4


def test_a_window_takes_any_number_of_candidates_and_says_so() -> None:
    scorer = ByGold({}, limit=4)
    assert scorer.info.max_candidates == 4
    assert Window(scorer, 4, 2).info == ModelInfo("logit", listwise=True, max_candidates=None, notes=("perfect",))
    assert Sort(scorer).info == scorer.info


@pytest.mark.parametrize(("size", "stride"), [(4, 0), (4, 4), (4, 5), (4, -1), (1, 1), (0, 0)])
def test_a_stride_that_would_carry_nothing_or_stand_still_is_refused(size: int, stride: int) -> None:
    with pytest.raises(ValueError, match=f"stride {stride} must be above 0 and below the window's size {size},"):
        Window(ByGold({}), size, stride)


# the gate in front of a plugin's own reranker


class Gives:
    """A reranker that gives back what a function makes of its requests."""

    def __init__(self, make: Callable[[Sequence[Request]], object]) -> None:
        self._make = make

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("rank", notes=("own",))

    def rerank(self, requests: Sequence[Request]) -> Any:
        return self._make(requests)


def ranking_of(request: Request, ids: Sequence[str], score: float | None = None) -> Ranking:
    items = tuple(
        RankedDocument(Document(id_, ""), float(-rank) if score is None else score, rank)
        for rank, id_ in enumerate(ids, 1)
    )
    return Ranking(request.query, items, {"own": 1.0})


def test_a_rerankers_own_order_and_diagnostics_pass_the_gate() -> None:
    reranker = Checked(Gives(lambda requests: [ranking_of(r, ["d2", "d0", "d1"]) for r in requests]))
    rankings = reranker.rerank([request_of(3, "a"), request_of(3, "b")])
    assert [ranking.query.id for ranking in rankings] == ["a", "b"]
    assert list(rankings[0].scores.items()) == [("d2", -1.0), ("d0", -2.0), ("d1", -3.0)]
    assert rankings[0].diagnostics == {"own": 1.0, **UNTIED}
    assert rankings[0].items[0].document == request_of(3).candidates[2]
    assert reranker.info == ModelInfo("rank", notes=("own",))


BAD_RANKINGS: dict[str, tuple[Sequence[str], str]] = {
    "a duplicate in place of one": (["d0", "d0", "d1"], r"3 documents \(2 distinct, 2 of them candidates\) for 3"),
    "a duplicate besides all": (["d0", "d1", "d2", "d2"], r"4 documents \(3 distinct, 3 of them candidates\) for 3"),
    "one missing": (["d0", "d2"], r"2 documents \(2 distinct, 2 of them candidates\) for 3"),
    "all missing": ([], r"0 documents \(0 distinct, 0 of them candidates\) for 3"),
    "a foreign one besides all": (["d0", "d1", "d2", "x"], r"4 documents \(4 distinct, 3 of them candidates\) for 3"),
    "a foreign one in place of one": (["d0", "x", "d2"], r"3 documents \(3 distinct, 2 of them candidates\) for 3"),
}


@pytest.mark.parametrize(("ids", "message"), BAD_RANKINGS.values(), ids=BAD_RANKINGS)
def test_a_ranking_that_does_not_hold_each_candidate_once_is_an_error(ids: Sequence[str], message: str) -> None:
    with pytest.raises(ScoringError, match=f"query 'q': the ranking holds {message} candidates; rank each once"):
        Checked(Gives(lambda requests: [ranking_of(requests[0], ids)])).rerank([request_of(3)])


@pytest.mark.parametrize("answer", [None, [1.0, 2.0, 3.0], Scores((1.0, 2.0, 3.0)), ["d0", "d1", "d2"]])
def test_what_is_no_ranking_is_an_error(answer: object) -> None:
    with pytest.raises(ScoringError, match=f"query 'q': the reranker answered {type(answer).__name__}, not Ranking"):
        Checked(Gives(lambda _: [answer])).rerank([request_of(3)])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_ranking_a_request_is_asked_for(count: int) -> None:
    reranker = Checked(Gives(lambda requests: [ranking_of(requests[0], ["d0"])] * count))
    with pytest.raises(ScoringError, match=f"{count} rankings for 2 requests"):
        reranker.rerank([request_of(1, "a"), request_of(1, "b")])


def test_rankings_in_another_order_than_the_requests_are_an_error() -> None:
    reranker = Checked(Gives(lambda requests: [ranking_of(r, ["d0", "d1"]) for r in reversed(requests)]))
    with pytest.raises(ScoringError, match="query 'a': the reranker answered query 'b' in its place"):
        reranker.rerank([request_of(2, "a"), request_of(2, "b")])


def test_a_ranking_of_nan_is_an_error_and_a_constant_one_goes_by_id() -> None:
    with pytest.raises(ScoringError, match="3 of 3 scores are NaN"):
        Checked(Gives(lambda r: [ranking_of(r[0], ["d0", "d1", "d2"], float("nan"))])).rerank([request_of(3)])
    constant = Checked(Gives(lambda r: [ranking_of(r[0], ["d0", "d1", "d2"], 1.0)])).rerank([request_of(3)])[0]
    assert list(constant.scores) == ["d2", "d1", "d0"]


def test_a_reranker_may_rank_nothing_where_nothing_is_to_be_ranked() -> None:
    assert Checked(Gives(lambda r: [ranking_of(r[0], [])])).rerank([request_of(0)])[0].items == ()


# which generic reranker a scorer gets


def loaded(target: Any, **entry: object) -> Reranker:
    return load_reranker(
        Resolved("mine", RerankerEntry.model_validate({"scorer": "x", **entry}), target, Settings()), None
    )


def limited_to(limit: int | None) -> Callable[[Settings, Path | None], ByGold]:
    return lambda _settings, _checkpoint: ByGold(gold_of(9, 1), limit)


def test_a_scorer_that_takes_any_number_is_sorted_and_a_limited_one_windowed() -> None:
    assert isinstance(loaded(limited_to(None)), Sort)
    windowed = loaded(limited_to(4))
    assert isinstance(windowed, Window)
    assert list(windowed.rerank([request_of(9)])[0].scores)[:2] == best_first(gold_of(9, 1))[:2]


@pytest.mark.parametrize(("limit", "entry"), [(0, {}), (1, {}), (1, {"window": 2}), (4, {"window": 5})])
def test_a_window_that_the_scorer_cannot_take_or_that_compares_nothing_is_refused(
    limit: int, entry: dict[str, int]
) -> None:
    window = entry.get("window", limit)
    with pytest.raises(PluginError, match=f"takes {limit} candidates at once; a window of {window} does not fit"):
        loaded(limited_to(limit), **entry)


def test_the_smallest_limit_still_brings_the_best_to_the_front() -> None:
    gold = gold_of(9, 1)
    assert next(iter(loaded(limited_to(2)).rerank([request_of(9)])[0].scores)) == best_first(gold)[0]


def test_quality_on_a_split_keeps_to_the_limit_of_the_scorer() -> None:
    documents = {f"d{place}": Document(f"d{place}", "phòng") for place in range(9)}
    queries = {f"q{place}": Query(f"q{place}", f"phòng {place}") for place in range(10)}
    collection = Collection(documents, queries, {query_id: {"d5": 1} for query_id in queries})
    dataset = prepare("n", collection, SplitPlan.model_validate({}), CandidatePlan.model_validate({}))
    assert all(len(row) == 9 for row in dataset.candidates.values())
    scorer = ByGold({**dict.fromkeys(documents, 0.0), "d5": 1.0}, limit=2)  # asserts its limit
    assert ranking_quality(scorer, dataset) == 1.0
    assert scorer.calls


def test_window_and_stride_of_an_entry_are_used() -> None:
    scorers: list[ByGold] = []

    def build(_settings: Settings, _checkpoint: Path | None) -> ByGold:
        scorers.append(ByGold(gold_of(9, 1), 8))
        return scorers[-1]

    for entry, calls in (({}, 2), ({"window": 3}, 7), ({"window": 4, "stride": 1}, 6), ({"window": 4, "stride": 3}, 3)):
        loaded(build, **entry).rerank([request_of(9)])
        assert scorers[-1].calls == calls, entry


def test_a_tournament_and_permutations_of_an_entry_are_used() -> None:
    tournament = loaded(limited_to(4), beyond="tournament")
    assert isinstance(tournament, Tournament)
    assert tournament.rerank([request_of(9)])[0].diagnostics["tournament"] == 1.0
    assert isinstance(loaded(limited_to(None), beyond="tournament"), Sort)
    assert isinstance(loaded(limited_to(None), beyond="tournament", window=3), Tournament)
    scorers: list[ByGold] = []

    def build(_settings: Settings, _checkpoint: Path | None) -> ByGold:
        scorers.append(ByGold(gold_of(9, 1), 6))
        return scorers[-1]

    for entry, asked in (({}, 1), ({"permutations": 3}, 3), ({"permutations": 4, "permutation": "random"}, 4)):
        ranking = loaded(build, **entry).rerank([request_of(5)])[0]
        assert ranking.diagnostics.get("permutations", 1.0) == asked
        assert scorers[-1].seen["q", "d0"] == asked
    with pytest.raises(PluginError, match="leave 'permutations' out"):
        loaded(lambda *_: Answers([]), permutations=2)


def test_whatever_decides_what_is_shown_changes_the_fingerprint_that_scores_are_kept_under() -> None:
    entries: list[dict[str, object]] = [
        {},
        {"window": 4},
        {"window": 4, "stride": 1},
        {"beyond": "tournament"},
        {"beyond": "tournament", "window": 4},
        {"permutations": 2},
        {"permutations": 2, "permutation": "random"},
    ]
    made = [
        reranker_key(Resolved("mine", RerankerEntry.model_validate({"scorer": "x", **entry}), ByGold, Settings()))
        for entry in entries
    ]
    assert len(set(made)) == len(entries)


def test_a_rerankers_own_component_stands_behind_the_gate() -> None:
    reranker = loaded(lambda *_: Gives(lambda requests: []), scorer=None, reranker="x")
    with pytest.raises(ScoringError, match="0 rankings for 1 requests"):
        reranker.rerank([request_of(3)])


def test_a_component_that_cannot_be_built_is_a_plugin_error_with_its_cause() -> None:
    def breaks(_settings: Settings, _checkpoint: Path | None) -> ByGold:
        raise OSError("no\nsuch file")

    with pytest.raises(PluginError, match="reranker 'mine' cannot be loaded: OSError: no such file") as caught:
        loaded(breaks)
    assert isinstance(caught.value.__cause__, OSError)

    def explains(_settings: Settings, _checkpoint: Path | None) -> ByGold:
        raise RegistryError("as it is")

    with pytest.raises(RegistryError, match=r"\Areranker 'mine': as it is\Z"):
        loaded(explains)
