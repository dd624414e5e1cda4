"""What components are asked about: requests that any text scorer can answer, and a data set that any trainer can learn
from in seconds. They are the kit's own, always the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from rr.data.collection import Collection
from rr.protocols import Corpus
from rr.types import Dataset, Document, Query, Request
from rr_bench.data.prepare import prepare
from rr_bench.registry import CandidatePlan, SplitPlan

COLOURS = ["red", "blue", "green", "white", "black", "brown", "grey", "yellow", "pink", "golden"]
THINGS = ["bicycle", "lamp", "kettle", "jacket", "piano", "tent", "camera", "ladder", "mirror", "suitcase"]
PLACES = ["Hanoi", "Cairo", "Rome", "Paris", "Lagos", "Lima", "Oslo", "Quito"]


def documents(count: int = 80) -> tuple[Document, ...]:
    """So many, each of other words; some have a title, all have metadata."""
    return tuple(
        Document(
            f"d{number}",
            f"A {COLOURS[number % 10]} {THINGS[number // 8 % 10]} for sale in {PLACES[number % 8]}, number {number}.",
            f"{THINGS[number // 8 % 10]} {number}" if number % 3 == 0 else "",
            {"price": 10 + number, "seller": {"city": PLACES[number % 8]}},
        )
        for number in range(count)
    )


def request(candidates: int, query: int = 0) -> Request:
    """A request of so many candidates, with first-stage scores; the same for the same numbers. Every third query has a
    history."""
    generator, every = random.Random(query), documents(max(80, candidates))
    shown = generator.sample(every, candidates)
    wanted = every[(7 * query) % len(every)]
    history = tuple(every[(query + step) % len(every)] for step in range(3)) if query % 3 == 2 else ()
    scores = tuple(float(candidates - place) for place in range(candidates))
    what = wanted.text.split(" for ")[0][2:]
    return Request(Query(f"q{query}", f"Who sells a {what}?", history), tuple(shown), scores)


def requests(count: int, candidates: int) -> list[Request]:
    """So many different requests."""
    return [request(candidates, query) for query in range(count)]


def about(texts: Sequence[str], query: str = "Who sells a red bicycle?") -> Request:
    """A request whose candidates have these texts and nothing else."""
    shown = tuple(Document(f"t{place}", text) for place, text in enumerate(texts))
    return Request(Query("texts", query), shown, tuple(float(len(texts) - place) for place in range(len(texts))))


def of(request: Request, places: Sequence[int]) -> Request:
    """The request with these of its candidates, in this order, each with its first-stage score."""
    scores = None if request.first_stage is None else tuple(request.first_stage[place] for place in places)
    return Request(request.query, tuple(request.candidates[place] for place in places), scores)


@cache
def small() -> Dataset:
    """24 train, 8 dev and 8 test queries with 6 candidates each, as a first stage found them, among them the one
    document that is asked for."""
    every = {document.id: document for document in documents()}
    asked = {f"q{number}": request(1, number).query for number in range(40)}
    splits = {"train": range(24), "dev": range(24, 32), "test": range(32, 40)}
    collection = Collection(
        every,
        asked,
        {f"q{number}": {f"d{7 * number % len(every)}": 1} for number in range(40)},
        {split: tuple(f"q{number}" for number in numbers) for split, numbers in splits.items()},
    )
    return prepare("rr-testing", collection, SplitPlan(), CandidatePlan(depth=6), _SharedWords())


class _SharedWords:
    """A first stage: how many words a document shares with the query."""

    learns = False

    def fit(self, corpus: Corpus) -> None:
        self._words = {document.id: frozenset(document.content.lower().split()) for document in corpus.documents}

    def scores(self, query: Query) -> dict[str, float]:
        asked = query.text.lower().rstrip("?").split()
        return {id_: float(sum(word in words for word in asked)) for id_, words in self._words.items()}
