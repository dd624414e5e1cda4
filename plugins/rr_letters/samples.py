"""What the letter verbalizer trains on: (request, the letter's place), drawn anew each epoch from the train split."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from rr import Dataset, Query, Request, RerankError
from rr.training import hard_negatives, random_negatives
from rr_torch import PROBED, as_train

PROBE = -1
"""The epoch that no training has."""

Sample = tuple[Request, int]
"""A request, and the index of the target among its candidates."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One question of an epoch: what follows the first `cut` items of a query's sequence, which is its history with
    the relevant document `target` behind it. `place` is where the answer goes, counted through all letters."""

    query_id: str
    target: str
    cut: int
    place: int


def cuts(dataset: Dataset, every_prefix: bool, seed: int, epoch: int) -> list[Cut]:
    """The epoch's questions, in a seeded order.

    A query with a history asks about every prefix of its sequence (as LlamaRec does), or about a single one, drawn
    anew each epoch; a query without one asks about each of its relevant documents. Places walk through the letters,
    on from one epoch to the next, so that no letter is the answer more often than another.
    """
    generator = random.Random(f"{seed} {epoch}")
    drawn: list[tuple[str, str, int]] = []
    for query_id in dataset.splits["train"]:
        history = dataset.queries[query_id].history
        relevant = sorted(dataset.relevant(query_id))
        if not history:
            drawn += [(query_id, target, 0) for target in relevant]
            continue
        sequence = [document.id for document in history]
        ends = [(query_id, sequence[cut], cut) for cut in range(1, len(sequence))]
        ends += [(query_id, target, len(sequence)) for target in relevant]
        ends = [end for end in ends if end[1] not in sequence[: end[2]]]  # a target is never in its own history
        drawn += ends if every_prefix or not ends else [generator.choice(ends)]
    generator.shuffle(drawn)
    return [Cut(*one, place=epoch * len(drawn) + number) for number, one in enumerate(drawn)]


def sample(dataset: Dataset, cut: Cut, candidates: int, seed: int, epoch: int) -> Sample:
    """The question with its candidates: the target, and negatives that the query never met (neither before the cut nor
    after it), half of them hard, shuffled; the same for the same seed and epoch.

    Raises:
        RerankError: every document is relevant to the query or in its history.
    """
    generator = random.Random(f"{seed} {epoch} {cut.query_id} {cut.cut} {cut.target}")
    query = dataset.queries[cut.query_id]
    count = candidates - 1
    pool = [negative.document_id for negative in hard_negatives(dataset, cut.query_id, candidates)]
    hard = generator.sample(pool, min(count // 2, len(pool)))
    negatives = hard + random_negatives(dataset, cut.query_id, count - len(hard), generator, hard)
    if not negatives:
        raise RerankError(f"query {cut.query_id!r}: there are no negatives to choose from: every document is relevant")
    generator.shuffle(negatives)
    place = cut.place % (len(negatives) + 1)
    ids = [*negatives[:place], cut.target, *negatives[place:]]
    shown = tuple(dataset.documents[id_] for id_ in ids)
    return Request(_asked(query, cut.cut), shown), place


def _asked(query: Query, cut: int) -> Query:
    """The query as it stood then; its text, which tells of what came after, is left out."""
    return replace(query, text="", history=query.history[:cut]) if cut < len(query.history) else query


class Epoch(Sequence[Sample]):
    """The samples of one epoch, made when they are asked for.

    Raises:
        RerankError: there is nothing to ask about.
    """

    def __init__(self, dataset: Dataset, every_prefix: bool, candidates: int, seed: int, epoch: int) -> None:
        self._dataset, self._candidates, self._seed, self._epoch = dataset, candidates, seed, epoch
        self._cuts = cuts(dataset, every_prefix, seed, epoch)
        if not self._cuts:
            raise RerankError(f"data set {dataset.name!r}: no train query has a target to ask about")

    def __len__(self) -> int:
        return len(self._cuts)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return sample(self._dataset, self._cuts[index], self._candidates, self._seed, self._epoch)


def probe(dataset: Dataset, split: str, every_prefix: bool, candidates: int, seed: int) -> list[Sample]:
    """Samples of a split that are never trained on as they are, drawn once, in a seeded order: of train as an epoch
    has them; of another one, questions about what follows a query's whole history."""
    own = as_train(dataset, split)
    drawn = cuts(own, every_prefix or split != "train", seed, PROBE)
    if split != "train":
        drawn = [cut for cut in drawn if cut.cut == len(dataset.queries[cut.query_id].history)]
    return [sample(own, cut, candidates, seed, PROBE) for cut in drawn[:PROBED]]
