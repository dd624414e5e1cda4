"""The shelf of planted faults: each is diagnosed as its own cause, first in the table; healthy trainings have none."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rr import Dataset, Document, HardNegative, Query, Request
from rr_bench.doctor.diagnosis import Diagnosis, listed
from rr_letters.base import TINY, tiny_base
from tests.plugins.planted.planting import CounterScorer, CounterTrainer, Plant, Ward

# peft asks a transformers model for a property under its old name
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
Patch = pytest.MonkeyPatch

# --- faults in the data


def labelled(dataset: Dataset, split: str, relevant: Mapping[str, Mapping[str, int]]) -> Dataset:
    """With other judgements for the queries of a split; under protocol oracle these are among their candidates."""
    qrels = {**dataset.qrels, **relevant}
    candidates = dict(dataset.candidates)
    for query_id in dataset.splits[split] if dataset.protocol == "oracle" else ():
        others = [id_ for id_ in candidates[query_id] if id_ not in dataset.qrels[query_id]]
        shown = [*relevant[query_id], *(id_ for id_ in others if id_ not in relevant[query_id])]
        candidates[query_id] = tuple(sorted(shown[: len(candidates[query_id])]))
    first_stage = {q: tuple(dataset.first_stage[q][: len(candidates[q])]) for q in candidates}
    kept = {q: rows for q, rows in dataset.hard_negatives.items() if q not in relevant}
    negatives = {
        q: tuple(n for n in dataset.hard_negatives.get(q, ()) if n.document_id not in qrels[q]) for q in relevant
    }
    return replace(
        dataset, qrels=qrels, candidates=candidates, first_stage=first_stage, hard_negatives={**kept, **negatives}
    )


def permuted(dataset: Dataset) -> Dataset:
    queries = list(dataset.splits["train"])
    others = random.Random(1).sample(queries, len(queries))
    return labelled(dataset, "train", {q: dataset.qrels[o] for q, o in zip(queries, others, strict=True)})


def shifted(dataset: Dataset) -> Dataset:
    """Each query has the judgements of the one that stands seven lines before it."""
    queries = list(dataset.splits["train"])
    return labelled(dataset, "train", {q: dataset.qrels[queries[place - 7]] for place, q in enumerate(queries)})


def swapped(dataset: Dataset) -> Dataset:
    """What is relevant is called irrelevant, and the other way round."""
    found = {}
    for query_id in dataset.splits["train"]:
        others = [id_ for id_ in dataset.candidates[query_id] if id_ not in dataset.qrels[query_id]]
        found[query_id] = dict.fromkeys(others[:3], 1)
    return labelled(dataset, "train", found)


def swapped_in_dev(dataset: Dataset) -> Dataset:
    found = {}
    for query_id in dataset.splits["dev"]:
        others = [id_ for id_ in dataset.candidates[query_id] if id_ not in dataset.qrels[query_id]]
        found[query_id] = dict.fromkeys(others[-3:], 1)
    return labelled(dataset, "dev", found)


def dev_in_train(dataset: Dataset) -> Dataset:
    """The queries that are selected on are trained on, under other ids."""
    copies = {f"copy-{q}": q for q in dataset.splits["dev"]}

    def and_copies(parts: Mapping[str, Any]) -> dict[str, Any]:
        return {**parts, **{copy: parts[q] for copy, q in copies.items() if q in parts}}

    queries = {c: Query(c, dataset.queries[q].text, dataset.queries[q].history) for c, q in copies.items()}
    return replace(
        dataset,
        queries={**dataset.queries, **queries},
        qrels=and_copies(dataset.qrels),
        candidates=and_copies(dataset.candidates),
        first_stage=and_copies(dataset.first_stage),
        hard_negatives=and_copies(dataset.hard_negatives),
        splits={**dataset.splits, "train": (*dataset.splits["train"], *copies)},
    )


def test_is_train(dataset: Dataset) -> Dataset:
    found = dev_in_train(replace(dataset, splits={**dataset.splits, "dev": dataset.splits["train"]}))
    copies = tuple(q for q in found.splits["train"] if q.startswith("copy-"))
    return replace(found, splits={"train": dataset.splits["train"], "dev": dataset.splits["dev"], "test": copies})


test_is_train.__test__ = False  # type: ignore[attr-defined]


def copied_documents(dataset: Dataset) -> Dataset:
    """Every document comes twice, and only one of the two is judged; candidates hold both."""
    documents = dict(dataset.documents)
    for id_, document in dataset.documents.items():
        documents[f"{id_}-copy"] = Document(f"{id_}-copy", document.text, document.title)
    candidates = {q: tuple(x for id_ in ids[:6] for x in (id_, f"{id_}-copy")) for q, ids in dataset.candidates.items()}
    first_stage = {q: tuple(float(n) for n in range(len(ids))) for q, ids in candidates.items()}
    return replace(dataset, documents=documents, candidates=candidates, first_stage=first_stage)


def without_truth(split: str) -> Callable[[Dataset], Dataset]:
    """The candidates of a split hold nothing that is relevant."""

    def change(dataset: Dataset) -> Dataset:
        candidates, first_stage = dict(dataset.candidates), dict(dataset.first_stage)
        for query_id in dataset.splits[split]:
            ids = tuple(id_ for id_ in candidates[query_id] if id_ not in dataset.qrels[query_id])
            candidates[query_id], first_stage[query_id] = ids, tuple(float(n) for n in range(len(ids)))
        return replace(dataset, candidates=candidates, first_stage=first_stage)

    return change


def one_dev_query(dataset: Dataset) -> Dataset:
    return replace(dataset, splits={**dataset.splits, "dev": dataset.splits["dev"][:1]})


def one_candidate(dataset: Dataset) -> Dataset:
    candidates = {q: tuple(sorted(dataset.relevant(q)))[:1] for q in dataset.candidates}
    kept = {q: ids if q in dataset.splits["train"] else candidates[q] for q, ids in dataset.candidates.items()}
    return replace(dataset, candidates=kept, first_stage={q: tuple(map(float, range(len(i)))) for q, i in kept.items()})


def histories(change: Callable[[random.Random, Query, Dataset], tuple[Document, ...]]) -> Callable[[Dataset], Dataset]:
    def changed(dataset: Dataset) -> Dataset:
        generator = random.Random(2)
        queries = {q: Query(q, one.text, change(generator, one, dataset)) for q, one in dataset.queries.items()}
        return replace(dataset, queries=queries)

    return changed


def some_empty(generator: random.Random, query: Query, dataset: Dataset) -> tuple[Document, ...]:
    return query.history if generator.random() < 0.4 else ()


def random_items(generator: random.Random, query: Query, dataset: Dataset) -> tuple[Document, ...]:
    free = [d for id_, d in dataset.documents.items() if id_ not in dataset.qrels[query.id]]
    return tuple(generator.sample(free, max(len(query.history), 1)))


def garbled(dataset: Dataset) -> Dataset:
    """UTF-8 that was read as Latin-1."""

    def read_wrongly(text: str) -> str:
        return text.replace("o", "ọ").replace("e", "ế").encode().decode("latin-1")

    documents = {
        id_: Document(id_, read_wrongly(one.text), read_wrongly(one.title)) for id_, one in dataset.documents.items()
    }
    queries = {
        q: Query(q, read_wrongly(one.text), tuple(documents[item.id] for item in one.history))
        for q, one in dataset.queries.items()
    }
    return replace(dataset, documents=documents, queries=queries)


def truth_first(dataset: Dataset) -> Dataset:
    """Candidates in the order of their relevance: A is always right."""
    candidates = {
        q: tuple(sorted(ids, key=lambda id_: id_ not in dataset.qrels[q])) for q, ids in dataset.candidates.items()
    }
    return replace(dataset, candidates=candidates)


def few(count: int) -> Callable[[Dataset], Dataset]:
    """So few queries to train on that they can only be learnt by heart."""
    return lambda dataset: replace(dataset, splits={**dataset.splits, "train": dataset.splits["train"][:count]})


def weighing(weight: float) -> Callable[[Dataset], Dataset]:
    def change(dataset: Dataset) -> Dataset:
        return replace(
            dataset,
            hard_negatives={
                q: tuple(HardNegative(n.document_id, n.types, weight) for n in rows)
                for q, rows in dataset.hard_negatives.items()
            },
        )

    return change


# --- faults in the code


def frozen_head(patch: Patch) -> None:
    import rr_head.trainer as module

    own = module.Trainee

    def frozen(*arguments: Any) -> Any:
        return own(*arguments).requires_grad_(False)

    patch.setattr(module, "Trainee", frozen)


def frozen_cross_encoder(patch: Patch) -> None:
    import rr_cross_encoder.trainer as module

    patch.setattr(module, "prepare_model", lambda model, settings: model.requires_grad_(False))


def frozen_letters(patch: Patch) -> None:
    import rr_letters.trainer as module

    own = module.add_lora

    def frozen(letters: Any, settings: Any) -> None:
        own(letters, settings)
        letters.model.requires_grad_(False)

    patch.setattr(module, "add_lora", frozen)


def head_not_saved(patch: Patch) -> None:
    """The head is saved as it was made."""
    import rr_head.trainer as module

    own, made = module.save_head, module.make_head

    def save(best: Any, last: Any, settings: Any, temperature: float, out: Path, prompts: Any) -> None:
        own(made(settings, best.in_features, None), last, settings, temperature, out, prompts)

    patch.setattr(module, "save_head", save)


def last_head_saved(patch: Patch) -> None:
    """Another one than was selected: noise is added to what is saved."""
    import rr_head.trainer as module

    own = module.save_head

    def save(best: Any, *others: Any) -> None:
        with torch.no_grad():
            best.weight.add_(torch.randn(best.weight.shape, generator=torch.Generator().manual_seed(0)))
        own(best, *others)

    patch.setattr(module, "save_head", save)


def cross_encoder_not_saved(patch: Patch) -> None:
    """What is written is the model as it was before training."""
    import rr_cross_encoder.trainer as module

    own, kept = module.prepare_model, {}

    def prepare(model: Any, settings: Any) -> None:
        kept.update({name: value.clone() for name, value in model.state_dict().items()})
        own(model, settings)
        saving = model.save_pretrained

        def save(out: Path, **options: Any) -> None:
            saving(out, **{**options, "state_dict": kept})

        model.save_pretrained = save

    patch.setattr(module, "prepare_model", prepare)


def adapter_not_saved(patch: Patch) -> None:
    """The adapter is written as it starts, with B at 0."""
    _adapter_written_without(patch, "lora_B")


def half_an_adapter(patch: Patch) -> None:
    """The adapters of the first layer are left out of what is written."""
    _adapter_written_without(patch, "lora_B", "layers.0.")


def _adapter_written_without(patch: Patch, *parts: str) -> None:
    from rr_letters.model import LetterModel

    own = LetterModel.save

    def save(self: LetterModel, out: Path, merge: bool, weights: Mapping[str, torch.Tensor]) -> None:
        lost = {name for name in weights if all(part in name for part in parts)}
        assert lost
        own(self, out, merge, {name: value * (name not in lost) for name, value in weights.items()})

    patch.setattr(LetterModel, "save", save)


def counter_not_saved(patch: Patch) -> None:
    patch.setattr(CounterTrainer, "save", lambda self, weights, out: (out / "weights.json").write_text("{}"))


def half_a_counter(patch: Patch) -> None:
    def save(self: CounterTrainer, weights: Mapping[str, float], out: Path) -> None:
        (out / "weights.json").write_text(json.dumps(dict(list(weights.items())[::2])))

    patch.setattr(CounterTrainer, "save", save)


def cross_encoder_in_train_mode(patch: Patch) -> None:
    import rr_cross_encoder.scorer as module

    own = module.CrossEncoderScorer.score

    def score(self: Any, requests: Any) -> Any:
        self._pairs.model.train()
        return own(self, requests)

    patch.setattr(module.CrossEncoderScorer, "score", score)


def letters_in_train_mode(patch: Patch) -> None:
    import rr_letters.scorer as module

    own = module.LetterScorer.score

    def score(self: Any, requests: Any) -> Any:
        for layer in self._model.model.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.3
        self._model.model.train()
        return own(self, requests)

    patch.setattr(module.LetterScorer, "score", score)


def random_counter(patch: Patch) -> None:
    own = CounterScorer.logit
    patch.setattr(CounterScorer, "logit", lambda self, query, text: own(self, query, text) + random.random())


def weights_on_the_similarity(patch: Patch) -> None:
    """The bug of the rental recipe."""
    import rr_head.trainer as module

    def loss(batch: Any, temperature: Any) -> Any:
        in_batch = batch.queries @ batch.positives.T / temperature
        hard = torch.einsum("id,ikd->ik", batch.queries, batch.negatives) / temperature * batch.weights
        rows = torch.arange(len(in_batch))
        return (torch.logsumexp(torch.cat([in_batch, hard], 1), 1) - in_batch[rows, rows]).mean()

    patch.setattr(module.train_head, "__defaults__", (loss,))


def another_template(patch: Patch) -> None:
    """Training text without the empty think block that scoring adds."""
    import rr_letters.trainer as module

    own = module.letter_loss

    def loss(letters: Any, samples: Any, **options: Any) -> Any:
        prompter = letters.prompter
        rendered = prompter.render

        def render(request: Request) -> Any:
            prompt = rendered(request)
            return replace(prompt, tokens=[*prompt.tokens[:4], *prompt.tokens[:-3]])

        prompter.render = render
        try:
            return own(letters, samples, **options)
        finally:
            prompter.render = rendered

    patch.setattr(module, "letter_loss", loss)


def another_position(patch: Patch) -> None:
    """The letter is trained one position before the one that is scored."""
    import rr_letters.trainer as module

    own = module.letter_loss

    def loss(letters: Any, samples: Any, **options: Any) -> Any:
        hidden = letters.last_hidden

        def before(prompts: Any, **options: Any) -> Any:
            return hidden([prompt[:-1] for prompt in prompts], **options)

        letters.last_hidden = before
        try:
            return own(letters, samples, **options)
        finally:
            letters.last_hidden = hidden

    patch.setattr(module, "letter_loss", loss)


def another_position_where_shared(patch: Patch) -> None:
    """Likewise, but only where questions share their candidates."""
    import rr_letters.model as module

    own = module.shared_states

    def shared(decoder: Any, prompts: Any, *others: Any) -> Any:
        return own(decoder, [prompt[:-1] for prompt in prompts] if len(prompts) > 2 else prompts, *others)

    patch.setattr(module, "shared_states", shared)


def answers_at(place: int) -> Callable[[Patch], None]:
    def patched(patch: Patch) -> None:
        import rr_letters.samples as module

        own = module.samples

        def samples(dataset: Dataset, group: Any, number: int, *others: Any) -> Any:
            return own(dataset, group, place, *others)

        patch.setattr(module, "samples", samples)

    return patched


# --- the shelf

RATE = ("weights-did-not-move", "learning-rate")
TOO_FAST = ("diverging", "learning-rate", "no-number")
LOST = ("checkpoint-not-loaded",)

PLANTS = [
    *(Plant(f"{e}: rate 1e-9", e, RATE, {"lr": 1e-9}) for e in ("head", "cross-encoder", "letters", "counter")),
    *(Plant(f"{e}: rate 1e-7", e, RATE, {"lr": 1e-7}) for e in ("head", "cross-encoder", "letters")),
    *(Plant(f"{e}: rate 10", e, TOO_FAST, {"lr": 10.0}) for e in ("head", "cross-encoder", "letters")),
    Plant("counter: rate 1000", "counter", TOO_FAST, {"lr": 1000.0}),
    *(
        Plant(f"{e}: clip 1e-12", e, ("clipping",), {"max_grad_norm": 1e-12})
        for e in ("head", "cross-encoder", "letters")
    ),
    *(Plant(f"{e}: warm-up .99", e, ("warm-up",), {"warmup": 0.99}) for e in ("head", "cross-encoder", "letters")),
    Plant("cross-encoder: dropout .99", "cross-encoder", ("dropout",), {"dropout": 0.99}),
    Plant("letters: dropout .99", "letters", ("dropout",), {"lora_dropout": 0.99}),
    Plant("head: all frozen", "head", ("nothing-trained",), patch=frozen_head),
    Plant("cross-encoder: all frozen", "cross-encoder", ("nothing-trained",), patch=frozen_cross_encoder),
    Plant("letters: all frozen", "letters", ("nothing-trained",), patch=frozen_letters),
    Plant("head: not saved", "head", LOST, patch=head_not_saved),
    Plant("head: another one saved", "head", LOST, patch=last_head_saved),
    Plant("cross-encoder: not saved", "cross-encoder", LOST, patch=cross_encoder_not_saved),
    Plant("letters: adapter not saved", "letters", LOST, patch=adapter_not_saved),
    Plant("letters: half an adapter", "letters", LOST, patch=half_an_adapter),
    Plant("counter: not saved", "counter", LOST, patch=counter_not_saved),
    Plant("counter: half of it saved", "counter", LOST, data="shops", patch=half_a_counter),
    Plant(
        "cross-encoder: scored in train mode", "cross-encoder", ("scores-differ",), patch=cross_encoder_in_train_mode
    ),
    Plant(
        "letters: scored in train mode",
        "letters",
        ("scores-differ",),
        {"lora_dropout": 0.1},
        patch=letters_in_train_mode,
    ),
    Plant("counter: random scores", "counter", ("scores-differ",), patch=random_counter),
    *(
        Plant(f"{e}: labels {change.__name__}", e, ("labels",), data=data, change=change)
        for e, data in (("head", "shops"), ("cross-encoder", "shops"), ("counter", "shops"), ("letters", "films"))
        for change in (permuted, shifted, *((swapped,) if data == "shops" else ()))
    ),
    Plant("head: labels of dev swapped", "head", ("labels",), data="shops", change=swapped_in_dev),
    *(
        Plant(f"{e}: dev in train", e, ("leak",), change=dev_in_train)
        for e in ("head", "cross-encoder", "letters", "counter")
    ),
    *(Plant(f"{e}: test is train", e, ("leak",), change=test_is_train) for e in ("head", "counter")),
    *(
        Plant(f"{e}: copies of documents", e, ("duplicates",), change=copied_documents)
        for e in ("head", "cross-encoder", "letters", "counter")
    ),
    *(
        Plant(f"{e}: dev ceiling 0", e, ("truth-missing",), data=data, change=without_truth("dev"))
        for e, data in (("cross-encoder", "shops"), ("letters", "films"), ("counter", "shops"))
    ),
    *(
        Plant(f"{e}: one dev query", e, ("dev-split",), change=one_dev_query)
        for e in ("head", "cross-encoder", "letters")
    ),
    Plant("letters: many empty histories", "letters", ("history",), change=histories(some_empty)),
    Plant("letters: random histories", "letters", ("history", "labels"), change=histories(random_items)),
    Plant("letters: histories of one item", "letters", ("history",), change=histories(lambda g, q, d: q.history[-1:])),
    Plant(
        "letters: target in its history",
        "letters",
        ("target-in-history",),
        change=histories(lambda g, q, d: (*q.history, *(d.documents[i] for i in sorted(d.relevant(q.id))))),
    ),
    *(
        Plant(f"{e}: mojibake", e, ("mojibake",), change=garbled)
        for e in ("head", "cross-encoder", "letters", "counter")
    ),
    Plant("head: τ 1e-6", "head", ("temperature",), {"temperature": 1e-6}),
    Plant("head: τ 1000", "head", ("temperature",), {"temperature": 1000.0}),
    Plant("head: weights 1e9", "head", ("negative-weights",), change=weighing(1e9)),
    Plant("head: weights all 0", "head", ("negative-weights",), change=weighing(0.0)),
    Plant("head: weights on the similarity", "head", ("loss-formula",), patch=weights_on_the_similarity),
    Plant("cross-encoder: pos_weight 1e6", "cross-encoder", ("pos-weight",), {"pos_weight": 1e6}),
    Plant("cross-encoder: pos_weight 1e-6", "cross-encoder", ("pos-weight",), {"pos_weight": 1e-6}),
    *(
        Plant(f"{e}: decay 1e4", e, ("weight-decay",), {"weight_decay": 1e4})
        for e in ("head", "cross-encoder", "letters")
    ),
    Plant("letters: another template", "letters", ("template-parity",), patch=another_template),
    Plant("letters: another position", "letters", ("template-parity",), patch=another_position),
    Plant(
        "letters: another position where questions share their candidates",
        "letters",
        ("template-parity",),
        {"questions": 4},
        {"layout": "question-last"},
        patch=another_position_where_shared,
    ),
    Plant("head: max_seq_length 8", "head", ("truncation",), settings={"max_seq_length": 8}),
    Plant("letters: titles of one token", "letters", ("truncation",), settings={"title_tokens": 1}),
    Plant("letters: truth always at A", "letters", ("order",), patch=answers_at(0)),
    Plant("letters: truth always at C", "letters", ("order",), patch=answers_at(2)),
    *(Plant(f"{e}: truth first", e, ("order",), change=truth_first) for e in ("letters", "cross-encoder")),
    *(Plant(f"{e}: NaN in the base", e, ("no-number",), model="nan") for e in ("cross-encoder", "letters")),
    *(Plant(f"{e}: two steps", e, ("steps",), {"max_steps": 2}) for e in ("head", "cross-encoder", "letters")),
    Plant("letters: alpha 0.001", "letters", ("lora-rank",), {"lora_alpha": 1, "lora_r": 64}),
    Plant("letters: alpha 4096", "letters", ("lora-rank",), {"lora_alpha": 4096}),
    Plant("cross-encoder: one candidate", "cross-encoder", ("candidates",), change=one_candidate),
    *(
        Plant(f"{e}: overfitted on {data}", e, ("overfitted",), {"epochs": n, **more}, data=data, change=few(count))
        for e, data, n, count, more in (("head", "shops", 80, 8, {"lr": 0.05}),)
    ),
]

HEALTHY = [
    Plant(f"{entry} on {data}, seed {seed}", entry, ("ok",), {"seed": seed, **more}, data=data)
    for entry, datasets, more in (
        ("head", ("topics", "shops"), {}),
        ("cross-encoder", ("topics", "shops"), {}),
        ("letters", ("worlds17", "worlds19"), {"samples": "every-prefix", "batch_size": 16}),
        ("counter", ("topics", "shops"), {}),
    )
    for data in datasets
    for seed in (0, 1, 2)
]


@pytest.fixture(scope="session")
def ward(bert: Callable[..., Path], sentence_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Ward:
    broken = tmp_path_factory.mktemp("nan")

    def with_nan(source: Path, name: str) -> str:
        folder = shutil.copytree(source, broken / name, dirs_exist_ok=True)
        tensors = load_file(folder / "model.safetensors")
        first = min(tensors)
        save_file({**tensors, first: tensors[first] * float("nan")}, folder / "model.safetensors", {"format": "pt"})
        return str(folder)

    return Ward(
        {
            "head": lambda kind: str(sentence_encoder),
            "cross-encoder": lambda kind: with_nan(bert(None), "bert") if kind == "nan" else str(bert(None)),
            "letters": lambda kind: with_nan(tiny_base(), "qwen") if kind == "nan" else TINY,
        }
    )


@pytest.mark.planted
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_fault_is_named_first(
    plant: Plant, ward: Ward, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    evidence, diagnosis = ward.diagnosed(plant, tmp_path / "checkpoint")
    keep(plant.name, diagnosis)
    record_property("planted", diagnosis.line)
    assert diagnosis.leading is not None, [str(one) for one in evidence.events[-3:]]
    name, finding = diagnosis.leading
    assert name in plant.causes, listed(diagnosis)
    assert finding.evidence
    assert finding.meaning


@pytest.mark.planted
@pytest.mark.parametrize("plant", HEALTHY, ids=lambda plant: plant.name)
def test_a_healthy_training_has_no_fault(
    plant: Plant, ward: Ward, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """And all of them together no more than two warnings: tests/conftest.py counts."""
    _, diagnosis = ward.diagnosed(plant, tmp_path / "checkpoint")
    keep(plant.name, diagnosis)
    record_property("healthy", [one["check"] for one in listed(diagnosis) if one["verdict"] == "warning"])
    assert diagnosis.verdict != "fault", diagnosis.line


def keep(name: str, diagnosis: Diagnosis) -> None:
    """For docs/doctor, whose examples are what this shelf was told: `RR_PLANTED=FILE pytest -m planted`."""
    if path := os.environ.get("RR_PLANTED"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"plant": name, "findings": listed(diagnosis)}, ensure_ascii=False) + "\n")
