"""What every reader returns: documents, queries and judgements; and how queries are dealt out to splits."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rr.errors import DataError, nearest
from rr.registry.expansion import as_written
from rr.types import Dataset, Document, HardNegative, Qrels, Query, Run

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Collection:
    """One source, read. `splits`: given by the source, or empty where they are to be drawn. `groups`: query id → group
    that must not straddle two splits (a query without one is its own). `facets`: field → query id → value, for tables
    a group. `run`: a first stage that the source brings along. `notes`: what was repaired, or left out, for a user.

    A judgement may name a document that is not there: it counts as missed. A query in `qrels` without a grade above 0
    has no answer; one that is not there is left out. What else is named and does not exist, the evaluator counts and
    tells (`missing:`). Raises DataError: there are no documents or no queries; or a split is not train, dev or test."""

    documents: Mapping[str, Document]
    queries: Mapping[str, Query]
    qrels: Qrels
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    hard_negatives: Mapping[str, Sequence[HardNegative]] = field(default_factory=dict)
    run: Run = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    facets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(map(as_written, self.notes)))
        if not self.documents or not self.queries:
            raise DataError(f"the source holds no {'queries' if self.documents else 'documents'}")
        for split in self.splits:
            if split not in SPLITS:
                raise DataError(f"split {split!r} is none of {', '.join(SPLITS)}{nearest(split, list(SPLITS))}")


def with_dev_share(dataset: Dataset, share: float, seed: int) -> Dataset:
    """The data set with another dev split: that share of its train and dev queries, whole groups of them. Its test
    split stays what it is. Raises DataError: one of the two would be empty."""
    queries = (*dataset.splits["train"], *dataset.splits["dev"])
    dealt = deal(queries, dataset.groups, {"dev": share}, seed)
    if empty := [name for name, ids in dealt.items() if not ids]:
        raise DataError(f"a dev split of {share:g} of {len(queries)} queries leaves no {empty[0]} queries")
    return replace(dataset, splits={**dataset.splits, **{name: tuple(ids) for name, ids in dealt.items()}})


def deal(
    query_ids: Sequence[str], groups: Mapping[str, str], shares: Mapping[str, float], seed: int
) -> dict[str, list[str]]:
    """Deals whole groups out, in a seeded order, until each share is filled; the rest is train."""
    grouped = members(query_ids, groups)
    order = sorted(grouped)
    random.Random(seed).shuffle(order)
    dealt: dict[str, list[str]] = {name: [] for name in ("train", *shares)}
    for group in order:
        unfilled = (name for name, share in shares.items() if len(dealt[name]) < share * len(query_ids))
        dealt[next(unfilled, "train")] += grouped[group]
    return dealt


def members(query_ids: Sequence[str], groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Group → its queries; a query without a group is one of its own."""
    members: dict[str, list[str]] = {}
    for query_id in query_ids:
        members.setdefault(groups.get(query_id, f"query {query_id}"), []).append(query_id)
    return members
