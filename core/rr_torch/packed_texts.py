"""Texts through a sentence-transformers model in packed rows: nothing is computed for padding, or under a mask."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from sentence_transformers.sentence_transformer.modules import Pooling
from torch import Tensor

from rr_torch.packed import can_pack, pack, packed_inputs, packs
from rr_torch.roles import Role, encode_as, prompt_of
from rr_torch.short import ShortEncoder, has_short_way, layers_replaced

TOKENS = 1024
"""Of a row: what its layers compute stays in a core's own cache."""
PROBE = ("a", "two words", "Căn hộ hai phòng ngủ gần chợ, có ban công và chỗ để xe, giá 5 triệu một tháng.")
TOLERANCE = 1e-5
"""Of the probe's vectors, relative to their largest entry."""


@torch.inference_mode()
def reads_packed(module: Any, role: Role, short: bool = False) -> bool:
    """Whether a SentenceTransformer gives the same vectors packed as by its own way to encode texts of a role, seen on
    a probe; `short`: read the short way, too (`rr_torch.short`)."""
    pooled = len(module) > 1 and hasattr(module[0], "auto_model") and isinstance(module[1], Pooling)
    if not pooled or not can_pack(module[0].auto_model):
        return False
    if short and not has_short_way(module[0].auto_model):
        return False
    if "position_ids" not in inspect.signature(module[0].auto_model.forward).parameters:
        return False
    expected = encode_as(module, role)(list(PROBE), convert_to_tensor=True, show_progress_bar=False)
    try:
        found = packed_vectors(module, PROBE, short, prompt_of(module, role))
    except ValueError:  # it asks for an attention that cannot be packed
        return False
    return found.shape == expected.shape and torch.allclose(
        found, expected, rtol=0, atol=TOLERANCE * max(1.0, expected.abs().max().item())
    )


@torch.inference_mode()
def packed_vectors(module: Any, texts: Sequence[str], short: bool = False, prompt: str = "") -> Tensor:
    """Shape (texts, dimensions), as `module.encode(texts, prompt=prompt)` gives them, on a CPU."""
    # padding and truncation are given at every call: a tokenizer file may carry fixed ones (MiniLM's does)
    options = {"padding": False, "truncation": True, "max_length": module.max_seq_length}
    columns = module.tokenizer([prompt + text for text in texts], return_attention_mask=False, **options)
    sequences = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lengths = [len(sequence["input_ids"]) for sequence in sequences]
    order = sorted(range(len(texts)), key=lambda index: (-lengths[index], index))
    vectors = torch.empty(len(texts), module.get_embedding_dimension())
    with _packed(module[0].auto_model) as transformer:
        reader = ShortEncoder(transformer.encoder) if short else None
        for cut in packs([lengths[index] for index in order], TOKENS):
            row = [order[place] for place in cut]
            states = _states(transformer, [sequences[index] for index in row], reader)
            ends = torch.tensor([0, *(lengths[index] for index in row)]).cumsum(0)
            # under this name sentence-transformers, too, says where the sequences of a row are
            features: dict[str, Any] = {"token_embeddings": states, "cu_seq_lens_q": ends}
            for further in list(module)[1:]:
                features = further(features)
            vectors[row] = features["sentence_embedding"][:, : vectors.shape[1]].float()
    return vectors


def _states(transformer: Any, sequences: Sequence[Mapping[str, Sequence[int]]], short: ShortEncoder | None) -> Tensor:
    """Shape (1, tokens, width)."""
    inputs = packed_inputs(transformer, sequences)
    if short is None:
        return transformer(**inputs).last_hidden_state  # type: ignore[no-any-return]
    with layers_replaced(transformer, lambda _, embedded: short(embedded[0], inputs["packed"].lengths)[None]):
        return transformer(**inputs).last_hidden_state  # type: ignore[no-any-return]


@contextmanager
def _packed(transformer: Any) -> Iterator[Any]:
    """Only for a while: whoever else calls the model does not know of packed rows."""
    own = transformer.config._attn_implementation
    pack(transformer)
    try:
        yield transformer
    finally:
        transformer.set_attn_implementation(own)
