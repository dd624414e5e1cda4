"""Packed attention against plain transformers, one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DynamicCache,
    Gemma2Config,
    Gemma2Model,
    Lfm2Config,
    Lfm2Model,
    Llama4ForCausalLM,
    Llama4TextConfig,
    MistralConfig,
    MistralModel,
    Qwen2Config,
    Qwen2Model,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from rr_torch.device import seeded
from rr_torch.packed import Packed, can_pack, pack, packed_attention, packs, positions

VOCABULARY = 120
PADDING = 1
"""XLM-R's padding token: its positions count from the one behind it."""
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,  # attention that is far from uniform
    "pad_token_id": PADDING,
}
GROUPED = {**SHAPE, "num_key_value_heads": 2}

Make = Callable[[], Any]
MODELS: dict[str, Make] = {
    "qwen3": lambda: Qwen3Model(Qwen3Config(**GROUPED, head_dim=8)),
    "qwen2": lambda: Qwen2Model(Qwen2Config(**GROUPED)),
    "bert": lambda: BertModel(BertConfig(**SHAPE), add_pooling_layer=False),
    "xlm-r": lambda: XLMRobertaModel(XLMRobertaConfig(**SHAPE), add_pooling_layer=False),
}
CAUSAL = ("qwen3", "qwen2")
LENGTHS = (7, 1, 60, 1, 13, 28, 2)


def made(make: Make) -> Any:
    with seeded(3):
        return make().eval()


def sequences(lengths: Sequence[int], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(2, VOCABULARY, (length,), generator=generator) for length in lengths]


def segments(ids: Tensor) -> Tensor:
    """As of a query and a document: the second half is of type 1."""
    return (torch.arange(len(ids)) >= len(ids) // 2).long()


def inputs(model: Any, rows: Sequence[Tensor]) -> dict[str, Any]:
    lengths = [len(ids) for ids in rows]
    first = PADDING + 1 if model.config.model_type == "xlm-roberta" else 0
    prepared: dict[str, Any] = {
        "input_ids": torch.cat(list(rows))[None],
        "position_ids": positions(lengths, [first] * len(lengths))[None],
        "packed": Packed(lengths),
    }
    if model.config.model_type == "bert":
        prepared["token_type_ids"] = torch.cat([segments(ids) for ids in rows])[None]
    return prepared


def together(model: Any, rows: Sequence[Tensor]) -> list[Tensor]:
    """The states of each sequence, read in one row."""
    states = model(**inputs(model, rows)).last_hidden_state
    return list(torch.split(states[0], [len(ids) for ids in rows]))


def alone(model: Any, rows: Sequence[Tensor]) -> list[Tensor]:
    """The states of each sequence, read by itself through transformers' own attention; positions are the model's."""
    assert model.config._attn_implementation == "sdpa"
    types = [{"token_type_ids": segments(ids)[None]} if model.config.model_type == "bert" else {} for ids in rows]
    return [model(input_ids=ids[None], **more).last_hidden_state[0] for ids, more in zip(rows, types, strict=True)]


def assert_equal(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_a_pack_is_read_as_its_sequences_one_at_a_time(name: str) -> None:
    model, rows = made(MODELS[name]), sequences(LENGTHS)
    expected = alone(model, rows)
    assert can_pack(model)
    pack(model)
    assert_equal(together(model, rows), expected)
    assert_equal(together(model, rows[1:2]), expected[1:2])
    assert_equal(together(model, rows[::-1]), expected[::-1])


@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_a_neighbour_changes_nothing(name: str) -> None:
    model, rows = made(MODELS[name]), sequences(LENGTHS)
    pack(model)
    before = together(model, rows)
    for changed in range(len(rows)):
        others = [(ids + 1) % VOCABULARY if place == changed else ids for place, ids in enumerate(rows)]
        for place, states in enumerate(together(model, others)):
            assert torch.equal(states, before[place]) == (place != changed)


@pytest.mark.parametrize("name", MODELS)
def test_a_pack_has_the_gradients_of_its_sequences_one_at_a_time(name: str) -> None:
    rows = sequences(LENGTHS)
    found = []
    for read in (alone, together):
        model = made(MODELS[name]).double()
        if read is together:
            pack(model)
        # each state counts in a direction of its own
        sum(states.mul(torch.arange(1, 33)).tanh().mean() for states in read(model, rows)).backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    expected, ours = found
    assert ours.keys() == expected.keys()
    assert sum(bool(gradient.abs().max() > 1e-3) for gradient in expected.values()) > 10
    for key, gradient in expected.items():
        torch.testing.assert_close(ours[key], gradient, rtol=0, atol=1e-12, msg=key)


@pytest.mark.parametrize(
    ("make", "first"),
    [
        (lambda: BertForSequenceClassification(BertConfig(**SHAPE)), 0),
        (lambda: XLMRobertaForSequenceClassification(XLMRobertaConfig(**SHAPE)), PADDING + 1),
    ],
    ids=["bert", "xlm-r"],
)
@torch.inference_mode()
def test_a_classifier_passes_the_pack_on_to_its_encoder(make: Make, first: int) -> None:
    """The logits of a row's first sequence are those that it has alone."""
    model, rows = made(make), sequences([9, 30])
    expected = model(input_ids=rows[0][None]).logits
    pack(model)
    ids, starts = torch.cat(rows)[None], positions([9, 30], [first, first])[None]
    found = model(input_ids=ids, position_ids=starts, packed=Packed([9, 30])).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_causal_model_with_a_head_takes_a_pack_too() -> None:
    model, rows = made(lambda: Qwen3ForCausalLM(Qwen3Config(**GROUPED, head_dim=8))), sequences([5, 1, 12])
    with torch.inference_mode():
        expected = torch.cat([model(input_ids=ids[None]).logits[0] for ids in rows])
        pack(model)
        found = model(**inputs(model, rows)).logits[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_dropout_reaches_the_attention_of_a_model_in_training() -> None:
    model, rows = (
        made(lambda: Qwen3Model(Qwen3Config(**GROUPED, head_dim=8, attention_dropout=0.5))),
        sequences([9, 20]),
    )
    pack(model)
    with torch.inference_mode():
        still = together(model, rows)
        model.train()
        with seeded(1):
            once = together(model, rows)
        with seeded(1):
            again = together(model, rows)
    assert all(torch.equal(one, other) for one, other in zip(once, again, strict=True))
    assert not any(torch.allclose(one, other) for one, other in zip(once, still, strict=True))


# prefixes that are read once and continued


PREFIXES = (20, 1, 33)
CONTINUED = ((0, 5), (0, 1), (1, 17), (2, 3), (2, 9), (0, 2), (None, 6))
"""(prefix that is continued, tokens that continue it)"""


@pytest.mark.parametrize("name", CAUSAL)
@torch.inference_mode()
def test_continued_prefixes_equal_the_whole_and_the_cache_is_restored(name: str) -> None:
    model = made(MODELS[name])
    prefixes = sequences(PREFIXES, seed=1)
    suffixes = sequences([length for _, length in CONTINUED], seed=2)
    before = [prefixes[group] if group is not None else torch.empty(0, dtype=torch.long) for group, _ in CONTINUED]
    expected = [
        states[len(prefix) :]
        for prefix, states in zip(
            before,
            alone(model, [torch.cat(pair) for pair in zip(before, suffixes, strict=True)]),
            strict=True,
        )
    ]
    pack(model)
    cache = DynamicCache(config=model.config)
    model(**inputs(model, prefixes), past_key_values=cache, use_cache=True)
    kept = [(layer.keys.clone(), layer.values.clone()) for layer in cache.layers]
    starts = [0, 20, 21]
    spans = [
        (starts[group], starts[group] + PREFIXES[group]) if group is not None else (4, 4) for group, _ in CONTINUED
    ]
    # in one pass, and over two with the cache cropped in between
    for passes in ([range(7)], [range(4), range(4, 7)], [range(6, 7), range(6)]):
        for chosen in passes:
            lengths = [len(suffixes[index]) for index in chosen]
            read = model(
                input_ids=torch.cat([suffixes[index] for index in chosen])[None],
                position_ids=positions(lengths, [spans[index][1] - spans[index][0] for index in chosen])[None],
                past_key_values=cache,
                use_cache=True,
                packed=Packed(lengths, [spans[index] for index in chosen]),
            ).last_hidden_state[0]
            assert_equal(torch.split(read, lengths), [expected[index] for index in chosen])
            cache.crop(-sum(lengths))
            for layer, (keys, values) in zip(cache.layers, kept, strict=True):
                assert torch.equal(layer.keys, keys)
                assert torch.equal(layer.values, values)


# which models can be packed


SLIDING = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}


@pytest.mark.parametrize(
    "make",
    [
        lambda: MistralModel(MistralConfig(**GROUPED, sliding_window=8)),  # has no layer_types
        lambda: Qwen2Model(Qwen2Config(**GROUPED, **SLIDING)),
        lambda: Qwen3Model(Qwen3Config(**GROUPED, **SLIDING)),
        lambda: Gemma2Model(Gemma2Config(**GROUPED, head_dim=8)),
        lambda: Llama4ForCausalLM(Llama4TextConfig(**GROUPED, num_local_experts=2, attention_chunk_size=8)),
        lambda: Lfm2Model(Lfm2Config(**GROUPED, layer_types=["conv", "full_attention"])),
        lambda: T5EncoderModel(T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)),
    ],
    ids=["mistral", "qwen2", "qwen3", "gemma2", "llama4", "lfm2", "t5"],
)
def test_a_model_that_does_not_attend_to_whole_sequences_alone_cannot_be_packed(make: Make) -> None:
    assert not can_pack(made(make))


def test_models_that_could_slide_and_do_not_can_be_packed() -> None:
    assert can_pack(made(lambda: MistralModel(MistralConfig(**GROUPED, sliding_window=None))))
    assert can_pack(made(lambda: Qwen2Model(Qwen2Config(**GROUPED, **{**SLIDING, "use_sliding_window": False}))))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: MistralModel(MistralConfig(**GROUPED, sliding_window=8)), "sliding_window"),
        (lambda: Gemma2Model(Gemma2Config(**GROUPED, head_dim=8, layer_types=["full_attention"] * 2)), "softcap"),
    ],
    ids=["mistral", "gemma2"],
)
def test_a_model_that_asks_for_another_attention_is_refused_when_it_is_packed_all_the_same(
    make: Make, named: str
) -> None:
    model = made(make)
    pack(model)
    with pytest.raises(ValueError, match=f"packed attention has no {named}; this model cannot be packed"):
        together(model, sequences([3, 20]))


def test_a_mask_is_refused() -> None:
    query = torch.randn(1, 2, 4, 8)
    with pytest.raises(ValueError, match="packed attention has no mask"):
        packed_attention(torch.nn.Identity(), query, query, query, torch.zeros(1, 1, 4, 4), packed=Packed([4]))


# packs and positions


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 60), max_size=60), budget=st.integers(1, 200))
def test_packs_keep_the_order_and_the_budget_and_are_as_full_as_they_can_be(lengths: list[int], budget: int) -> None:
    cut = packs(lengths, budget)
    assert [index for one in cut for index in one] == list(range(len(lengths)))
    for place, one in enumerate(cut):
        assert one
        tokens = sum(lengths[index] for index in one)
        assert tokens <= budget or len(one) == 1
        if place + 1 < len(cut):
            assert tokens + lengths[cut[place + 1][0]] > budget


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 50)), min_size=1, max_size=20))
def test_positions_count_each_sequence_from_its_start(rows: list[tuple[int, int]]) -> None:
    lengths, starts = [length for length, _ in rows], [start for _, start in rows]
    assert positions(lengths, starts).tolist() == [start + step for length, start in rows for step in range(length)]
    assert positions(lengths).tolist() == [step for length in lengths for step in range(length)]


def test_positions_of_other_sequences_than_those_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        positions([1, 2], [0])
