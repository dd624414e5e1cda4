"""The short way through an encoder of BERT's family (RoBERTa, XLM-R, ELECTRA, …), for inference on a CPU in float32.

Against transformers' own layers on the same packed row: weights are laid out once a call as oneDNN multiplies fastest,
and where only each sequence's first token is read, the last layer makes keys and values of all tokens and the rest of
the first ones alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

LINEAR = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
OPERATORS = ("_reorder_linear_weight", "_linear_pointwise")
"""Of torch, not promised: where they are gone, there is no short way."""
NORM = ("attention.output.LayerNorm", "output.LayerNorm")


def has_short_way(model: Any) -> bool:
    """Whether its layers have the parts that are read here, none of them wrapped (LoRA) or replaced (quantized); that
    they do with them what is done here is for a probe to show."""
    layers = getattr(getattr(model.base_model, "encoder", None), "layer", None)
    return (
        model.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)
        and layers is not None
        and all(hasattr(_part(layer, "attention.self"), "scaling") for layer in layers)
        and all(
            type(_part(layer, name)) is kind and _part(layer, name).bias is not None
            for layer in layers
            for names, kind in ((LINEAR, nn.Linear), (NORM, nn.LayerNorm))
            for name in names
        )
    )


class ShortEncoder:
    """Holds a copy of the encoder's weights as they are now: to be made anew for each call, which costs about as much
    as reading 50 tokens."""

    def __init__(self, encoder: Any) -> None:
        self._layers = [_Layer(layer) for layer in encoder.layer]

    def __call__(self, states: Tensor, lengths: Sequence[int], starts: Tensor | None = None) -> Tensor:
        """The states of all tokens, or of those at `starts`, the sequences' first ones, from the embeddings of all
        tokens: (tokens, width) in, (tokens or sequences, width) out."""
        for layer in self._layers[:-1]:
            states = layer(states, states, lengths, lengths)
        if starts is None:
            return self._layers[-1](states, states, lengths, lengths)
        return self._layers[-1](states[starts], states, [1] * len(lengths), lengths)


Layers = Callable[[Tensor], Tensor]
"""From embeddings to states, both (batch, tokens, width)."""


@contextmanager
def layers_replaced(model: Any, read: Callable[[Layers, Tensor], Tensor]) -> Iterator[None]:
    """Has the model take what `read` gives for the states after its layers: it is called with these layers and with
    the embeddings."""
    encoder = model.base_model.encoder
    own = encoder.forward

    def forward(embedded: Tensor, *arguments: Any, **options: Any) -> BaseModelOutputWithPastAndCrossAttentions:
        states = read(lambda tensor: own(tensor, *arguments, **options).last_hidden_state, embedded)
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=states)

    encoder.forward = forward
    try:
        yield
    finally:
        del encoder.forward


class _Layer:
    def __init__(self, layer: Any) -> None:
        attention = layer.attention.self
        self._heads, self._scale = attention.num_attention_heads, attention.scaling
        self._query = _laid_out(attention.query)
        self._key_value = _laid_out(attention.key, attention.value)
        self._attended = _laid_out(layer.attention.output.dense)
        self._attended_norm = layer.attention.output.LayerNorm
        self._up = _laid_out(layer.intermediate.dense)
        self._activation = layer.intermediate.intermediate_act_fn
        self._down = _laid_out(layer.output.dense)
        self._norm = layer.output.LayerNorm

    def __call__(self, asking: Tensor, states: Tensor, asking_lengths: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """`asking`: the tokens that go on, a part of each sequence; `states`: all tokens, which they attend to."""
        queries = self._query(asking).view(len(asking), self._heads, -1)
        keys, values = self._key_value(states).view(len(states), 2, self._heads, -1).unbind(1)
        parts = zip(
            torch.split(queries, list(asking_lengths)),
            torch.split(keys, list(lengths)),
            torch.split(values, list(lengths)),
            strict=True,
        )
        attended = torch.cat([self._attend(*part) for part in parts])
        hidden = self._attended_norm(self._attended(attended).add_(asking))
        return self._norm(self._down(self._activation(self._up(hidden))).add_(hidden))  # type: ignore[no-any-return]

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        query, key, value = (tensor.transpose(0, 1)[None] for tensor in (queries, keys, values))
        return scaled_dot_product_attention(query, key, value, scale=self._scale)[0].transpose(0, 1).flatten(1)


def _laid_out(*linears: nn.Linear) -> Callable[[Tensor], Tensor]:
    """Linear maps of one input, their outputs side by side."""
    weight = torch.ops.mkldnn._reorder_linear_weight(torch.cat([linear.weight for linear in linears]))
    bias = torch.cat([linear.bias for linear in linears])
    return lambda rows: torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")


def _part(layer: Any, name: str) -> Any:
    try:
        return attrgetter(name)(layer)
    except AttributeError:
        return nn.Identity()
