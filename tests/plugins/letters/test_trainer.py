"""Training: its losses, its course, what it saves."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from rr import Dataset, Document, RerankError
from rr_letters.model import LetterModel
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterTraining
from rr_letters.trainer import LetterTrainer, add_lora, letter_loss
from tests.plugins.conftest import equal_tensors
from tests.plugins.letters.helpers import SMALL, Qwen, choices, plain_answer, settings
from tests.plugins.training import Observed, observe, values, without_test_split

# peft asks a transformers model for a property under its old name
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

TRAINING = LetterTraining(epochs=3, batch_size=16, lr=1e-2, samples="one-cut", candidates=4, lora_r=4, lora_alpha=8)


@pytest.mark.parametrize("kind", ["qwen3", "flat"])
def test_the_loss_is_that_of_the_scored_answer(qwen: Qwen, learnable: Dataset, watched: Dataset, kind: str) -> None:
    """The mean of -log score(answer), as the plain forward pass has it: training reads the position that is scored."""
    model = LetterModel(settings(qwen(kind)), None)
    samples = [
        *choices(learnable, LetterTraining(candidates=5), 0)[:4],
        *choices(watched, LetterTraining(samples="one-cut"), 0)[:3],
    ]
    expected = sum(-math.log(plain_answer(settings(qwen(kind)), request)[0][place]) for request, place in samples) / 7
    with torch.no_grad():
        assert letter_loss(model, samples).value.item() == pytest.approx(expected, rel=1e-4)


def test_a_flat_model_starts_at_chance(qwen: Qwen, watched: Dataset) -> None:
    """ln C for C candidates."""
    model = LetterModel(settings(qwen("flat")), None)
    with torch.no_grad():
        loss = letter_loss(model, choices(watched, LetterTraining(candidates=20, samples="one-cut"), 0)).value
    assert loss.item() == pytest.approx(math.log(20), abs=0.02)


@pytest.fixture(scope="module")
def trained(qwen: Qwen, watched: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    trainer = LetterTrainer(TRAINING, settings(qwen("qwen3"), **SMALL))
    return observe(trainer, watched, tmp_path_factory.mktemp("trained") / "checkpoint")


def test_training_reports_every_step_and_every_epoch(trained: Observed, watched: Dataset) -> None:
    steps = 3 * -(-len(watched.splits["train"]) // 16)
    assert [event.step for event in trained.events if event.loss is not None] == list(range(1, steps + 1))
    assert {event.total for event in trained.events} == {steps}
    assert len(trained.qualities) == 3
    assert {event.metric for event in trained.events if event.dev is not None} == {"nDCG@10"}


def test_what_can_be_learned_is_learned(qwen: Qwen, learnable: Dataset, tmp_path: Path) -> None:
    """One query, whose answer reads differently from all else: the model has to find it wherever it stands."""
    query_id = learnable.splits["train"][0]
    answer = min(learnable.relevant(query_id))
    single = replace(
        learnable,
        splits={"train": (query_id,) * 16, "dev": (query_id,), "test": ()},
        qrels={query_id: {answer: 1}},
        documents={id_: Document(id_, "", "Z" if id_ == answer else "x") for id_ in learnable.documents},
    )
    options = LetterTraining(epochs=30, batch_size=16, lr=3e-2, candidates=2)
    own = settings(qwen("qwen3"), **SMALL)
    observed = observe(LetterTrainer(options, own), single, tmp_path / "out")
    assert observed.losses[0] > 0.6  # chance is ln 2 = 0.69
    assert observed.losses[-1] < 0.2


def test_a_checkpoint_scores_exactly_as_the_model_in_training_did(
    trained: Observed, qwen: Qwen, watched: Dataset
) -> None:
    requests = watched.requests("dev")
    scorer = LetterScorer(settings(qwen("qwen3"), **SMALL), trained.folder)
    assert values(scorer.score(requests)) == trained.kept
    assert values(LetterScorer(settings(qwen("qwen3"), **SMALL)).score(requests)) != trained.kept
    assert (scorer.info.state, scorer.info.notes) == ("trained", ())


def test_the_first_of_the_best_epochs_is_kept(qwen: Qwen, watched: Dataset, tmp_path: Path) -> None:
    options = TRAINING.model_copy(update={"epochs": 4})
    trainer = LetterTrainer(options, settings(qwen("qwen3"), **SMALL))
    observed = observe(trainer, watched, tmp_path / "out", qualities=(0.5, 0.9, 0.9, 0.1))
    scorer = LetterScorer(settings(qwen("qwen3"), **SMALL), observed.folder)
    assert values(scorer.score(watched.requests("dev"))) == observed.answers[1]
    assert observed.answers[1] not in (observed.answers[0], *observed.answers[2:])


def test_the_adapter_is_safetensors_and_holds_lora_weights_only(trained: Observed) -> None:
    assert not [file.name for file in trained.folder.iterdir() if file.suffix in (".bin", ".pt", ".pkl")]
    adapter = load_file(trained.folder / "adapter_model.safetensors")
    assert len(adapter) == 2 * 4 * 2  # layers, projections, A and B
    assert all("lora_" in name for name in adapter)
    assert all(value.abs().sum() > 0 for name, value in adapter.items() if "lora_B" in name), "B starts at 0"


def test_the_adapters_configuration_is_the_same_in_every_run(trained: Observed) -> None:
    """peft writes a set there, whose order is another in each process."""
    config = json.loads((trained.folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]


def test_the_base_stays_as_it_was(trained: Observed, qwen: Qwen) -> None:
    own = trained.scorer._model.model.get_base_model().state_dict()
    kept = {name.replace(".base_layer", ""): value for name, value in own.items() if "lora_" not in name}
    assert equal_tensors(kept, dict(AutoModelForCausalLM.from_pretrained(qwen("qwen3")).state_dict()))


def test_only_the_adapter_is_counted_as_trainable(trained: Observed, qwen: Qwen) -> None:
    scorer = LetterScorer(settings(qwen("qwen3"), **SMALL), trained.folder)
    # rank × (in + out) of q, k, v and o in two layers: width 32, heads 4 × 8, key-value heads 2 × 8
    own = 2 * 4 * ((32 + 32) + (32 + 16) + (32 + 16) + (32 + 32))
    base = sum(parameter.numel() for parameter in AutoModelForCausalLM.from_pretrained(qwen("qwen3")).parameters())
    assert scorer.info.trainable == own
    assert scorer.info.parameters == base + own
    assert trained.scorer.info.trainable == own
    assert {event.trained for event in trained.events if event.loss is not None} == {own}


def test_training_repeats_itself_and_never_looks_at_the_test_split(
    trained: Observed, qwen: Qwen, watched: Dataset, tmp_path: Path
) -> None:
    torch.rand(3)
    trainer = LetterTrainer(TRAINING, settings(qwen("qwen3"), **SMALL))
    again = observe(trainer, without_test_split(watched), tmp_path / "again")
    assert again.losses == trained.losses
    adapters = [load_file(run.folder / "adapter_model.safetensors") for run in (again, trained)]
    assert equal_tensors(*adapters)


def test_an_adapter_of_another_base_is_refused(trained: Observed, qwen: Qwen) -> None:
    """Of the same shape, so that only the base's fingerprint tells."""
    with pytest.raises(RerankError, match=r"trained on other base weights than .* train again"):
        LetterScorer(settings(qwen("other"), **SMALL), trained.folder)


def short(qwen: Qwen, watched: Dataset, folder: Path, layout: str = "question-first", **options: object) -> Observed:
    """A few steps on eight users, without dropout."""
    few = replace(watched, splits={**watched.splits, "train": watched.splits["train"][:8]})
    own = settings(qwen("qwen3"), **SMALL, layout=layout)
    base = {"epochs": 2, "batch_size": 8, "lr": 1e-2, "samples": "one-cut", "candidates": 4, "lora_dropout": 0.0}
    trainer = LetterTrainer(LetterTraining.model_validate({**base, **options}), own)
    return observe(trainer, few, folder)


@pytest.fixture(scope="module")
def plain(qwen: Qwen, watched: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return short(qwen, watched, tmp_path_factory.mktemp("plain") / "out")


def adapter(observed: Observed) -> dict[str, torch.Tensor]:
    return dict(load_file(observed.folder / "adapter_model.safetensors"))


def alike(other: Observed, plain: Observed) -> None:
    assert len(other.losses) == 2
    assert other.losses == pytest.approx(plain.losses, abs=1e-5)
    left, right = adapter(other), adapter(plain)
    assert left.keys() == right.keys()
    for name, weight in left.items():
        # Adam's first steps take the sign of a gradient: where that is almost 0, the two may differ
        assert ((weight - right[name]).abs() > 1e-4).float().mean() < 0.01, name


def test_questions_share_their_candidates_with_and_without_checkpoints(
    qwen: Qwen, watched: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates that are read once train what candidates read for each question do."""
    read: list[bool] = []
    real = LetterModel.last_hidden

    def told(self: LetterModel, prompts: Sequence[Sequence[int]], share: bool = False) -> torch.Tensor:
        read.append(share and torch.is_grad_enabled())
        return real(self, prompts, share)

    monkeypatch.setattr(LetterModel, "last_hidden", told)
    options: dict[str, object] = {"layout": "question-last", "questions": 4, "candidates": 12}
    shared = short(qwen, watched, tmp_path / "shared", **options)
    assert any(read)
    read.clear()
    alike(short(qwen, watched, tmp_path / "checkpoints", **options, gradient_checkpointing=True), shared)
    assert not any(read)


@pytest.mark.parametrize(
    "options", [{"gradient_checkpointing": True}, {"batch_size": 2, "gradient_accumulation_steps": 4}], ids=str
)
def test_what_saves_memory_changes_nothing(
    plain: Observed, qwen: Qwen, watched: Dataset, tmp_path: Path, options: dict[str, object]
) -> None:
    other = short(qwen, watched, tmp_path / "out", **options)
    alike(other, plain)
    scorer = other.scorer._model.model.get_base_model()
    assert scorer.is_gradient_checkpointing == ("gradient_checkpointing" in options)


def test_activations_are_computed_again(qwen: Qwen, watched: Dataset) -> None:
    """With checkpointing a layer runs twice in a step."""
    counts = []
    for checkpointing in (False, True):
        model = LetterModel(settings(qwen("qwen3"), **SMALL), None)
        add_lora(model, LetterTraining(gradient_checkpointing=checkpointing))
        model.model.train()
        calls: list[int] = []
        for layer in model.base.model.layers:
            layer.self_attn.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        letter_loss(model, choices(watched, LetterTraining(candidates=4), 0)[:2]).value.backward()  # type: ignore[no-untyped-call]
        counts.append(len(calls))
    assert counts[1] == 2 * counts[0]


def test_a_merged_checkpoint_is_a_model_of_its_own(
    plain: Observed, qwen: Qwen, watched: Dataset, tmp_path: Path
) -> None:
    merged = short(qwen, watched, tmp_path / "out", merge=True)
    assert not (merged.folder / "adapter_config.json").exists()
    requests = watched.requests("dev")
    own = settings(qwen("qwen3"), **SMALL)
    scorer = LetterScorer(own, merged.folder)
    assert (scorer.info.state, scorer.info.trainable) == ("trained", 0)
    for request, answer, adapted, base in zip(
        requests,
        scorer.score(requests),
        LetterScorer(own, plain.folder).score(requests),
        LetterScorer(own).score(requests),
        strict=True,
    ):
        assert answer.values == pytest.approx(adapted.values, abs=1e-5)
        assert answer.values == pytest.approx(plain_answer(settings(merged.folder, **SMALL), request)[0], abs=1e-5)
        assert answer.values != pytest.approx(base.values, abs=1e-3)
    loaded = AutoModelForCausalLM.from_pretrained(merged.folder)
    assert loaded.config.architectures == ["Qwen3ForCausalLM"]
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_next_token_training_learns_to_end_the_turn(qwen: Qwen, watched: Dataset, tmp_path: Path) -> None:
    observed = short(qwen, watched, tmp_path / "out", objective="next-token", epochs=8)
    assert observed.losses[-1] < 0.8 * observed.losses[0]
    (answer, *_) = LetterScorer(settings(qwen("qwen3"), **SMALL), observed.folder).score(watched.requests("dev"))
    (before, *_) = LetterScorer(settings(qwen("qwen3"), **SMALL)).score(watched.requests("dev"))
    assert answer.diagnostics["label_mass"] > before.diagnostics["label_mass"]


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed")
def test_4_bits_need_bitsandbytes(qwen: Qwen) -> None:
    with pytest.raises(RerankError, match=r"^quantization: 4bit needs bitsandbytes; pip install bitsandbytes, or .*$"):
        LetterScorer(settings(qwen("qwen3"), quantization="4bit"))


def test_4_bit_weights_are_not_merged(qwen: Qwen, watched: Dataset, tmp_path: Path) -> None:
    trainer = LetterTrainer(LetterTraining(merge=True), settings(qwen("qwen3"), quantization="4bit"))
    with pytest.raises(RerankError, match=r"merge: true needs quantization: none"):
        trainer.train(watched, tmp_path, lambda _: None)


def test_the_head_cannot_be_adapted() -> None:
    with pytest.raises(ValueError, match="lm_head cannot be adapted: only its rows of the letters are read"):
        LetterTraining(lora_targets=("q_proj", "lm_head"))
