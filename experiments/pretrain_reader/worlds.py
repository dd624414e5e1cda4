"""Invented worlds to pretrain the embedded base on: those of the three generators, under other seeds and in other words
than the benched ones."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.pretrain_reader.tiny import minilm_vocabulary
from experiments.pretrain_reader.wordings import films, helpdesk, rentals
from rr import Corpus, Document, Query
from rr.data import Collection
from rr_baselines.first_stages.best import best_first
from rr_baselines.first_stages.bm25 import Bm25
from rr_data.generators import films as benched_films
from rr_data.generators import helpdesk as benched_helpdesk
from rr_data.generators.films import Films
from rr_data.generators.helpdesk import Helpdesk
from rr_data.generators.rentals import Rentals

KINDS: dict[str, Any] = {"helpdesk": Helpdesk, "rentals": Rentals, "films": Films}
BENCHED = {kind: generator.Settings.model_validate({}).seed for kind, generator in KINDS.items()}
DEPTH = 20
BM25 = {"k1": 1.5, "b": 0.75, "fold_accents": True}  # the bench's first stages


@dataclass(frozen=True, slots=True)
class Asked:
    """A question (a history asks what comes next) with what a first stage found, in random order, and their grades."""

    query: Query
    candidates: list[Document]
    grades: list[int]
    best: Document
    """The best of all documents, whose grade is `highest`; it need not have been found."""
    highest: int
    ideal: list[int]
    """The grades of all that is relevant."""
    corpus: Sequence[Document]
    """Whatever else there is."""


def world(kind: str, seed: int, limit: int) -> list[Asked]:
    """`limit` questions of a world in the pretraining's wordings."""
    assert seed != BENCHED[kind], "this world is the bench's"
    generator = random.Random(f"{kind} {seed}")
    said: Any = {"films": films.WORDINGS, "rentals": rentals.WORDINGS}.get(kind)
    if said is None:
        said = helpdesk.wordings(names(), generator)
    options = KINDS[kind].Settings.model_validate({"seed": seed})
    return questions(KINDS[kind](options, said).read(), limit, generator)


def held_out(kind: str, seed: int, limit: int) -> list[Asked]:
    """Questions in the benched wordings, which are never trained on, of a world that is not the benched one."""
    assert seed != BENCHED[kind], "this world is the bench's"
    collection = KINDS[kind](KINDS[kind].Settings.model_validate({"seed": seed})).read()
    return questions(collection, limit, random.Random(f"{kind} {seed}"))


def names() -> list[str]:
    """Words of MiniLM's that name systems; the benched systems' names and purposes are not among them."""
    taken = set(benched_helpdesk.SYSTEMS.lower().split())
    return [
        piece for piece in minilm_vocabulary()[3000:12000] if piece.isalpha() and len(piece) > 3 and piece not in taken
    ]


def benched_words() -> set[str]:
    """All words that the benched films and help desk are told in, common ones among them."""
    told: set[str] = set()
    for wordings in (benched_films.WORDINGS, benched_helpdesk.WORDINGS):
        told.update(*(re.findall("[a-z]+", str(texts).lower()) for texts in wordings))
    return told


def questions(collection: Collection, limit: int, generator: random.Random) -> list[Asked]:
    documents = list(collection.documents.values())
    first_stage = Bm25(Bm25.Settings.model_validate(BM25))
    if not collection.run:
        first_stage.fit(Corpus(documents))
    ids = sorted(collection.queries)
    asked = []
    for id_ in generator.sample(ids, min(limit, len(ids))):
        query, relevant = collection.queries[id_], collection.qrels[id_]
        found = dict(collection.run[id_]) if collection.run else first_stage.scores(query)
        shown = sorted(best_first(found)[:DEPTH])
        generator.shuffle(shown)
        best = max(relevant, key=relevant.__getitem__)
        asked.append(
            Asked(
                query,
                [collection.documents[one] for one in shown],
                [relevant.get(one, 0) for one in shown],
                collection.documents[best],
                relevant[best],
                sorted(relevant.values(), reverse=True),
                documents,
            )
        )
    return asked
