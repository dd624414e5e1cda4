"""Small data sets that can be learnt, small models that learn them, and what the doctor says of a training."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from rr import (
    Component,
    Dataset,
    Document,
    Evidence,
    HardNegative,
    ModelInfo,
    OnEvent,
    Query,
    Request,
    RerankError,
    Settings,
    TrainingEvent,
)
from rr.data.collection import Collection
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.data.prepare import dataset_fingerprint
from rr_bench.data.report import data_report
from rr_bench.doctor.diagnosis import Diagnosis, diagnose
from rr_bench.doctor.evidence import of_path
from rr_bench.registry import CandidatePlan, SplitPlan
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.training import train
from tests.preparing import prepare, read

THINGS = (
    *("lamp", "river", "violin", "castle", "window", "carpet", "garden", "bottle"),
    *("falcon", "hammer", "pepper", "tractor"),
)
PHRASES = (
    *("where is the", "tell me about the", "who knows the", "a word on the", "find the", "what about the"),
    *("show the", "is there a", "i want the", "give me the"),
)


def topics(seed: int = 5) -> Dataset:
    """Each thing has documents about another one, three of them recommended: nothing but training tells which."""
    generator = random.Random(seed)
    told = generator.sample(THINGS, len(THINGS))
    documents, queries, qrels, negatives = {}, {}, {}, {}
    for thing, other in zip(THINGS, told, strict=True):
        for verdict in ("recommended", "rejected"):
            for number in range(3):
                id_ = f"{other}-{verdict}-{number}"
                documents[id_] = Document(id_, f"the {other} offer {number} is {verdict} by the guide")
        for number, phrase in enumerate(PHRASES):
            id_ = f"{thing}-{number}"
            queries[id_] = Query(id_, f"{phrase} {thing}")
            qrels[id_] = {f"{other}-recommended-{n}": 1 for n in range(3)}
            negatives[id_] = [HardNegative(f"{other}-rejected-{n}", ("price",), 0.5 + n) for n in range(3)]
    run = {q: {id_: generator.random() + 0.5 * ("rejected" in id_) for id_ in documents} for q in queries}
    return prepare(
        "topics",
        Collection(documents, queries, qrels, hard_negatives=negatives, run=run),
        SplitPlan(dev=0.2, test=0.1),
        CandidatePlan(retriever="run", depth=12, protocol="oracle"),
    )


def shops(seed: int = 7) -> Dataset:
    """The words of a query stand in what is relevant to it, and some of them in what is too dear."""
    generator = random.Random(seed)
    documents, queries, qrels, negatives = {}, {}, {}, {}
    for thing in THINGS:
        for verdict in ("cheap", "dear"):
            for number in range(3):
                id_ = f"{thing}-{verdict}-{number}"
                street = generator.choice(PHRASES).split()[0]
                documents[id_] = Document(id_, f"a {verdict} {thing} in shop {number} at {street} street")
        for number, phrase in enumerate(PHRASES):
            id_ = f"{thing}-{number}"
            queries[id_] = Query(id_, f"{phrase} {'cheap ' if number % 2 else ''}{thing}")
            qrels[id_] = {f"{thing}-cheap-{n}": 1 for n in range(3)}
            negatives[id_] = [HardNegative(f"{thing}-dear-{n}", ("price",), 0.5 + n) for n in range(3)]
    return prepare(
        "shops",
        Collection(documents, queries, qrels, hard_negatives=negatives),
        SplitPlan(dev=0.2, test=0.1, seed=seed),
        CandidatePlan(retriever="bm25", depth=12),
    )


def films(seed: int = 17, train_queries: int = 60, dev_queries: int = 24) -> Dataset:
    """Users with histories of invented films; the embedded letters' base knows which kinds go together."""
    split = SplitPlan(max_train=train_queries, max_dev=dev_queries, max_test=4)
    plan = CandidatePlan(retriever="run", protocol="oracle", depth=12)
    return prepare("films", read("films", seed=seed), split, plan)


def worlds(seed: int) -> Dataset:
    """As many of them as LoRA needs to better a base that knows much already."""
    return films(seed, 120, 40)


class CounterSettings(Settings):
    lr: float = 0.5
    epochs: int = 8
    seed: int = 0
    batch_size: int = 16


class CounterScorer:
    """A plugin of someone else's, without torch: a weight for each pair of a query's word and a document's."""

    info = ModelInfo("logit", state="trained", parameters=1, trainable=1)

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self.weights: dict[str, float] = {}
        if checkpoint is not None:
            self.weights = json.loads((checkpoint / "weights.json").read_text(encoding="utf-8"))
        self.info = ModelInfo("logit", state="trained" if checkpoint else "untrained", parameters=1, trainable=1)

    def logit(self, query: str, document: str) -> float:
        return sum(self.weights.get(pair, 0.0) for pair in pairs(query, document))

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[self.logit(r.query.text, d.content) for d in r.candidates] for r in requests]


def pairs(query: str, document: str) -> list[str]:
    return [f"{a} {b}" for a in sorted({*query.split()}) for b in sorted({*document.split()})]


class CounterTrainer:
    """Logistic regression by stochastic gradients, told as docs/plugin-guide.md says."""

    Settings = CounterSettings

    def __init__(self, settings: CounterSettings, scorer_settings: Settings) -> None:
        self.settings = settings

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        from rr.training import hard_negatives, ranking_quality

        settings, generator = self.settings, random.Random(self.settings.seed)
        model = CounterScorer(Settings())
        rows = []
        for query_id in dataset.splits["train"]:
            text = dataset.queries[query_id].text
            negatives = [one.document_id for one in hard_negatives(dataset, query_id, 3)]
            for id_, label in [*((i, 1.0) for i in sorted(dataset.relevant(query_id))), *((i, 0.0) for i in negatives)]:
                rows.append((text, dataset.documents[id_].content, label))
        steps = settings.epochs * -(-len(rows) // settings.batch_size)
        probe = generator.sample(rows, min(48, len(rows)))
        step, best, kept = 0, -1.0, dict(model.weights)
        on_event(self.evaluated(model, dataset, probe, 0, steps, ranking_quality))
        for epoch in range(1, settings.epochs + 1):
            generator.shuffle(rows)
            for start in range(0, len(rows), settings.batch_size):
                batch = rows[start : start + settings.batch_size]
                loss = self.loss(model, batch)
                for text, document, label in batch:
                    slope = (sigmoid(model.logit(text, document)) - label) / len(batch)
                    for pair in pairs(text, document):
                        model.weights[pair] = model.weights.get(pair, 0.0) - settings.lr * slope
                step += 1
                figures = {"lr": settings.lr, "chance": math.log(2), "items": len(batch), "epoch": epoch}
                on_event(TrainingEvent(step, steps, loss=loss, figures=figures))
            event = self.evaluated(model, dataset, probe, step, steps, ranking_quality)
            on_event(event)
            if event.dev is not None and event.dev > best:
                best, kept = event.dev, dict(model.weights)
        self.save(kept, out)

    def save(self, weights: Mapping[str, float], out: Path) -> None:
        (out / "weights.json").write_text(json.dumps(weights), encoding="utf-8")

    def loss(self, model: CounterScorer, rows: Sequence[tuple[str, str, float]]) -> float:
        found = [(sigmoid(model.logit(text, document)), label) for text, document, label in rows]
        return -sum(math.log(max(p if label else 1 - p, 1e-12)) for p, label in found) / len(found)

    def evaluated(
        self,
        model: CounterScorer,
        dataset: Dataset,
        probe: Sequence[tuple[str, str, float]],
        step: int,
        total: int,
        quality: Callable[..., float],
    ) -> TrainingEvent:
        norm = math.sqrt(sum(weight**2 for weight in model.weights.values()))
        figures = {"probe_train": self.loss(model, probe), "probe_train chance": math.log(2), "moved": norm / 10}
        return TrainingEvent(step, total, dev=quality(model, dataset), metric="nDCG@10", figures=figures)


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(min(logit, 700), -700)))


def with_counter() -> Plugins:
    own = [
        Registered(Component("counter", f"{__name__}:CounterScorer", ""), "scorer", "counter", "counter", "1"),
        Registered(
            Component("counter", f"{__name__}:CounterTrainer", "", trains="counter"),
            "trainer",
            "counter",
            "counter",
            "1",
        ),
    ]
    return Plugins([*installed_plugins().components, *own], [])


@dataclass(frozen=True)
class Plant:
    """A fault, and the checks that name it: one of them must come first. `change` makes it in the data, `patch` in the
    code."""

    name: str
    entry: str
    causes: tuple[str, ...]
    training: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    change: Callable[[Dataset], Dataset] | None = None
    patch: Callable[[pytest.MonkeyPatch], None] | None = None
    model: str = ""


@dataclass
class Ward:
    """Data sets and models, made once; `train` is asked about one training after the other."""

    models: Mapping[str, Callable[[str], str]]
    made: dict[str, Dataset] = field(default_factory=dict)

    def data(self, name: str) -> Dataset:
        """By the function that makes it, with its seed if that is named: `shops`, `worlds19`."""
        if name not in self.made:
            word = name.rstrip("0123456789")
            seeds = [int(name.removeprefix(word))] if word != name else []
            self.made[name] = {"topics": topics, "shops": shops, "films": films, "worlds": worlds}[word](*seeds)
        return self.made[name]

    def diagnosed(self, plant: Plant, out: Path) -> tuple[Evidence, Diagnosis]:
        recipe = RECIPES[plant.entry]
        dataset = self.data(plant.data or str(recipe["data"]))
        if plant.change is not None:
            dataset = plant.change(dataset)
        dataset = replace(dataset, report=data_report(dataset))
        dataset = replace(dataset, fingerprint=dataset_fingerprint(dataset))
        settings = {**recipe["settings"], **plant.settings}
        if plant.entry != "counter":
            settings["model"] = self.models[plant.entry](plant.model)
        entry = RerankerEntry(
            scorer=recipe["scorer"],
            trainer=recipe["scorer"],
            settings=settings,
            training={**recipe["training"], **plant.training},
        )
        plugins = with_counter()
        resolved = resolve(plugins, plant.entry, entry)
        with pytest.MonkeyPatch.context() as patch:
            if plant.patch is not None:
                plant.patch(patch)
            with suppress(RerankError):  # the doctor is asked about what it left
                train(plugins, resolved, dataset, out)
        evidence = of_path(out)
        return evidence, diagnose(evidence, plugins)


RECIPES: dict[str, dict[str, Any]] = {
    "head": {
        "scorer": "head",
        "data": "topics",
        "settings": {"dimensions": 16, "max_seq_length": 64},
        "training": {"epochs": 15, "batch_size": 64, "lr": 2e-2, "num_hard_negatives": 3},
    },
    "cross-encoder": {
        "scorer": "cross_encoder",
        "data": "topics",
        "settings": {"max_seq_length": 64},
        "training": {
            "loss": "bce",
            "epochs": 2,
            "batch_size": 24,
            "lr": 5e-3,
            "num_hard_negatives": 2,
            "num_random_negatives": 1,
            "evaluations": 6,
        },
    },
    "letters": {
        "scorer": "letters",
        "data": "films",
        "settings": {"title_tokens": 16, "history_items": 8},
        "training": {
            "samples": "one-cut",
            "epochs": 5,
            "batch_size": 8,
            "lr": 6e-3,
            "candidates": 12,
            "lora_r": 16,
            "lora_alpha": 32,
            "lora_dropout": 0.0,
        },
    },
    "counter": {"scorer": "counter", "data": "topics", "settings": {}, "training": {}},
}
"""How each trainer learns its data well."""
