"""Seeded splits by query. Queries of one group never straddle two splits, and neither do queries that ask the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from rr.data import equal_queries
from rr.data.collection import SPLITS, Collection, deal, members
from rr.errors import DataError
from rr.types import Qrels
from rr_bench.registry import SplitPlan


def draw_splits(collection: Collection, plan: SplitPlan) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Split name → query ids, and notes on what was left out.

    A split that is given is kept, but for queries of train that dev or test asks too, and of dev that test asks; where
    train is given and no dev, dev is drawn from train. `all: train` leaves nothing to test. Queries that nothing judges
    cannot be evaluated; those that have no answer, as the data say, are in dev and test. All that is left out is said.
    """
    judged, notes = _judged(collection)
    equal = equal_queries(collection.queries[query_id] for query_id in judged)
    groups = united_groups(collection.groups, equal)
    if collection.splits:
        splits = {name: [q for q in collection.splits.get(name, ()) if q in equal] for name in SPLITS}
        notes += _without_leaks(splits, equal)
        if splits["train"] and not splits["dev"]:
            shares = {"dev": plan.dev_share}
            splits.update(deal(splits["train"], groups, shares, plan.seed))
    else:
        splits = deal(judged, groups, {"test": plan.test_share, "dev": plan.dev_share}, plan.seed)
    if plan.all != "train":
        must_have_answers(collection.qrels, splits["test"], "the test split is empty")
    mute, told = _mute(collection, judged)
    splits = {name: [q for q in splits[name] if name == "test" or q not in mute] for name in SPLITS}
    splits["train"], unlearnt = _learnable(collection, splits["train"])
    return {name: tuple(query_ids) for name, query_ids in splits.items()}, [*notes, *told, *unlearnt]


def draw_folds(
    collection: Collection, plan: SplitPlan, folds: int
) -> tuple[list[dict[str, tuple[str, ...]]], list[str]]:
    """For each fold: split name → query ids; and notes. Whole groups are dealt to the folds, in a seeded order and the
    largest first, each to the smallest fold, so that folds differ by no more than a group; a fold's queries are its
    test split. Of the others `plan.dev_share` are dev, drawn as ever. The splits of the source are not kept.

    Raises:
        DataError: there are fewer groups than folds, or so few that nothing is left for dev or train.
    """
    judged, notes = _judged(collection)
    given = {query_id for query_ids in collection.splits.values() for query_id in query_ids}
    query_ids = [query_id for query_id in judged if not given or query_id in given]
    groups = united_groups(collection.groups, equal_queries(collection.queries[query_id] for query_id in query_ids))
    grouped = members(query_ids, groups)
    if len(grouped) < folds:
        raise DataError(f"{folds} folds need as many groups of queries, and there are {len(grouped)}; ask for fewer")
    order = sorted(grouped)
    random.Random(plan.seed).shuffle(order)
    dealt: list[set[str]] = [set() for _ in range(folds)]
    for group in sorted(order, key=lambda group: -len(grouped[group])):
        min(dealt, key=len).update(grouped[group])
    mute, told = _mute(collection, query_ids)
    notes += told
    splits = []
    for tested in dealt:
        others = [query_id for query_id in query_ids if query_id not in tested and query_id not in mute]
        split = {**deal(others, groups, {"dev": plan.dev_share}, plan.seed), "test": list(tested)}
        split["train"], _ = _learnable(collection, split["train"])
        must_have_answers(collection.qrels, split["test"], f"one of {folds} folds has nothing to test; ask for fewer")
        if not split["train"] or not split["dev"]:
            raise DataError(f"{folds} folds of {len(query_ids)} queries leave none to train on, or none for dev")
        place = {query_id: name for name in SPLITS for query_id in split[name]}
        splits.append({name: tuple(q for q in query_ids if place.get(q) == name) for name in SPLITS})
    limits = [name for name in ("max_train", "max_dev", "max_test") if getattr(plan, name) is not None]
    if limits:
        notes.append(f"every query is tested once, so {', '.join(limits)} of the split do not apply")
    if collection.splits:
        notes.append("the splits of the source are not kept: their queries are dealt out anew")
    return splits, notes


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


def answerable(qrels: Qrels, query_id: str) -> bool:
    """Whether something is judged relevant to it."""
    return any(grade > 0 for grade in qrels[query_id].values())


def must_have_answers(qrels: Qrels, test: Iterable[str], problem: str) -> None:
    """
    Raises:
        DataError: no query of them has an answer.
    """
    if not any(answerable(qrels, query_id) for query_id in test):
        raise DataError(f"{problem}: there is no query with a relevant document to evaluate on")


def _judged(collection: Collection) -> tuple[list[str], list[str]]:
    """The queries that something is said of, were it that they have no answer; and a note on the others."""
    without = [query_id for query_id in collection.queries if query_id not in collection.qrels]
    notes = [f"{len(without)} queries without a judgement left out: {_some(without)}"] if without else []
    return [query_id for query_id in collection.queries if query_id in collection.qrels], notes


def _learnable(collection: Collection, train: Sequence[str]) -> tuple[list[str], list[str]]:
    """The train queries that have an answer, and a note on the others."""
    without = [query_id for query_id in train if not answerable(collection.qrels, query_id)]
    some = (
        f"{len(without)} train queries that have no answer left out, for trainers learn from answers: {_some(without)}"
    )
    return [query_id for query_id in train if answerable(collection.qrels, query_id)], [some] if without else []


def _without_leaks(splits: dict[str, list[str]], equal: Mapping[str, str]) -> list[str]:
    """Takes out of the splits that the source gives what a split that is measured on asks too; and says so."""
    notes = []
    for name, others in (("train", ("dev", "test")), ("dev", ("test",))):
        asked = {equal[query_id] for other in others for query_id in splits[other]}
        leaks = [query_id for query_id in splits[name] if equal[query_id] in asked]
        splits[name] = [query_id for query_id in splits[name] if equal[query_id] not in asked]
        if leaks:
            where = " or ".join(others)
            notes.append(
                f"{len(leaks)} {name} queries that {where} asks too, under other ids, left out: {_some(leaks)}"
            )
    return notes


def _mute(collection: Collection, query_ids: Sequence[str]) -> tuple[set[str], list[str]]:
    """The queries whose relevant documents are all blank or not in the corpus, from which nothing can be learnt, and a
    note on them. In test they stay: what cannot be found is missed."""
    documents = collection.documents

    def read(id_: str) -> bool:
        return (document := documents.get(id_)) is not None and not document.blank

    having = [q for q in query_ids if answerable(collection.qrels, q)]
    mute = {q for q in having if not any(g > 0 and read(id_) for id_, g in collection.qrels[q].items())}
    some = _some([query_id for query_id in query_ids if query_id in mute])
    notes = [f"{len(mute)} queries without a relevant document to read are only tested, not learnt from: {some}"]
    return mute, notes if mute else []


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")


def united_groups(groups: Mapping[str, str], equal: Mapping[str, str]) -> dict[str, str]:
    """The groups, joined where they hold queries that ask the same. `equal`: of `equal_queries`."""
    root: dict[str, str] = {}

    def joined(label: str) -> str:
        while (above := root.get(label, label)) != label:
            label = above
        return label

    def label(query_id: str) -> str:
        return joined(groups.get(query_id, f"query {query_id}"))

    several = {first for query_id, first in equal.items() if query_id != first}
    for query_id, first in equal.items():
        if query_id != first:
            low, high = sorted((label(query_id), label(first)))
            if low != high:
                root[high] = low
    return {query_id: label(query_id) for query_id, first in equal.items() if query_id in groups or first in several}
