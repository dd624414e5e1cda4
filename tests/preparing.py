"""Data sets as tests make them: the installed readers and retrievers by their names, without a registry or a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rr import Corpus, Dataset, Document, Query
from rr.data.collection import Collection
from rr.registry.plugins import installed_plugins
from rr.spec import Kind
from rr_bench.data import prepare as preparing
from rr_bench.registry import CandidatePlan, SplitPlan

READERS = ("beir", "cranfield", "hf", "ir_datasets", "jsonl", "movielens", "msmarco", "pairs", "proptit", "recbole")
READERS += ("rental", "smart", "table", "trec", "xquad", "zalo")
GENERATORS = ("films", "helpdesk", "rentals")


def component(kind: Kind, name: str, **settings: Any) -> Any:
    """One of an installed plugin, made with these settings."""
    target = installed_plugins().load(kind, name)
    model = installed_plugins().settings(kind, name) or getattr(target, "Settings", None)
    return target(model.model_validate(settings) if model else None)


def read(name: str, **options: Any) -> Collection:
    collection = component("reader", name, **options).read()
    assert isinstance(collection, Collection)
    return collection


def fitted(name: str, documents: Iterable[Document] = (), train: Sequence[Sequence[str]] = (), **settings: Any) -> Any:
    """A retriever; `train`: sequences of ids, the last of each the target."""
    retriever = component("retriever", name, **settings)
    pairs = [(Query("t", "", tuple(Document(id_, "") for id_ in items[:-1])), tuple(items[-1:])) for items in train]
    retriever.fit(Corpus(tuple(documents), tuple(pairs)))
    return retriever


def prepare(name: str, collection: Collection, split: SplitPlan, plan: CandidatePlan) -> Dataset:
    return preparing.prepare(name, collection, split, plan, component("retriever", plan.retriever, **plan.options))


def prepare_folds(
    name: str, collection: Collection, split: SplitPlan, plan: CandidatePlan, folds: int
) -> list[Dataset]:
    retriever = component("retriever", plan.retriever, **plan.options)
    return preparing.prepare_folds(name, collection, split, plan, retriever, folds)
