"""Training: its losses, its course, what it saves."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from rr import Dataset, Document, RerankError
from rr_letters.model import LetterModel
from rr_letters.scorer import LetterScorer
from rr_letters.trainer import LetterTrainer, LetterTraining, letter_loss
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
        assert letter_loss(model, samples).item() == pytest.approx(expected, rel=1e-4)


def test_a_flat_model_starts_at_chance(qwen: Qwen, watched: Dataset) -> None:
    """ln C for C candidates."""
    model = LetterModel(settings(qwen("flat")), None)
    with torch.no_grad():
        loss = letter_loss(model, choices(watched, LetterTraining(candidates=20, samples="one-cut"), 0))
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
