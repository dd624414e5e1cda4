"""What is trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from rr import Dataset, Document, Query, RerankError
from rr.data.collection import Collection
from rr_bench.registry import CandidatePlan, SplitPlan
from rr_letters.samples import Epoch, Sample, cuts
from rr_letters.settings import LetterTraining
from tests.plugins.letters.helpers import choices
from tests.preparing import prepare


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


# --- sequences


def sequences(*ids: str, relevant: tuple[str, ...] = ("f59",)) -> Dataset:
    """A data set of one user who met the given films, and then the relevant ones."""
    films = {f"f{n:02}": Document(f"f{n:02}", "", f"Film {n}") for n in range(60)}
    queries = {name: Query(name, f"next {name}", tuple(films[id_] for id_ in ids)) for name in ("u0", "u1", "u2", "u3")}
    collection = Collection(films, queries, {name: dict.fromkeys(relevant, 1) for name in queries})
    plan = CandidatePlan(retriever="popularity", depth=8, protocol="oracle")
    made = prepare("sequences", collection, SplitPlan(dev=0.25, test=0.25), plan)
    return replace(made, splits={**made.splits, "train": ("u0",)})


def questions(dataset: Dataset, every_prefix: bool = True) -> set[tuple[int, str]]:
    return {(cut.cut, cut.target) for cut in cuts(dataset, every_prefix, 0, 0)}


def test_every_prefix_is_asked_about_once(watched: Dataset) -> None:
    expected: Counter[tuple[str, tuple[str, ...], str]] = Counter()
    for user in watched.splits["train"]:
        sequence = [document.id for document in watched.queries[user].history] + sorted(watched.relevant(user))
        expected.update((user, tuple(sequence[:cut]), sequence[cut]) for cut in range(1, len(sequence)))
    samples = choices(watched, LetterTraining(), 3)
    found = Counter(
        (request.query.id, tuple(met.id for met in request.query.history), request.candidates[place].id)
        for request, place in samples
    )
    assert found == expected
    assert len(samples) > 100


def test_what_a_sequence_repeats_is_not_asked_for_again() -> None:
    assert questions(sequences("f00", "f01", "f00", "f02")) == {(1, "f01"), (3, "f02"), (4, "f59")}
    assert questions(sequences("f00", "f01", relevant=("f01",))) == {(1, "f01")}
    assert questions(sequences("f00", "f00", relevant=("f00",))) == set()
    assert questions(sequences("f00", "f00", relevant=("f00",)), every_prefix=False) == set()
    with pytest.raises(RerankError, match=r"'sequences': no train query has a target to ask about"):
        choices(sequences("f00", relevant=("f00",)), LetterTraining(), 0)


def test_several_relevant_documents_are_a_question_each() -> None:
    assert questions(sequences("f00", "f01", relevant=("f58", "f59"))) == {(1, "f01"), (2, "f58"), (2, "f59")}


def test_one_cut_is_one_question_a_user_drawn_alike_from_all(watched: Dataset) -> None:
    drawn: dict[str, Counter[int]] = {}
    for epoch in range(400):
        epochs = cuts(watched, False, 7, epoch)
        assert sorted(cut.query_id for cut in epochs) == sorted(watched.splits["train"])
        for cut in epochs:
            drawn.setdefault(cut.query_id, Counter())[cut.cut] += 1
    for user, counts in drawn.items():
        length = len(watched.queries[user].history)
        assert set(counts) == set(range(1, length + 1))
        expected = 400 / length
        assert sum((count - expected) ** 2 / expected for count in counts.values()) < length + 6 * length**0.5  # χ²
    assert cuts(watched, False, 7, 0) != cuts(watched, False, 8, 0)


def test_nothing_of_what_came_after_is_told(watched: Dataset) -> None:
    """Neither the target nor a negative was met, before or after; the text, which tells of the newest titles, is left
    out where it would tell the future."""
    cut = whole = 0
    for request, place in choices(watched, LetterTraining(candidates=30), 0):
        full = watched.queries[request.query.id]
        met = [document.id for document in full.history]
        shown = [document.id for document in request.candidates]
        assert len(set(shown)) == len(shown) == 30
        assert shown[place] not in {document.id for document in request.query.history}
        negatives = {*shown} - {shown[place]}
        assert not negatives & {*met, *watched.relevant(request.query.id)}
        assert request.query.history == full.history[: len(request.query.history)]
        if len(request.query.history) < len(met):
            assert (request.query.text, shown[place]) == ("", met[len(request.query.history)])
            cut += 1
        else:
            assert request.query == full
            whole += 1
    assert cut > whole == len(watched.splits["train"])


def test_only_the_train_split_is_asked(watched: Dataset) -> None:
    assert {cut.query_id for cut in cuts(watched, True, 0, 0)} == set(watched.splits["train"])


@pytest.mark.parametrize("samples", ["every-prefix", "one-cut"])
def test_samples_of_a_seed_and_an_epoch(watched: Dataset, samples: str) -> None:
    def drawn(epoch: int, seed: int = 0) -> list[Sample]:
        return choices(watched, LetterTraining.model_validate({"samples": samples, "seed": seed}), epoch)

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(0, seed=1)
    ids = [{d.id for d in request.candidates} for request, _ in drawn(0)]
    assert not [one for one in ids if one in [{d.id for d in request.candidates} for request, _ in drawn(1)]]


def test_a_slice_of_an_epoch_is_what_its_items_are(watched: Dataset) -> None:
    epoch = Epoch(watched, True, 5, 0, 0)
    assert epoch[3:9:2] == [epoch[3], epoch[5], epoch[7]]
    assert len(epoch[len(epoch) - 2 : len(epoch) + 5]) == 2


def test_places_are_balanced_over_every_prefix(watched: Dataset) -> None:
    counts = Counter(place for epoch in range(3) for _, place in choices(watched, LetterTraining(candidates=20), epoch))
    assert set(counts) == set(range(20))
    assert max(counts.values()) - min(counts.values()) <= 1


# --- questions that share their candidates


@pytest.mark.parametrize("questions", [2, 4, 7])
def test_questions_share_their_candidates(learnable: Dataset, watched: Dataset, questions: int) -> None:
    """What is asked is what is asked alone; each has its own answer, and nothing else that its query knows."""
    for dataset in (learnable, watched):
        options = LetterTraining(candidates=12, questions=questions)
        alone, together = choices(dataset, LetterTraining(candidates=12), 1), choices(dataset, options, 1)

        def asked(samples: list[Sample]) -> Counter[tuple[str, int, str]]:
            return Counter((r.query.id, len(r.query.history), r.candidates[place].id) for r, place in samples)

        assert asked(together) == asked(alone)
        for request, place in together:
            full = dataset.queries[request.query.id]
            known = {document.id for document in full.history} | dataset.relevant(full.id)
            assert len({document.id for document in request.candidates}) == 12
            assert {document.id for document in request.candidates} & known == {request.candidates[place].id}
        shared = Counter(tuple(document.id for document in request.candidates) for request, _ in together)
        assert max(shared.values()) == questions
        assert list(shared.values()).count(questions) >= 0.6 * (len(together) // questions)
        places: dict[tuple[str, ...], list[int]] = {}
        for request, place in together:
            places.setdefault(tuple(document.id for document in request.candidates), []).append(place)
        assert all(len(set(own)) == len(own) for own in places.values())


def test_places_are_balanced_where_candidates_are_shared(watched: Dataset) -> None:
    options = LetterTraining(candidates=20, questions=4)
    counts = Counter(place for epoch in range(3) for _, place in choices(watched, options, epoch))
    assert set(counts) == set(range(20))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_shares_candidates_stands_together_and_is_the_same_for_the_same_seed(watched: Dataset) -> None:
    options = LetterTraining(candidates=9, questions=3)
    assert choices(watched, options, 0) == choices(watched, options, 0)
    assert choices(watched, options, 0) != choices(watched, options, 1)
    epoch = Epoch(watched, True, 9, 0, 0, 3)
    assert epoch[2:9:3] == [epoch[2], epoch[5], epoch[8]]
    shown = [tuple(document.id for document in request.candidates) for request, _ in epoch]
    assert len(set(shown)) == sum(one != other for one, other in pairwise(shown)) + 1
    assert shown[0] == shown[1] == shown[2] != shown[3]


def test_queries_that_answer_one_another_are_asked_apart(learnable: Dataset) -> None:
    """Everybody's answer is the same: no two of them can be asked of the same candidates."""
    answer = min(learnable.documents)
    same = replace(learnable, qrels={query_id: {answer: 1} for query_id in learnable.qrels}, hard_negatives={})
    options = {"candidates": 6, "seed": 3}
    alone = choices(same, LetterTraining.model_validate(options), 0)
    assert choices(same, LetterTraining.model_validate({**options, "questions": 4}), 0) == alone


def test_the_text_of_an_answer_is_no_negative_of_another_question(learnable: Dataset) -> None:
    """The same text under another id answers it as well."""
    twins = {
        id_: replace(document, title="", text=f"twin {number // 2}")
        for number, (id_, document) in enumerate(sorted(learnable.documents.items()))
    }
    dataset = replace(learnable, documents=twins)
    assert len({d.text for d in twins.values()}) < len(twins)
    for request, place in choices(dataset, LetterTraining(candidates=8, questions=4), 0):
        own = {dataset.documents[id_].text for id_ in dataset.relevant(request.query.id)}
        assert [one.text in own for one in request.candidates].count(True) == 1, place


def test_more_questions_than_candidates_are_refused() -> None:
    with pytest.raises(ValueError, match="questions"):
        LetterTraining(candidates=4, questions=5)


def test_a_history_may_hold_what_is_no_document_here(watched: Dataset) -> None:
    """Its first item is asked about by nobody, and need not be in the corpus."""
    gone = Document("gone", "", "A film that was withdrawn")
    first = watched.splits["train"][0]
    query = replace(watched.queries[first], history=(gone, *watched.queries[first].history))
    dataset = replace(watched, queries={**watched.queries, first: query})
    for questions in (1, 3):
        asked = choices(dataset, LetterTraining(candidates=8, questions=questions), 0)
        assert any(request.query.history[:1] == (gone,) for request, _ in asked)
