"""The ranking of a split's listings, against the same computed query by query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rr import Dataset, Document, HardNegative
from rr.measures import evaluate, metric
from rr_head import listings
from rr_head.listings import ListingTask
from rr_torch.roles import Role


def embed(texts: Iterable[str], role: Role) -> Tensor:
    """A vector for every text, the same for equal ones of a role."""
    seeds = [sum(ord(c) * 31**place for place, c in enumerate(role + text)) % 2**31 for text in texts]
    return torch.stack([torch.randn(6, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def cosine(query: str, document: str) -> float:
    vectors = torch.cat([embed([query], "query"), embed([document], "document")])
    return torch.nn.functional.cosine_similarity(*vectors.double(), dim=0).item()


@pytest.fixture
def typed(learnable: Dataset) -> Dataset:
    """Hard negatives of one and of two types, some queries without any; grades of 1 and 2."""
    types = (("price",), ("price", "area"), ())
    named = {
        q: tuple(replace(n, types=t) for n, t in zip(negatives, types, strict=True))
        for q, negatives in learnable.hard_negatives.items()
    }
    for query_id in (learnable.splits["dev"][0], learnable.splits["test"][0]):
        del named[query_id]
    qrels = {q: {id_: 1 + id_.endswith("2") for id_ in grades} for q, grades in learnable.qrels.items()}
    return replace(learnable, hard_negatives=named, qrels=qrels)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_measures_equal_those_of_the_core_on_the_same_lists(
    typed: Dataset, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "BLOCK", 4)  # several blocks
    queries = typed.splits[split]
    others = {id_ for q in queries for id_ in typed.relevant(q)}
    run, wins = {}, {"": [], "price": [], "area": []}
    for query_id in queries:
        named = {n.document_id: n.types for n in typed.hard_negatives.get(query_id, ())}
        pool = {*others, *(named or typed.candidates[query_id])}
        text = typed.queries[query_id].text
        run[query_id] = {id_: cosine(text, typed.documents[id_].content) for id_ in pool}
        for id_, types in named.items():
            for type_ in ("", *types):
                wins[type_] += [run[query_id][p] > run[query_id][id_] for p in typed.relevant(query_id)]
    found = ListingTask(typed, split).values(embed)
    for ours, name in (("MRR", "MRR"), ("R@1", "Hit@1"), ("nDCG@10", "nDCG@10")):
        assert found[ours] == pytest.approx(evaluate(run, typed.qrels, queries, metric(name)), abs=1e-9)
    assert found["accuracy"] == wins[""]
    assert found["accuracy price"] == wins["price"]
    assert found["accuracy area"] == wins["area"]
    means = ListingTask(typed, split).metrics(embed)
    assert means["accuracy area"] == pytest.approx(sum(wins["area"]) / len(wins["area"]))


def test_a_constant_encoder_gains_nothing(typed: Dataset) -> None:
    found = ListingTask(typed, "dev").metrics(lambda texts, _: torch.ones(len(list(texts)), 3))
    assert found["accuracy"] == 0
    assert found["MRR"] < 0.5


def test_history_and_what_reads_like_a_relevant_listing_are_left_out(typed: Dataset) -> None:
    first, second, *_ = typed.splits["dev"]
    answer = min(typed.relevant(first))
    met = next(id_ for id_ in typed.relevant(second) if id_ not in typed.relevant(first))
    twin = Document("twin", typed.documents[answer].text)
    data = replace(
        typed,
        documents={**typed.documents, "twin": twin},
        queries={**typed.queries, first: replace(typed.queries[first], history=(typed.documents[met],))},
        hard_negatives={**typed.hard_negatives, first: (HardNegative("twin"), *typed.hard_negatives[second])},
    )
    candidates = ListingTask(data, "dev")._candidates[0]
    assert answer in candidates
    assert met not in candidates
    assert "twin" not in candidates
    assert candidates >= {n.document_id for n in typed.hard_negatives[second]}


def test_other_listings_are_bounded_and_drawn_alike(typed: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "OTHERS", 5)
    task = ListingTask(typed, "dev")
    assert task.metrics(embed) == ListingTask(typed, "dev").metrics(embed)
    sizes = [len(ids - typed.relevant(q)) for q, ids in zip(typed.splits["dev"], task._candidates, strict=True)]
    assert max(sizes[1:]) <= 5 + 3
