"""Several first stages as one: by hand, over any retrievers."""

from __future__ import annotations

from typing import Any

import pytest

from rr import Corpus, DataError, Document, Query, RegistryError, RerankError
from rr.registry.plugins import installed_plugins
from rr.registry.resolve import checked_settings
from rr_baselines.first_stages.best import best_first
from rr_baselines.first_stages.bm25 import Bm25
from rr_baselines.first_stages.hybrid import Hybrid
from rr_baselines.first_stages.tfidf import TfIdf
from rr_baselines.settings import Bm25Settings, HybridSettings, WordSettings
from rr_bench.keys import settings_key

TEXTS = ("red car", "red red sea", "a red house near the blue sea", "blue sea", "green", "Đường đỏ", "sea sea sea")
CORPUS = Corpus(
    [Document(f"d{n}", text) for n, text in enumerate(TEXTS)],
    ((Query("t", "x", (Document("d0", TEXTS[0]),)), ("d1",)),),
    {"q": {"d4": 2.0, "d0": 1.0}},
)
WORDS = [{"retriever": "bm25"}, {"retriever": "tfidf"}]


def hybrid(members: list[dict[str, Any]], **settings: Any) -> Hybrid:
    made = Hybrid(HybridSettings.model_validate({"members": members, **settings}))
    made.fit(CORPUS)
    return made


@pytest.mark.parametrize(("k", "depth"), [(60, 100), (0, 2), (1, 1)])
@pytest.mark.parametrize("text", ["red sea", "blue", "unheard", ""])
def test_it_is_the_sum_of_reciprocal_ranks(text: str, k: int, depth: int) -> None:
    query = Query("q", text)
    fused: dict[str, float] = {}
    for member in (Bm25(Bm25Settings()), TfIdf(WordSettings())):
        member.fit(CORPUS)
        for rank, id_ in enumerate(best_first(member.scores(query))[:depth], 1):
            fused[id_] = fused.get(id_, 0) + 1 / (k + rank)
    made = hybrid(WORDS, k=k, depth=depth)
    assert made.scores(query) == fused
    assert list(made.search([query, query], 3)) == [fused, fused]


def test_equal_scores_are_ranked_as_everywhere() -> None:
    assert best_first({"a": 1.0, "b": 2.0, "c": 1.0 + 1e-12}) == ["b", "c", "a"]
    assert best_first({"c": 1.0, "a": 1.0 + 1e-12}) == ["c", "a"]


def test_members_have_options_of_their_own_and_need_not_search() -> None:
    query = Query("q", "duong")
    assert hybrid(WORDS).scores(query) == {}
    folded = [{"retriever": "bm25", "options": {"fold_accents": True}}, {"retriever": "run"}]
    assert hybrid(folded).scores(query) == {"d5": 1 / 61, "d4": 1 / 61, "d0": 1 / 62}
    assert list(hybrid(folded).search([query, Query("other", "duong")], 5))[1] == {"d5": 1 / 61}


def test_a_hybrid_may_be_a_member() -> None:
    inner = {"retriever": "hybrid", "options": {"members": WORDS}}
    assert hybrid([inner, {"retriever": "run"}]).scores(Query("q", "green")) == {"d4": 2 / 61, "d0": 1 / 62}


def test_it_learns_where_a_member_does() -> None:
    assert hybrid(WORDS).learns is False
    assert hybrid([*WORDS, {"retriever": "popularity"}]).learns is True


def test_what_decides_a_members_answers_is_part_of_the_key() -> None:
    one = settings_key(HybridSettings.model_validate({"members": WORDS}))
    stemmed = [{"retriever": "bm25", "options": {"stem": "english"}}, WORDS[1]]
    two = settings_key(HybridSettings.model_validate({"members": stemmed}))
    assert "pystemmer" not in str(one)
    assert "pystemmer" in str(two)


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ([{"retriever": "bm25"}], "members: Tuple should have at least 2 items"),
        ([{"retriever": "bm25", "k1": 2}, {"retriever": "run"}], "unknown key 'members.0.k1'"),
    ],
)
def test_wrong_members_are_one_line(members: list[dict[str, Any]], line: str) -> None:
    with pytest.raises(RegistryError, match=f"here: {line}"):
        checked_settings(installed_plugins(), "retriever", "hybrid", {"members": members}, "here")


def test_what_is_wrong_with_a_member_is_said_of_it() -> None:
    with pytest.raises(RerankError, match="no retriever is called 'bm52'; did you mean 'bm25'"):
        hybrid([{"retriever": "bm52"}, {"retriever": "run"}])
    with pytest.raises(RerankError, match=r"hybrid: options of member 'bm25': unknown key 'k2'; did you mean 'k1'"):
        hybrid([{"retriever": "bm25", "options": {"k2": 1}}, {"retriever": "run"}])
    with pytest.raises(DataError, match="this source has no run"):
        Hybrid(HybridSettings.model_validate({"members": [*WORDS, {"retriever": "run"}]})).fit(Corpus(()))
