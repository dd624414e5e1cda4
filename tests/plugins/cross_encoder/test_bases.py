"""Base models as they come: what pads on the left, names no pad token, joins pairs without a separator, counts
positions from behind its padding's, or carries weights under older names. Right, or one line when it is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    CamembertConfig,
    GPT2Config,
    LlamaConfig,
    MPNetConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
    RobertaConfig,
    XLMRobertaConfig,
)

from rr import Dataset, Document, Query, Request, RerankError
from rr_cross_encoder.flag import FlagScorer
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.served import save_as_cross_encoder
from rr_cross_encoder.settings import CrossEncoderSettings, CrossEncoderTraining, FlagRerankerSettings
from rr_cross_encoder.trainer import CrossEncoderTrainer
from rr_torch.device import seeded
from tests.plugins.conftest import CHATML, byte_level_tokenizer
from tests.plugins.cross_encoder.test_short_ways import SHAPE

Bert = Callable[..., Path]
PAIRS = [("what is it", "a short one"), ("why", "this one is long " * 30), ("how", "b"), ("a query that is longer", "")]
SEPARATOR = "<|im_start|>"


def made(folder: Path, config: PreTrainedConfig, tokenizer: Any, **changes: object) -> Path:
    """`changes`: of the tokenizer's own config file."""
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    with seeded(1):
        AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    rewrite(folder / "tokenizer_config.json", **changes)
    return folder


def rewrite(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def byte_level(separates: bool) -> Any:
    tokenizer = byte_level_tokenizer(CHATML)
    if separates:
        special = (SEPARATOR, tokenizer.convert_tokens_to_ids(SEPARATOR))
        pair = TemplateProcessing(single="$A", pair=f"$A {SEPARATOR} $B", special_tokens=[special])
        tokenizer.backend_tokenizer.post_processor = pair
    return tokenizer


DECODER = {
    "vocab_size": len(byte_level(False)),
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.25,
    "num_labels": 1,
    "pad_token_id": None,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, "bos_token_id": 0, "eos_token_id": 0}
DECODERS = {
    "qwen2": Qwen2Config(**DECODER),
    "qwen3": Qwen3Config(**DECODER, head_dim=8),
    "llama": LlamaConfig(**DECODER),
    "gpt2": GPT2Config(**{**DECODER, **GPT2}),
}
SEGMENTS = {**SHAPE, "type_vocab_size": 2}
ENCODERS = {
    "bert": BertConfig(**SHAPE),
    "roberta": RobertaConfig(**SEGMENTS),
    "xlm-r": XLMRobertaConfig(**SEGMENTS),
    "camembert": CamembertConfig(**SEGMENTS),
    "mpnet": MPNetConfig(**SHAPE),
}


def scores(folder: Path, **settings: Any) -> list[float]:
    pairs = PairModel(CrossEncoderSettings(model=str(folder), **{"max_seq_length": 128, **settings}), None)
    together = pairs.score(pairs.encode(PAIRS)[0])
    alone = [pairs.score(pairs.encode([pair])[0])[0] for pair in PAIRS]
    assert together == pytest.approx(alone, abs=1e-4)
    # as in training
    assert pairs.logits(pairs.encode(PAIRS)[0]).tolist() == pytest.approx(alone, abs=1e-4)
    return together


def plain(folder: Path, tokenizer: Any) -> list[float]:
    """Each pair by itself, nothing padded."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    answers = []
    with torch.no_grad():
        for query, document in PAIRS:
            row = tokenizer([query], [document], truncation="only_second", max_length=128, return_tensors="pt")
            answers.append(float(model(**row).logits[0, 0]))
    return answers


def wordpiece(bert: Bert) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(str(bert(1)))
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_scores_alike_whichever_side_its_folder_pads_on(
    name: str, side: str, bert: Bert, tmp_path: Path
) -> None:
    folder = made(tmp_path / name, ENCODERS[name], wordpiece(bert), padding_side=side)
    assert scores(folder) == pytest.approx(plain(folder, wordpiece(bert)), abs=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_that_separates_is_scored_without_its_config_naming_the_pad_token(
    name: str, side: str, tmp_path: Path
) -> None:
    folder = made(tmp_path / name, DECODERS[name], byte_level(True), padding_side=side)
    assert scores(folder) == pytest.approx(plain(folder, byte_level(True)), abs=1e-4)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_that_joins_query_and_document_is_refused(name: str, tmp_path: Path) -> None:
    folder = made(tmp_path / name, DECODERS[name], byte_level(False))
    with pytest.raises(RerankError, match=r"tokenizer puts nothing between query and document; use a model .*\)$"):
        scores(folder)
    with pytest.raises(RerankError, match="tokenizer puts nothing between query and document"):
        FlagScorer(FlagRerankerSettings(model=str(folder), max_seq_length=128))


def test_a_tokenizer_without_a_pad_token_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "model", DECODERS["qwen2"], byte_level(True), pad_token=None)
    with pytest.raises(
        RerankError, match=r"has no pad token, which batches need; name one in its tokenizer_config\.json"
    ):
        scores(folder)


def test_a_pad_token_that_is_not_the_models_is_no_answer(tmp_path: Path) -> None:
    """The model would read the padding's state: padded on the left it does not, unless positions are absolute."""
    folder = made(tmp_path / "qwen2", Qwen2Config(**{**DECODER, "pad_token_id": 5}), byte_level(True))
    assert scores(folder) == pytest.approx(plain(folder, byte_level(True)), abs=1e-4)
    folder = made(tmp_path / "gpt2", GPT2Config(**{**DECODER, **GPT2, "pad_token_id": 5}), byte_level(True))
    with pytest.raises(RerankError, match="answers otherwise when a text is padded, on either side"):
        scores(folder)


@pytest.mark.parametrize(("name", "readable"), [("bert", 140), ("roberta", 139), ("xlm-r", 139), ("mpnet", 138)])
def test_as_many_tokens_are_read_as_there_are_positions_for(
    name: str, readable: int, bert: Bert, tmp_path: Path
) -> None:
    """With pad token 0 two of the family's positions are not for tokens, less one; MPNet's are always two."""
    folder = made(tmp_path / name, ENCODERS[name], wordpiece(bert))
    pairs = [("why", "word " * 500)]
    model = PairModel(CrossEncoderSettings(model=str(folder), max_seq_length=readable), None)
    encoded, _ = model.encode(pairs)
    assert len(encoded[0]["input_ids"]) == readable
    with torch.no_grad():
        row = {key: torch.tensor([ids]) for key, ids in encoded[0].items()}
        own = AutoModelForSequenceClassification.from_pretrained(folder).eval()(**row).logits[0, 0]
    assert model.score(encoded) == pytest.approx([float(own)], abs=1e-4)
    for scorer in (
        lambda: PairModel(CrossEncoderSettings(model=str(folder), max_seq_length=readable + 1), None),
        lambda: FlagScorer(FlagRerankerSettings(model=str(folder), max_seq_length=readable + 1)),
    ):
        with pytest.raises(RerankError, match=f"{readable + 1} is more than the {readable} tokens the model can read"):
            scorer()


def test_weights_under_their_older_names_are_weights(bert: Bert, tmp_path: Path) -> None:
    folder = made(tmp_path / "model", ENCODERS["bert"], wordpiece(bert))
    expected = scores(folder)
    weights = load_file(folder / "model.safetensors")
    older = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in weights.items()
    }
    assert older.keys() != weights.keys()
    save_file(older, folder / "model.safetensors", {"format": "pt"})
    assert scores(folder) == expected
    requests = [Request(Query("q", query), (Document("d", document),)) for query, document in PAIRS[:3]]
    found = FlagScorer(FlagRerankerSettings(model=str(folder), max_seq_length=128)).score(requests)
    assert [answer.values[0] for answer in found] == pytest.approx(expected[:3], abs=1e-5)
    del older["classifier.weight"]
    save_file(older, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RerankError, match=r"lacks weights of a reranker, classifier\.weight among them"):
        FlagScorer(FlagRerankerSettings(model=str(folder), max_seq_length=128))


LONG = [
    ("where is the lamp", "the falcon offer is recommended by the guide " * 40),
    ("a word on " * 6 + "the lamp", "the falcon " * 200),
    ("lamp", "falcon"),
]


def test_a_checkpoint_cuts_in_sentence_transformers_where_we_do(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    """40 tokens, fewer than the 128 that the base's tokenizer file is fixed to."""
    own = CrossEncoderSettings(model=str(bert(None)), max_seq_length=40)
    out = tmp_path / "checkpoint"
    out.mkdir()
    CrossEncoderTrainer(CrossEncoderTraining(epochs=1, max_steps=1), own).train(learnable, out, lambda event: None)
    requests = [Request(Query("q", query), (Document("d", document),)) for query, document in LONG]
    ours = [answer.values[0] for answer in CrossEncoderScorer(own, out).score(requests)]
    theirs = CrossEncoder(str(out), device="cpu", activation_fn=torch.nn.Identity())
    assert theirs.predict(LONG).tolist() == pytest.approx(ours, abs=1e-5)
    stored = json.loads((out / "tokenizer.json").read_text(encoding="utf-8"))
    assert (stored["truncation"], stored["padding"]) == (None, None)
    for wider in (41, 256):
        with pytest.raises(RerankError, match=f"{wider} is more than the 40 tokens"):
            CrossEncoderScorer(own.model_copy(update={"max_seq_length": wider}), out)


def test_the_prompt_of_a_cross_encoders_folder_is_read_and_saved(bert: Bert, tmp_path: Path) -> None:
    folder = made(tmp_path / "model", ENCODERS["bert"], wordpiece(bert))
    without = scores(folder)
    served = CrossEncoder(str(folder), device="cpu", prompts={"ask": "tell me: "}, default_prompt_name="ask")
    served.save(str(tmp_path / "served"))
    expected = CrossEncoder(str(tmp_path / "served"), device="cpu", activation_fn=torch.nn.Identity())
    expected.max_seq_length = 128
    found = scores(tmp_path / "served")
    assert found == pytest.approx(expected.predict(PAIRS).tolist(), abs=1e-5)
    assert max(abs(a - b) for a, b in zip(found, without, strict=True)) > 1e-2
    pairs = PairModel(CrossEncoderSettings(model=str(tmp_path / "served"), max_seq_length=128), None)
    again = tmp_path / "again"
    pairs.model.save_pretrained(again)
    save_as_cross_encoder(pairs.tokenizer, pairs.prompt, 128, again)
    resaved = CrossEncoder(str(again), device="cpu", activation_fn=torch.nn.Identity())
    assert resaved.predict(PAIRS).tolist() == pytest.approx(found, abs=1e-5)
    # the prompts of a bi-encoder are for single texts
    rewrite(tmp_path / "served" / "config_sentence_transformers.json", model_type="SentenceTransformer")
    assert scores(tmp_path / "served") == pytest.approx(without, abs=1e-6)
    assert pairs.prompt == "tell me: "
