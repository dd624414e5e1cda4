"""The whole way with a folder as the hub has Qwen/Qwen3-0.6B: its configuration and vocabulary, but random weights in
two layers that are a quarter as wide. Nothing is told but the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from rr import Request
from rr_letters.labels import LETTERS, encode
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterSettings
from rr_torch.device import seeded
from tests.conftest import Rr
from tests.plugins.letters.helpers import QWEN3_TEMPLATE, TURN_END, passages, prompt_of

# what Qwen3's vocabulary has beyond Qwen2's, in its order
ADDED = [
    *(f"<|{name}_{side}|>" for name in ("object_ref", "box", "quad", "vision") for side in ("start", "end")),
    *(f"<|{name}_pad|>" for name in ("vision", "image", "video")),
    *("<tool_call>", "</tool_call>"),
    *(f"<|fim_{name}|>" for name in ("prefix", "middle", "suffix", "pad")),
    *("<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
]


@pytest.fixture
def folder(qwen_vocabulary: Path, tmp_path: Path) -> Path:
    made = tmp_path / "Qwen3-0.6B"
    tokenizer = AutoTokenizer.from_pretrained(qwen_vocabulary)
    tokenizer.add_tokens(ADDED)
    tokenizer.chat_template = QWEN3_TEMPLATE
    tokenizer.save_pretrained(made)
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=128,
        max_position_embeddings=40960,
        max_window_layers=28,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        bos_token_id=151643,
        eos_token_id=151645,
        dtype=torch.bfloat16,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with seeded(1):
            Qwen3ForCausalLM(config).save_pretrained(made)
    finally:
        torch.set_default_dtype(before)
    return made


def plain_scores(model_folder: Path, own: LetterSettings, requests: list[Request]) -> list[list[float]]:
    """By plain full forward passes in float32. The model is given up after: the next one needs its room."""
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    ids = [*range(32, 58), *range(64, 90)]
    answers = []
    with torch.inference_mode():
        for request in requests:
            logits = model(torch.tensor([prompt_of(own, request).tokens]), logits_to_keep=1).logits[0, -1].double()
            answers.append(torch.softmax(logits[ids[: len(request.candidates)]], 0).tolist())
    return answers


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_the_folder_is_all_that_is_needed(folder: Path, tmp_path: Path, small_registry: Path, rr_command: Rr) -> None:
    with safe_open(folder / "model.safetensors", framework="pt") as stored:
        names = set(stored.keys())
        assert "lm_head.weight" not in names
        assert stored.get_slice("model.embed_tokens.weight").get_dtype() == "BF16"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert encode(tokenizer, "<think>\n\n</think>\n\nA") == [151667, 271, 151668, 271, 32]

    entry = (
        f"  letters: {{scorer: letters, trainer: letters, settings: {{model: {folder}}}, training: {{epochs: 1}}}}\n"
    )
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entry, encoding="utf-8")
    registry = ("--registry", small_registry)
    trained = rr_command("train", "letters", "--dataset", "rooms", "--out", tmp_path / "out", *registry)
    assert trained.returncode == 0, trained.stderr
    record = json.loads((tmp_path / "out" / "training_info.json").read_text(encoding="utf-8"))
    assert record["steps"] == 1

    own = LetterSettings(model=str(folder))
    requests = [
        passages("Where is the lamp?", [f"offer {n} is recommended" for n in range(52)]),
        passages("phòng q10 wc riêng", ["Phòng trọ quận 3", "Phòng quận 10, toilet riêng"], id_="query"),
    ]
    assert tokenizer.decode(prompt_of(own, requests[0]).tokens).endswith(f"(A-Z, a-z).{TURN_END}")
    scorer = LetterScorer(own)
    assert {weight.dtype for weight in scorer._model.model.parameters()} == {torch.float32}
    assert (scorer.info.state, len(LETTERS)) == ("pretrained", 52)
    found = scorer.score(requests)
    del scorer
    for answer, expected in zip(found, plain_scores(folder, own, requests), strict=True):
        assert answer.values == pytest.approx(expected, abs=1e-5)
        assert len(set(answer.values)) == len(answer.values)

    texts = [document.text for document in requests[1].candidates]
    ranked = rr_command(
        "rerank", "letters", "--checkpoint", tmp_path / "out", "-q", requests[1].query.text, *texts, *registry
    )
    assert ranked.returncode == 0, ranked.stderr
    assert all(text in ranked.stdout for text in texts)
