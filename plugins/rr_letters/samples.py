"""What the letter verbalizer trains on: (request, the letter's place), drawn anew each epoch from the train split."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import overload

from rr import Dataset, Query, Request, RerankError
from rr.data import folded
from rr.training import answers, hard_negatives, random_negatives
from rr_torch import PROBED, as_train

NEXT = 16
"""How many times as many questions are looked through as are asked together."""
PROBE = -1
"""The epoch that no training has."""

Sample = tuple[Request, int]
"""A request, and the index of the target among its candidates."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One question of an epoch: what follows the first `cut` items of a query's sequence, which is its history with
    the relevant document `target` behind it."""

    query_id: str
    target: str
    cut: int


def cuts(dataset: Dataset, every_prefix: bool, seed: int, epoch: int) -> list[Cut]:
    """The epoch's questions, in a seeded order.

    A query with a history asks about every prefix of its sequence (as LlamaRec does), or about a single one, drawn
    anew each epoch; a query without one asks about each of its relevant documents.
    """
    generator = random.Random(f"{seed} {epoch}")
    drawn: list[Cut] = []
    for query_id in dataset.splits["train"]:
        history = dataset.queries[query_id].history
        relevant = sorted(dataset.relevant(query_id))
        if not history:
            drawn += [Cut(query_id, target, 0) for target in relevant]
            continue
        sequence = [document.id for document in history]
        ends = [Cut(query_id, sequence[cut], cut) for cut in range(1, len(sequence))]
        ends += [Cut(query_id, target, len(sequence)) for target in relevant]
        ends = [end for end in ends if end.target not in sequence[: end.cut]]  # a target is never in its own history
        drawn += ends if every_prefix or not ends else [generator.choice(ends)]
    generator.shuffle(drawn)
    return drawn


def groups(dataset: Dataset, drawn: Sequence[Cut], questions: int, candidates: int) -> list[list[Cut]]:
    """The questions by `questions` that can be asked of the same candidates: no target's text answers another one's
    question, or is in its history. Those come together whose targets are hard negatives of the first, then those that
    are next; groups that stay short stand at the end."""
    if questions == 1:
        return [[one] for one in drawn]
    known = {query_id: answers(dataset, query_id) for query_id in {one.query_id for one in drawn}}
    texts = {one.target: folded(dataset.documents[one.target].content) for one in drawn}
    of_target: dict[str, list[int]] = {}
    for number, one in enumerate(drawn):
        of_target.setdefault(one.target, []).append(number)
    waiting = dict(enumerate(drawn))
    found: list[list[Cut]] = []
    for number, first in enumerate(drawn):
        if waiting.pop(number, None) is None:
            continue
        group = [first]
        hard = [negative.document_id for negative in hard_negatives(dataset, first.query_id, candidates)]
        near = [other for id_ in hard for other in of_target.get(id_, ())]
        for other in [*near, *islice(waiting, NEXT * questions)]:
            if len(group) == questions:
                break
            if other in waiting and all(
                texts[drawn[other].target] not in known[own.query_id]
                and texts[own.target] not in known[drawn[other].query_id]
                for own in group
            ):
                group.append(waiting.pop(other))
        found.append(group)
    return sorted(found, key=len, reverse=True)


def samples(
    dataset: Dataset, group: Sequence[Cut], number: int, candidates: int, seed: int, epoch: int
) -> list[Sample]:
    """The questions of a group with the candidates that they share: the target of each, and negatives that none of the
    queries ever met (neither before the cut nor after it), half of them hard for a question that is asked alone, and
    shuffled; the same for the same seed and epoch. `number`: of questions that were asked before. Places walk through
    the letters with it, so that no letter is the answer more often than another.

    Raises:
        RerankError: every document is relevant to a query or in its history.
    """
    first = group[0]
    generator = random.Random(f"{seed} {epoch} {first.query_id} {first.cut} {first.target}")
    known = {text for one in group for text in answers(dataset, one.query_id)}
    count = candidates - len(group)
    negatives: dict[str, str] = {}  # by text, of which none comes twice
    for one in group:
        found = [negative.document_id for negative in hard_negatives(dataset, one.query_id, candidates)]
        pool = {folded(dataset.documents[id_].content): id_ for id_ in found}
        able = [text for text in pool if text not in known and text not in negatives]
        hard = generator.sample(able, min(count // max(2, len(group)), len(able)))
        negatives.update((text, pool[text]) for text in hard)
    shown = list(negatives.values())
    without = [*shown, *(id_ for one in group for id_ in _ids(dataset, one.query_id))]
    shown += random_negatives(dataset, first.query_id, count - len(shown), generator, without)
    total = len(shown) + len(group)
    if total == 1:
        query_id = first.query_id
        raise RerankError(f"query {query_id!r}: there are no negatives to choose from: every document is relevant")
    generator.shuffle(shown)
    places = [(number + more) % total for more in range(len(group))]
    for place, one in sorted(zip(places, group, strict=True), key=lambda pair: pair[0]):
        shown.insert(place, one.target)
    documents = tuple(dataset.documents[id_] for id_ in shown)
    asked = [_asked(dataset.queries[one.query_id], one.cut) for one in group]
    return [(Request(query, documents), place) for query, place in zip(asked, places, strict=True)]


def _ids(dataset: Dataset, query_id: str) -> list[str]:
    """The documents whose texts are the query's `answers`; its history may hold more than the corpus."""
    relevant = [id_ for same in dataset.asking_the_same[query_id] for id_ in dataset.relevant(same)]
    return relevant + [one.id for one in dataset.queries[query_id].history if one.id in dataset.documents]


def _asked(query: Query, cut: int) -> Query:
    """The query as it stood then; its text, which tells of what came after, is left out."""
    return replace(query, text="", history=query.history[:cut]) if cut < len(query.history) else query


class Epoch(Sequence[Sample]):
    """The samples of one epoch, made when they are asked for.

    Raises:
        RerankError: there is nothing to ask about.
    """

    def __init__(
        self, dataset: Dataset, every_prefix: bool, candidates: int, seed: int, epoch: int, questions: int = 1
    ) -> None:
        self._dataset, self._candidates, self._seed, self._epoch = dataset, candidates, seed, epoch
        self._questions, self._cuts = questions, cuts(dataset, every_prefix, seed, epoch)
        if not self._cuts:
            raise RerankError(f"data set {dataset.name!r}: no train query has a target to ask about")

    def __len__(self) -> int:
        return len(self._cuts)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        numbers = range(len(self))[index]
        return self._made([numbers])[0] if isinstance(numbers, int) else self._made(numbers)

    @cached_property
    def _groups(self) -> list[tuple[int, list[Cut]]]:
        """Of each sample: the number of its group's first, and the group. Worked out when the epoch begins."""
        found: list[tuple[int, list[Cut]]] = []
        for group in groups(self._dataset, self._cuts, self._questions, self._candidates):
            found += [(len(found), group)] * len(group)
        return found

    def _made(self, numbers: Sequence[int]) -> list[Sample]:
        """The samples of these numbers; those of a group are drawn once."""
        before = self._epoch * len(self)
        made = {
            start: samples(self._dataset, group, before + start, self._candidates, self._seed, self._epoch)
            for start, group in dict(self._groups[number] for number in numbers).items()
        }
        starts = [self._groups[number][0] for number in numbers]
        return [made[start][number - start] for number, start in zip(numbers, starts, strict=True)]


def probe(dataset: Dataset, split: str, every_prefix: bool, candidates: int, seed: int) -> list[Sample]:
    """Samples of a split that are never trained on as they are, drawn once, in a seeded order, each asked alone: of
    train as an epoch has them; of another one, questions about what follows a query's whole history."""
    own = as_train(dataset, split)
    drawn = cuts(own, every_prefix or split != "train", seed, PROBE)
    if split != "train":
        drawn = [cut for cut in drawn if cut.cut == len(dataset.queries[cut.query_id].history)]
    made = [samples(own, [cut], number, candidates, seed, PROBE) for number, cut in enumerate(drawn[:PROBED])]
    return [one for group in made for one in group]
