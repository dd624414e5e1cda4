"""BM25: one arithmetic for a corpus, for a search of one that is larger than memory, and for a request. bm25s, which
computes the same in another way, is what it is compared with, to the last bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import bm25s
import numpy as np
import pytest

from rr import Corpus, Document, Query, Request
from rr.files import home
from rr.files.kept import KEEPING
from rr_baselines import bm25 as scoring
from rr_baselines.bm25 import Bm25Scorer
from rr_baselines.first_stages import bm25 as searching
from rr_baselines.first_stages import postings
from rr_baselines.first_stages.bm25 import Bm25
from rr_baselines.first_stages.postings import Ids, Postings
from rr_baselines.settings import Bm25Settings
from rr_baselines.text import Analysis, words

LETTERS = "abcdefghijklmnopqrstuvwxyzđế"
DRAWN = random.Random(7)


def drawn(most: int) -> str:
    return " ".join(DRAWN.choice(LETTERS) * DRAWN.randint(1, 2) for _ in range(DRAWN.randint(0, most)))


DOCUMENTS = [Document(f"số {n}", drawn(40), drawn(3)) for n in range(1500)]
QUERIES = [Query(str(n), drawn(6)) for n in range(40)] + [Query("none", ""), Query("odd", "?! xyzzy")]
SETTINGS: list[dict[str, Any]] = [{}, {"k1": 0.9, "b": 0.4}, {"k1": 0, "b": 0}, {"k1": 1, "b": 1}]
ANALYSED = [{"stem": "english", "stop_words": ["aa", "b"]}, {"stop_words": ["a"], "fold_accents": True}]


def by_bm25s(documents: list[Document], query: str, k1: float = 1.2, b: float = 0.4) -> list[float]:
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index([words(document.content) for document in documents], show_progress=False)
    asked = [word for word in words(query) if word in index.vocab_dict]
    return index.get_scores(asked).tolist() if asked else [0.0] * len(documents)


class OnDisk:
    """Documents as a large corpus gives them: one after the other, each time anew."""

    passes = 0

    def __len__(self) -> int:
        return len(DOCUMENTS)

    def __contains__(self, one: object) -> bool:
        raise AssertionError("nobody should look for one")

    def __iter__(self) -> Iterator[Document]:
        self.passes += 1
        return (Document(one.id, one.text, one.title) for one in DOCUMENTS)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus is large from 1,000 documents on; postings are made every 500 words, and go to disk beyond 300."""
    monkeypatch.setattr(searching, "LARGE", 1000)
    monkeypatch.setattr(searching, "KEPT", 1000)
    monkeypatch.setattr(postings, "READ", 500)
    monkeypatch.setattr(postings, "HELD", 300)
    monkeypatch.setattr(postings, "REMEMBERED", 10)


def fitted(documents: Any = DOCUMENTS, **settings: Any) -> Bm25:
    retriever = Bm25(Bm25Settings(**settings))
    retriever.fit(Corpus(documents))
    return retriever


def best(scores: dict[str, float], depth: int) -> dict[str, float]:
    floor = min(sorted(scores.values(), reverse=True)[:depth], default=0.0)
    return {id_: score for id_, score in scores.items() if score >= floor}


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_scores_are_those_of_bm25s_to_the_last_bit(settings: dict[str, Any]) -> None:
    retriever = fitted(**settings)
    for query in QUERIES:
        there = by_bm25s(DOCUMENTS, query.text, **settings)
        found = {d.id: score for d, score in zip(DOCUMENTS, there, strict=True) if score > 0}
        assert retriever.scores(query) == found


@pytest.mark.parametrize("depth", [1, 20, 10_000])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_search_gives_the_best_and_their_ties(settings: dict[str, Any], depth: int) -> None:
    retriever = fitted(**settings)
    found = list(retriever.search(QUERIES, depth))
    assert found == [best(retriever.scores(query), depth) for query in QUERIES]
    if depth == 20:
        assert settings.get("k1") != 0 or max(map(len, found)) > depth  # there are ties


@pytest.mark.parametrize("settings", [*SETTINGS, *ANALYSED], ids=str)
@pytest.mark.usefixtures("large")
def test_a_large_corpus_is_gone_through_once_a_search_and_gives_the_same(settings: dict[str, Any]) -> None:
    small, documents = fitted(DOCUMENTS[:0], **settings), OnDisk()
    small._index = searching._Index(Postings(DOCUMENTS, Analysis(small._settings)), small._settings)
    retriever = fitted(documents, **settings)
    assert documents.passes == 0
    assert list(retriever.search(QUERIES, 20)) == list(small.search(QUERIES, 20))
    assert documents.passes == 1
    assert [retriever.scores(query) for query in QUERIES[:3]] == [small.scores(query) for query in QUERIES[:3]]
    assert documents.passes == 4


@pytest.mark.usefixtures("large")
def test_what_is_too_much_for_memory_goes_to_a_file_that_is_never_seen() -> None:
    index = Postings(OnDisk(), Analysis(Bm25Settings()))
    assert index._file is not None
    assert sum(part.pairs is None for part in index._parts) > 10 > sum(part.pairs is not None for part in index._parts)
    assert list(home().iterdir()) == []
    for term, number in index.terms.items():
        texts = [words(document.content) for document in DOCUMENTS]
        assert index[number].tolist() == [[row, text.count(term)] for row, text in enumerate(texts) if term in text]


def test_ids_come_back_as_they_were() -> None:
    ids = Ids()
    given = ["a", "", "đường 5", "\u00a0x", "\ud800"]
    for one in given:
        ids.append(one)
    assert [ids[row] for row in range(len(ids))] == given


def test_a_corpus_without_words_finds_nothing() -> None:
    for documents in ([], [Document("a", ""), Document("b", "…")]):
        retriever = fitted(documents)
        assert retriever.scores(Query("q", "a")) == {}
        assert list(retriever.search([Query("q", "a"), Query("r", "")], 5)) == [{}, {}]


# over a request


def request(query: Query, documents: list[Document]) -> Request:
    return Request(query, tuple(documents))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_of_a_request_too_scores_are_those_of_bm25s(settings: dict[str, Any]) -> None:
    requests = [request(query, DRAWN.sample(DOCUMENTS, 25)) for query in QUERIES]
    found = Bm25Scorer(Bm25Settings(**settings)).score(requests)
    assert found == [by_bm25s(list(one.candidates), one.query.text, **settings) for one in requests]


def test_what_is_kept_of_documents_changes_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [request(query, DRAWN.sample(DOCUMENTS[:60], 25)) for query in QUERIES]
    alone = [Bm25Scorer(Bm25Settings()).score([one])[0] for one in requests]
    scorer = Bm25Scorer(Bm25Settings())
    assert scorer.score(requests) == alone
    assert scorer.score(requests[::-1]) == alone[::-1]
    monkeypatch.setattr(scoring, "KEPT", 20_000)
    scorer = Bm25Scorer(Bm25Settings())
    assert scorer.score(requests) == alone
    assert 0 < scorer._bytes <= 20_000
    assert scorer._bytes == sum(scoring._size(*one) for one in scorer._kept.items())
    assert len(scorer._kept) < 60


def test_nothing_is_kept_while_it_is_timed() -> None:
    scorer = Bm25Scorer(Bm25Settings())
    before = KEEPING.set(False)
    try:
        (found,) = scorer.score([request(QUERIES[0], DOCUMENTS[:25])])
    finally:
        KEEPING.reset(before)
    assert not scorer._kept
    assert found == by_bm25s(DOCUMENTS[:25], QUERIES[0].text)


def test_scores_are_numbers_of_32_bits() -> None:
    values = [score for query in QUERIES for score in fitted().scores(query).values()]
    assert values == np.array(values, np.float32).tolist()
