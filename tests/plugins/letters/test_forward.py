"""States at the last position, read in every way there is, against one full forward pass a prompt."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GraniteConfig,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

import rr_letters.model
from rr import Request, RerankError
from rr_letters.forward import SHARED, packed_states, padded_states, shared_states, sharing
from rr_letters.model import LetterModel
from rr_letters.scorer import LetterScorer
from rr_torch.device import seeded
from tests.plugins.conftest import QWEN, QWEN3_CHATML, byte_level_tokenizer
from tests.plugins.letters.helpers import Qwen, next_item, passages, plain_answer, plain_model, prompt_of, settings

CPU = torch.device("cpu")


def random_tokens(count: int, seed: int) -> list[int]:
    return [random.Random(f"{seed} {place}").randrange(5, 250) for place in range(count)]


def cases(folder: Path) -> dict[str, list[list[int]]]:
    def rendered(*requests: Request) -> list[list[int]]:
        return [prompt_of(settings(folder), request).tokens for request in requests]

    titles = [f"Film {n}" for n in range(12)]
    permuted = [random.Random(n).sample(titles, len(titles)) for n in range(5)]
    first, other = ([f"{name} {n}" for n in range(8)] for name in ("Met", "Seen"))
    base = random_tokens(120, 0)
    edges = [base[:shared] + random_tokens(9, shared) for shared in (SHARED - 1, SHARED, SHARED + 1)]
    return {
        "permutations of one request": rendered(*(next_item(first, order) for order in permuted)),
        "windows of one request": rendered(*(next_item(first, titles[start : start + 4]) for start in range(0, 12, 2))),
        "many requests": rendered(
            *(next_item(first, order) for order in permuted[:2]),
            passages("Where?", ["x", "y"]),
            *(next_item(other, order) for order in permuted[2:]),
            passages("Where?", ["y", "x"]),
            passages("Which one? " * 9, titles),
        ),
        "identical": rendered(*[next_item(first, titles)] * 3),
        "a prefix of its neighbour": [base, base[:-1], base[:70], base, base + base[:1]],
        "threshold": [base, *edges, base, edges[1], base, edges[2], base, edges[0]],
        "one token": [[7], [7], base, [7]],
        "one": [base],
    }


@pytest.mark.parametrize("budget", [1, 130, 700, 10**6])
def test_every_way_to_read_finds_the_states_of_the_plain_forward_pass(qwen: Qwen, budget: int) -> None:
    own = LetterModel(settings(qwen("qwen3")), None).base.get_decoder()
    plain = plain_model(qwen("qwen3")).get_decoder()
    with torch.inference_mode():
        for name, prompts in cases(qwen("qwen3")).items():
            expected = torch.cat([plain(torch.tensor([prompt])).last_hidden_state[:, -1] for prompt in prompts])
            for read, decoder in ((shared_states, own), (packed_states, own), (padded_states, plain)):
                found = read(decoder, prompts, budget, CPU)
                assert (found - expected).abs().max() < 1e-5, (name, read)


@pytest.mark.parametrize("budget", [1, 130, 10**6])
def test_the_last_two_positions_are_read_in_one_pass(qwen: Qwen, budget: int) -> None:
    own = LetterModel(settings(qwen("qwen3")), None).base.get_decoder()
    plain = plain_model(qwen("qwen3")).get_decoder()
    prompts = [prompt for prompt in cases(qwen("qwen3"))["many requests"] if len(prompt) > 1]
    with torch.inference_mode():
        whole = [plain(torch.tensor([prompt])).last_hidden_state[0] for prompt in prompts]
        expected = torch.stack([*(states[-2] for states in whole), *(states[-1] for states in whole)])
        for read, decoder in ((packed_states, own), (padded_states, plain)):
            assert (read(decoder, prompts, budget, CPU, 2) - expected).abs().max() < 1e-5


def test_each_of_the_cases_shares_what_it_should(qwen: Qwen) -> None:
    made = cases(qwen("qwen3"))
    groups = {name: [(len(group), shared) for group, shared in sharing(prompts)] for name, prompts in made.items()}
    for name in ("permutations of one request", "windows of one request"):
        assert [count for count, _ in groups[name]] == [len(made[name])]
        assert groups[name][0][1] > SHARED
    assert groups["identical"] == [(3, len(made["identical"][0]) - 1)]
    assert groups["one"] == [(1, 0)]
    assert [shared for _, shared in groups["many requests"]].count(0) < 3


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 10, 47, 48, 49, 60, 90, 120]), st.integers(0, 2), st.integers(1, 70)), max_size=12
    )
)
def test_sharing_cuts_the_prompts_into_runs_with_a_true_prefix(made: list[tuple[int, int, int]]) -> None:
    base = random_tokens(120, 0)
    prompts = [base[:shared] + random_tokens(length, seed) for shared, seed, length in made]
    groups = list(sharing(prompts))
    assert [index for group, _ in groups for index in group] == list(range(len(prompts)))
    for group, shared in groups:
        own = [prompts[index] for index in group]
        assert shared == 0 or (len(group) > 1 and shared >= SHARED)
        assert len(group) == 1 or shared > 0
        assert all(len(prompt) > shared and prompt[:shared] == own[0][:shared] for prompt in own)


def test_what_all_prompts_begin_with_does_not_hide_what_some_share() -> None:
    """Long instructions, then a history of each request's own: that is what is read once."""
    instructions = random_tokens(100, 0)
    prompts = [
        instructions + random_tokens(300, user) + random_tokens(40, 100 * user + shuffle)
        for user in (1, 2, 3)
        for shuffle in range(4)
    ]
    assert [(len(group), shared >= 400) for group, shared in sharing(prompts)] == [(4, True)] * 3
    alone = prompts[::4]
    assert [(len(group), shared) for group, shared in sharing(alone)] == [(3, 100)]


# --- architectures

SIZES = {**QWEN, "vocab_size": 600, "initializer_range": 0.4}
LONG = passages("Where is the lamp?", ["the hammer offer by the guide " * 4, "x", "pepper " * 20])


def saved(config: PreTrainedConfig, folder: Path) -> Path:
    tokenizer = byte_level_tokenizer(QWEN3_CHATML)
    tokenizer.save_pretrained(folder)
    config.vocab_size = len(tokenizer)
    with seeded(1):
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", [Qwen2Config, Qwen3Config, LlamaConfig, MistralConfig])
def test_architectures_that_are_taken(kind: type[PreTrainedConfig], tied: bool, tmp_path: Path) -> None:
    options = {"sliding_window": None} if kind is MistralConfig else {}
    own = settings(saved(kind(**SIZES, **options, tie_word_embeddings=tied), tmp_path))
    scorer = LetterScorer(own)
    assert scorer._model._packed
    (answer,) = scorer.score([LONG])
    expected, mass = plain_answer(own, LONG)
    assert answer.values == pytest.approx(expected, abs=1e-5)
    assert answer.diagnostics["label_mass"] == pytest.approx(mass, abs=1e-5)


@pytest.mark.parametrize("window", [8, 150])  # shorter and longer than what a model is checked with on load
@pytest.mark.parametrize("kind", [MistralConfig, Phi3Config, Qwen2Config])
def test_sliding_windows_are_padded(kind: type[PreTrainedConfig], window: int, tmp_path: Path) -> None:
    """Mistral and Phi-3 have one window for all layers, Qwen2 says it layer by layer."""
    options = {"use_sliding_window": True, "max_window_layers": 1} if kind is Qwen2Config else {"pad_token_id": 0}
    own = settings(saved(kind(**SIZES, **options, sliding_window=window), tmp_path))
    requests = [LONG, passages("?", ["x", "y"]), LONG]
    assert len(prompt_of(own, LONG).tokens) > 150
    for request, answer in zip(requests, LetterScorer(own).score(requests), strict=True):
        assert answer.values == pytest.approx(plain_answer(own, request)[0], abs=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        Gemma2Config(**SIZES, head_dim=8, query_pre_attn_scalar=8, final_logit_softcapping=5.0),
        CohereConfig(**SIZES),
        GraniteConfig(**SIZES, logits_scaling=8.0),
    ],
    ids=lambda config: config.model_type,
)
def test_logits_that_are_scaled_or_capped_are_refused(config: PreTrainedConfig, tmp_path: Path) -> None:
    with pytest.raises(RerankError, match=r"differ from those of its output rows by .*architecture is not supported"):
        LetterScorer(settings(saved(config, tmp_path)))


def test_a_layer_that_runs_on_from_one_prompt_into_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LFM2 has convolutions between its attention. It must not be packed; where it were, loading would notice."""
    kinds = ["conv", "full_attention"]
    own = settings(saved(Lfm2Config(**SIZES, layer_types=kinds, block_auto_adjust_ff_dim=False), tmp_path))
    scorer = LetterScorer(own)
    for request, answer in zip([LONG] * 2, scorer.score([LONG] * 2), strict=True):
        assert answer.values == pytest.approx(plain_answer(own, request)[0], abs=1e-5)
    monkeypatch.setattr(rr_letters.model, "can_pack", lambda _: True)
    with pytest.raises(RerankError, match="architecture is not supported"):
        LetterScorer(own)


def test_the_threshold_is_where_the_tests_put_it() -> None:
    base = random_tokens(120, 0)
    for shared, expected in ((SHARED - 1, [0, 0]), (SHARED, [SHARED]), (SHARED + 1, [SHARED + 1])):
        assert [found for _, found in sharing([base, [*base[:shared], 1, 2]])] == expected
