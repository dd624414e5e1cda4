"""What is trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from rr import Dataset, RerankError
from rr_letters.trainer import LetterTraining
from tests.plugins.letters.helpers import choices


def test_every_letter_is_the_answer_equally_often(learnable: Dataset) -> None:
    options = LetterTraining(candidates=9)
    samples = choices(learnable, options, 0)
    assert Counter(len(request.candidates) for request, _ in samples) == {9: len(samples)}
    counts = Counter(place for _, place in samples)
    assert set(counts) == set(range(9))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_every_letter_is_the_answer_equally_often_over_the_epochs(watched: Dataset) -> None:
    """24 prompts of 20 candidates: four letters of each epoch are the answer twice, but not always the same four."""
    options = LetterTraining(candidates=20, samples="one-cut")
    assert len(watched.splits["train"]) == 24
    counts: Counter[int] = Counter()
    for epoch in range(100):
        counts.update(place for _, place in choices(watched, options, epoch))
    assert set(counts) == set(range(20))
    assert max(counts.values()) < 1.3 * min(counts.values())


def test_prompts_of_as_many_candidates_as_there_are(watched: Dataset) -> None:
    for request, _ in choices(watched, LetterTraining(candidates=52), 0):
        assert len(request.candidates) == min(52, 60 - len(watched.queries[request.query.id].history))


def test_choices_are_every_positive_among_negatives(learnable: Dataset) -> None:
    samples = choices(learnable, LetterTraining(candidates=9), 0)
    answers = Counter((request.query.id, request.candidates[place].id) for request, place in samples)
    assert answers == Counter((q, id_) for q in learnable.splits["train"] for id_ in learnable.relevant(q))
    for request, place in samples:
        shown = {document.id for document in request.candidates}
        assert shown & learnable.relevant(request.query.id) == {request.candidates[place].id}


def test_half_of_the_negatives_are_hard(learnable: Dataset) -> None:
    hard = total = 0
    for request, _ in choices(learnable, LetterTraining(candidates=7), 0):
        named = {negative.document_id for negative in learnable.hard_negatives[request.query.id]}
        mined = {*learnable.candidates[request.query.id], *named}
        found = sum(document.id in mined for document in request.candidates) - 1
        assert found >= 3
        hard, total = hard + found, total + 6
    assert hard < total  # and the rest come from anywhere


def test_choices_are_fresh_in_every_epoch_and_the_same_for_the_same_seed(learnable: Dataset) -> None:
    def drawn(epoch: int, seed: int = 0) -> list[tuple[str, tuple[str, ...], int]]:
        samples = choices(learnable, LetterTraining(candidates=6, seed=seed), epoch)
        return [(r.query.id, tuple(document.id for document in r.candidates), place) for r, place in samples]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert drawn(0) != drawn(0, seed=1)
    assert {row[:2] for row in drawn(0)}.isdisjoint({row[:2] for row in drawn(1)})


def test_a_corpus_of_positives_only_is_an_error(learnable: Dataset) -> None:
    everything = dict.fromkeys(learnable.documents, 1)
    with pytest.raises(RerankError, match="no negatives to choose from"):
        choices(replace(learnable, qrels=dict.fromkeys(learnable.qrels, everything)), LetterTraining(), 0)
