"""Packing and the short way against the plain transformers forward pass, one pair at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedConfig,
    RobertaConfig,
    RobertaPreLayerNormConfig,
    XLMRobertaConfig,
)

from rr_cross_encoder.model import PACK, SHORT_FROM, PairModel
from rr_cross_encoder.settings import CrossEncoderSettings
from rr_torch.device import seeded
from rr_torch.source import local_folder
from tests.plugins.conftest import MINILM

SHAPE = {
    "vocab_size": 30522,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 140,
    "initializer_range": 0.25,  # attention that is far from uniform, scores that differ
    "num_labels": 1,
    "pad_token_id": 0,
}
SEGMENTS = {**SHAPE, "type_vocab_size": 2}
DISTIL = {**SHAPE, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48}


@dataclass(frozen=True)
class Case:
    config: PreTrainedConfig
    packs: bool = True
    shortens: bool = True


CASES = {
    "bert": Case(BertConfig(**SHAPE)),
    "roberta": Case(RobertaConfig(**SEGMENTS)),
    "xlm-r": Case(XLMRobertaConfig(**{**SEGMENTS, "pad_token_id": 1})),
    "electra": Case(ElectraConfig(**SHAPE, embedding_size=16)),
    "another activation": Case(BertConfig(**SHAPE, hidden_act="relu")),
    # has other parts than the short way reads
    "roberta, norm first": Case(RobertaPreLayerNormConfig(**SEGMENTS), shortens=False),
    # cannot be packed
    "distilbert": Case(DistilBertConfig(**DISTIL), packs=False, shortens=False),
    "deberta": Case(DebertaV2Config(**SEGMENTS, relative_attention=True), packs=False, shortens=False),
    "modernbert": Case(ModernBertConfig(**SHAPE, global_attn_every_n_layers=3), packs=False, shortens=False),
}
SHORT = [name for name, case in CASES.items() if case.shortens]

Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Make:
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("model")
            with seeded(4):
                model = AutoModelForSequenceClassification.from_config(CASES[name].config)
                for parameter in model.parameters():  # biases and norms are all alike at first
                    parameter.data += 0.1 * torch.randn_like(parameter)
            model.save_pretrained(made[name])
            tokenizer = AutoTokenizer.from_pretrained(str(local_folder(MINILM)))
            if name in ("distilbert", "modernbert"):
                tokenizer.model_input_names = ["input_ids", "attention_mask"]
            tokenizer.save_pretrained(made[name])
        return made[name]

    return make


def loaded(folder: Path, **options: object) -> PairModel:
    settings = {"model": str(folder), "max_seq_length": 128, **options}
    return PairModel(CrossEncoderSettings.model_validate(settings), None)


def texts(seed: int = 0, count: int = 30) -> list[tuple[str, str]]:
    """Some are cut."""
    generator = random.Random(seed)
    words = ["falcon", "hammer", "pepper", "giường", "the", "guide", "2.5tr/th"]
    lengths = [generator.choice((0, 1, 5, 20, 60, 200)) for _ in range(count)]
    return [(" ".join(generator.choices(words, k=3)), " ".join(generator.choices(words, k=k))) for k in lengths]


@torch.inference_mode()
def plain(folder: Path, pairs: PairModel, asked: list[tuple[str, str]]) -> list[float]:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model.load_state_dict(pairs.model.state_dict())
    rows, _ = pairs.encode(asked)
    return [model(**{name: torch.tensor([ids]) for name, ids in row.items()}).logits.item() for row in rows]


@pytest.mark.parametrize("name", CASES)
def test_scores_equal_the_plain_forward_pass_one_pair_at_a_time(folder: Make, name: str) -> None:
    pairs, asked = loaded(folder(name)), texts()
    assert (pairs.packs, pairs.shortens) == (CASES[name].packs, CASES[name].shortens)
    expected, (rows, _) = plain(folder(name), pairs, asked), pairs.encode(asked)
    assert len({round(value, 3) for value in expected}) > 20, "all alike: this proves nothing"
    assert sum(len(row["input_ids"]) for row in rows) > max(SHORT_FROM, PACK), "too few for the short way and two packs"
    assert pairs.score(rows) == pytest.approx(expected, abs=1e-5)
    assert pairs.score(rows[-1:]) == pytest.approx(expected[-1:], abs=1e-5)
    assert pairs.logits(rows[:7]).tolist() == pytest.approx(expected[:7], abs=1e-5)


@pytest.mark.parametrize("token_budget", [1, 200, 1_000_000])
@pytest.mark.parametrize("name", ["bert", "xlm-r"])
def test_scores_depend_neither_on_the_neighbours_nor_on_the_budget(folder: Make, name: str, token_budget: int) -> None:
    rows, _ = loaded(folder(name)).encode(texts(count=16))
    expected = loaded(folder(name)).score(rows)
    assert sum(len(row["input_ids"]) for row in rows) > SHORT_FROM
    pairs = loaded(folder(name), token_budget=token_budget)
    assert pairs.score(rows) == pytest.approx(expected, abs=1e-5)
    assert pairs.score(rows[::-1]) == pytest.approx(expected[::-1], abs=1e-5)
    others, _ = pairs.encode(texts(seed=1, count=16))
    mixed = [row for pair in zip(others, rows, strict=True) for row in pair]
    assert pairs.score(mixed)[1::2] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", SHORT)
def test_the_short_way_reads_the_weights_as_they_are_now(folder: Make, name: str) -> None:
    """As between two looks at the dev split in training."""
    pairs, asked = loaded(folder(name)), texts()
    rows, _ = pairs.encode(asked)
    before = pairs.score(rows)
    with seeded(5):
        for parameter in pairs.model.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    found = pairs.score(rows)
    assert found == pytest.approx(plain(folder(name), pairs, asked), abs=1e-5)
    assert found != pytest.approx(before, abs=1e-2)


@pytest.mark.parametrize("name", SHORT)
def test_packed_logits_have_the_gradients_of_pairs_one_at_a_time(folder: Make, name: str) -> None:
    pairs = loaded(folder(name))
    rows, _ = pairs.encode(texts(count=8))
    pairs.score(rows)
    pairs.logits(rows).tanh().sum().backward()
    found = {key: weight.grad for key, weight in pairs.model.named_parameters()}
    model = AutoModelForSequenceClassification.from_pretrained(folder(name)).eval()
    for row in rows:
        model(**{key: torch.tensor([ids]) for key, ids in row.items()}).logits.tanh().sum().backward()
    for key, weight in model.named_parameters():
        assert (found[key] is None) == (weight.grad is None)
        if weight.grad is not None:
            torch.testing.assert_close(found[key], weight.grad, rtol=1e-4, atol=1e-5, msg=key)


def test_the_probe_sees_an_encoder_that_attends_otherwise(folder: Make, tmp_path: Path) -> None:
    """Of a causal one, whose first token sees itself alone."""
    model = AutoModelForSequenceClassification.from_pretrained(folder("bert"), is_decoder=True)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(folder("bert")).save_pretrained(tmp_path)
    pairs = loaded(tmp_path)
    assert (pairs.packs, pairs.shortens) == (True, False)
    rows, _ = pairs.encode(texts())
    assert pairs.score(rows) == pytest.approx(plain(tmp_path, pairs, texts()), abs=1e-5)


def test_a_wrapped_layer_is_read_the_packed_way(folder: Make) -> None:
    """LoRA, or a quantized layer, put in after loading."""

    class Doubled(torch.nn.Linear):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(rows)

    pairs, asked = loaded(folder("bert")), texts()
    rows, _ = pairs.encode(asked)
    before = pairs.score(rows)
    dense = pairs.model.bert.encoder.layer[1].output.dense
    dense.__class__ = Doubled
    found = pairs.score(rows)
    dense.__class__ = torch.nn.Linear
    dense.weight.data *= 2
    dense.bias.data *= 2
    assert found == pytest.approx(plain(folder("bert"), pairs, asked), abs=1e-5)
    assert found != pytest.approx(before, abs=1e-2)
