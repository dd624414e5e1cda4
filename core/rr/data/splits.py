"""Seeded splits by query. Queries of one group never straddle two splits."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rr.data.collection import SPLITS, Collection
from rr.errors import DataError
from rr.schema import SplitPlan
from rr.types import Dataset


def draw_splits(collection: Collection, plan: SplitPlan) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Split name → query ids, and notes on what was left out.

    A split that the source gives is kept; where it gives train but no dev, dev is drawn from train. Queries without
    a relevant document cannot be evaluated and are left out, loudly.
    """
    judged = [q for q in collection.queries if any(g > 0 for g in collection.qrels.get(q, {}).values())]
    notes = []
    without = [query_id for query_id in collection.queries if query_id not in set(judged)]
    if without:
        notes.append(f"{len(without)} queries without a relevant document left out: {_some(without)}")
    if collection.splits:
        splits = {name: [q for q in collection.splits.get(name, ()) if q in set(judged)] for name in SPLITS}
        if splits["train"] and not splits["dev"]:
            shares = {"dev": plan.dev}
            splits.update(_deal(splits["train"], collection.groups, shares, plan.seed))
    else:
        splits = _deal(judged, collection.groups, {"test": plan.test, "dev": plan.dev}, plan.seed)
    if not splits["test"]:
        raise DataError("the test split is empty: there is no query with a relevant document to evaluate on")
    return {name: tuple(splits[name]) for name in SPLITS}, notes


def limit_splits(splits: Mapping[str, Sequence[str]], plan: SplitPlan) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The splits with no more queries than the plan allows, drawn with its seed, and notes on what was drawn."""
    limited = {name: tuple(query_ids) for name, query_ids in splits.items()}
    notes = []
    for name, limit in (("train", plan.max_train), ("dev", plan.max_dev), ("test", plan.max_test)):
        if limit is not None and len(splits[name]) > limit:
            notes.append(f"{name}: {limit} of {len(splits[name])} queries, drawn with seed {plan.seed}")
            chosen = set(random.Random(f"{plan.seed} {name}").sample(splits[name], limit))
            limited[name] = tuple(query_id for query_id in splits[name] if query_id in chosen)
    return limited, notes


def with_dev_share(dataset: Dataset, share: float, seed: int) -> Dataset:
    """The data set with another dev split: that share of its train and dev queries, whole groups of them. Its test
    split stays what it is.

    Raises:
        DataError: one of the two would be empty.
    """
    queries = (*dataset.splits["train"], *dataset.splits["dev"])
    dealt = _deal(queries, dataset.groups, {"dev": share}, seed)
    for name, query_ids in dealt.items():
        if not query_ids:
            raise DataError(f"a dev split of {share:g} of {len(queries)} queries leaves no {name} queries")
    return replace(dataset, splits={**dataset.splits, **{name: tuple(ids) for name, ids in dealt.items()}})


def _deal(
    query_ids: Sequence[str], groups: Mapping[str, str], shares: Mapping[str, float], seed: int
) -> dict[str, list[str]]:
    """Deals whole groups out, in a seeded order, until each share is filled; the rest is train."""
    members: dict[str, list[str]] = {}
    for query_id in query_ids:
        members.setdefault(groups.get(query_id, f"query {query_id}"), []).append(query_id)
    order = sorted(members)
    random.Random(seed).shuffle(order)
    dealt: dict[str, list[str]] = {name: [] for name in ("train", *shares)}
    for group in order:
        open_shares = [name for name, share in shares.items() if len(dealt[name]) < share * len(query_ids)]
        dealt[open_shares[0] if open_shares else "train"] += members[group]
    return dealt


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
