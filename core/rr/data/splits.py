"""Queries dealt out to splits, whole groups of them, in a seeded order."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rr.errors import DataError
from rr.types import Dataset


def with_dev_share(dataset: Dataset, share: float, seed: int) -> Dataset:
    """The data set with another dev split: that share of its train and dev queries, whole groups of them. Its test
    split stays what it is.

    Raises:
        DataError: one of the two would be empty.
    """
    queries = (*dataset.splits["train"], *dataset.splits["dev"])
    dealt = deal(queries, dataset.groups, {"dev": share}, seed)
    for name, query_ids in dealt.items():
        if not query_ids:
            raise DataError(f"a dev split of {share:g} of {len(queries)} queries leaves no {name} queries")
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
        open_shares = [name for name, share in shares.items() if len(dealt[name]) < share * len(query_ids)]
        dealt[open_shares[0] if open_shares else "train"] += grouped[group]
    return dealt


def members(query_ids: Sequence[str], groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Group → its queries; a query without a group is one of its own."""
    members: dict[str, list[str]] = {}
    for query_id in query_ids:
        members.setdefault(groups.get(query_id, f"query {query_id}"), []).append(query_id)
    return members
