"""Interactions as sequential recommendation: which item does a user take next?

A user's interactions are ordered by time, and by item where times are equal. The k-core filter drops users and items
with fewer than `core` interactions until none is left to drop. Leave-one-out: of every user the last item is the target
of query `u<id>/test`, the one before of `u<id>/dev`, the one before that of `u<id>/train`, each with what came before
its target as history and the target as its one relevant document.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rr import DataError, Document, Query
from rr.data import Collection

MINIMUM = 4  # a target for each of three splits, and one item before the first of them


class Interaction(NamedTuple):
    timestamp: float
    item: str
    user: str


def leave_one_out(
    folder: Path,
    items: Mapping[str, Document],
    interactions: Sequence[Interaction],
    core: int,
    text_history: int,
    facets: Mapping[str, Mapping[str, str]],
) -> tuple[Collection, Counter[str]]:
    """The collection, with a note on what is left, and its users with fewer than `MINIMUM` items. `text_history`:
    newest titles in a query's text; `facets`: field → user → value.

    Raises:
        DataError: the filter leaves nothing.
    """
    kept = _core(interactions, core)
    if not kept:
        raise DataError(f"{folder}: the {core}-core filter leaves nothing; lower `core`")
    sequences: dict[str, list[Document]] = defaultdict(list)
    for one in sorted(kept, key=lambda one: (one.timestamp, in_order(one.item), in_order(one.user))):
        sequences[one.user].append(items[one.item])
    short = Counter({user: len(found) for user, found in sequences.items() if len(found) < MINIMUM})

    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    splits: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    asked_of: dict[str, list[str]] = {}
    for user in sorted(sequences.keys() - short.keys(), key=in_order):
        found = sequences[user]
        for split, target in (("train", -3), ("dev", -2), ("test", -1)):
            # The whole history, so that nothing seen comes back as a candidate; a scorer reads its newest items.
            history = found[:target]
            query = Query(f"u{user}/{split}", _titles(history, text_history), tuple(history))
            queries[query.id] = query
            qrels[query.id] = {found[target].id: 1}
            splits[split].append(query.id)
            asked_of.setdefault(user, []).append(query.id)

    taken = {one.item for one in kept}
    documents = {id_: item for id_, item in items.items() if id_ in taken}
    note = (
        f"{core}-core: {len(sequences):,} users, {len(documents):,} items, "
        f"{len(kept):,} interactions, mean length {len(kept) / len(sequences):.2f}"
    )
    by_query = {
        name: {id_: value for user, value in values.items() for id_ in asked_of.get(user, ())}
        for name, values in facets.items()
    }
    return Collection(documents, queries, qrels, splits, notes=(note,), facets=by_query), short


def in_order(id_: str) -> tuple[int, str]:
    """The key by which whole numbers stand in their order, as ids that are none do too, shorter ones first."""
    return len(id_), id_


def _core(interactions: Sequence[Interaction], core: int) -> Sequence[Interaction]:
    """What is left when every user and every item has at least `core` interactions. Dropping an item can take
    a user below the limit and the other way round, so it is done until nothing changes."""
    while True:
        users = Counter(one.user for one in interactions)
        items = Counter(one.item for one in interactions)
        kept = [one for one in interactions if users[one.user] >= core and items[one.item] >= core]
        if len(kept) == len(interactions):
            return kept
        interactions = kept


def _titles(history: Sequence[Document], newest: int) -> str:
    return "; ".join(item.title or item.text for item in history[-newest:])
