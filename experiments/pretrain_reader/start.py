"""The weights that the pretraining starts from: a circuit that can be improved, where chance would never find one.

A vector holds a constant, a flag of letters, a code of a letter, and what a word means (MiniLM's). Layer 1 brings to
each word of a candidate's line the code of the line's letter, and the words just before it. In layers 2 and 3 the words
of the question look for words that are like them, and take over the codes that they find there. Layer 4 collects, where
the answer is to come, the codes that lie on the question. Everything but the vectors of words is then trained.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from experiments.pretrain_reader.tiny import HEAD, HEADS, INSIDE, LAYERS, NEWLINE, WIDTH, minilm, minilm_vocabulary
from rr_letters.labels import LETTERS

CONSTANT, FLAG, CODES = 0, 1, 32
CONTENT = 2 + CODES  # the dimensions from here on are of meaning
RMS, CODE_RMS = 0.5, 0.5
PAIRS = HEAD // 2  # of rotary dimensions
MATCHING = [*range(PAIRS // 2, PAIRS), *range(PAIRS + PAIRS // 2, HEAD)]  # those that hardly turn with distance
NOISE = 0.02
NEAREST = -25  # the line's letter is looked for as if it were ahead: so of two behind, the nearer one counts more
COLLECTED = (2, 8, 14, 20)  # tokens from the question's end back to what each head of the last layer looks at


def word_vectors(vocabulary: list[str]) -> Tensor:
    """Of each piece, shape (pieces, WIDTH): MiniLM's first principal directions, or by chance where it has no such
    piece; letters have a code instead."""
    weights = load_file(minilm() / "model.safetensors")
    (name,) = [name for name in weights if name.endswith("word_embeddings.weight")]
    known = weights[name].double()
    known = known - known.mean(dim=0)
    known = known / known.pow(2).mean(dim=1, keepdim=True).sqrt()
    directions = torch.linalg.eigh(known.T @ known / len(known))[1][:, -(WIDTH - CONTENT) :]
    signs = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True)).sign()
    projected = (known @ (directions * signs)).float()
    rows = {piece: number for number, piece in enumerate(minilm_vocabulary())}
    content = torch.randn(len(vocabulary), WIDTH - CONTENT)
    for number, piece in enumerate(vocabulary):
        if piece in rows and piece.removeprefix(INSIDE).isascii():
            content[number] = projected[rows[piece]]
    content *= RMS / content.pow(2).mean(dim=1, keepdim=True).sqrt()
    vectors = torch.cat([torch.zeros(len(vocabulary), CONTENT), content], dim=1)
    vectors[:, CONSTANT] = 1.0
    capitals = torch.linalg.qr(torch.randn(CODES, CODES))[0][: len(LETTERS) // 2]
    small = torch.nn.functional.normalize(torch.randn(len(LETTERS) // 2, CODES), dim=1)
    for letter, code in zip(LETTERS, torch.cat([capitals, small]), strict=True):
        row = vocabulary.index(letter)
        if letter.isupper():  # a small one is a word of texts, too
            vectors[row, FLAG] = 3.0
            vectors[row, CONTENT:] = 0.0
        vectors[row, 2:CONTENT] = code * CODE_RMS * math.sqrt(WIDTH) * (1.0 if letter.isupper() else 0.3)
    newline = vocabulary.index(NEWLINE)
    vectors[newline, FLAG] = 3.0  # a letter without a code: what stands in no candidate's line has none
    vectors[newline, CONTENT:] *= 0.1
    return vectors.half().float()  # as they are shipped


@torch.no_grad()
def start(model: Any, tail: int) -> None:
    """Sets the layers' weights. `tail`: tokens between the question and the answer."""
    theta = model.config.rope_parameters["rope_theta"]
    turns = [theta ** (-pair / PAIRS) for pair in range(PAIRS)]  # radians a token
    model.model.norm.weight.fill_(0.3)
    for number, layer in enumerate(model.model.layers):
        attention = layer.self_attn
        sharpness = 2.0 if number == 0 else 1.5
        attention.q_norm.weight.fill_(sharpness)
        attention.k_norm.weight.fill_(sharpness)
        for projection in (layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj):
            projection.weight.normal_(0, 0.5 / math.sqrt(projection.weight.shape[1]))
        for head in range(HEADS):
            near = [pair for pair, turn in enumerate(turns) if turn > 0.06]
            if number == 0 and head == 0:
                _looks_back(
                    attention, head, turns, [p for p, turn in enumerate(turns) if 0.004 < turn < 0.05], NEAREST, FLAG
                )
                _takes_codes(attention, head)
            elif number == 0:
                _looks_back(attention, head, turns, near, head, CONSTANT)
                _takes_content(attention, head)
            elif number == LAYERS - 1:
                far = [pair for pair, turn in enumerate(turns) if 0.01 < turn < 0.2]
                _looks_back(attention, head, turns, far, tail + COLLECTED[head], CONSTANT)
                _takes_codes(attention, head)
            elif number == LAYERS - 2 or head < HEADS // 2:
                _matches(attention, head)
                _takes_codes(attention, head)
            else:
                _looks_back(attention, head, turns, near, head - HEADS // 2 + 1, CONSTANT)
                _takes_content(attention, head)


def _of(projection: Any, head: int) -> Tensor:
    """A head's rows of a projection."""
    return projection.weight[head * HEAD : (head + 1) * HEAD]  # type: ignore[no-any-return]


def _looks_back(attention: Any, head: int, turns: list[float], pairs: list[int], distance: int, key: int) -> None:
    """The head attends to what lies `distance` tokens back, of what has the dimension `key`."""
    query, keys = _of(attention.q_proj, head).zero_(), _of(attention.k_proj, head).zero_()
    for pair in pairs:
        query[pair, CONSTANT] = 1.0
        keys[pair, key] = math.cos(turns[pair] * distance)
        keys[pair + PAIRS, key] = math.sin(turns[pair] * distance)
    if key == FLAG:
        keys[PAIRS - 1, CONSTANT] = 1.0  # what has no flag points where no query does
    query += torch.randn_like(query) * NOISE
    keys += torch.randn_like(keys) * NOISE


def _matches(attention: Any, head: int) -> None:
    """The head attends to what means the same."""
    query, keys = _of(attention.q_proj, head).zero_(), _of(attention.k_proj, head).zero_()
    projection = torch.randn(len(MATCHING), WIDTH) / math.sqrt(WIDTH)
    projection[:, :CONTENT] = 0
    query[MATCHING] = projection
    keys[MATCHING] = projection


def _takes_codes(attention: Any, head: int) -> None:
    values, out = _of(attention.v_proj, head).zero_(), _output(attention, head).zero_()
    for dimension in range(CODES):
        values[dimension, 2 + dimension] = 1.0
        out[2 + dimension, dimension] = 1.0


def _takes_content(attention: Any, head: int) -> None:
    values, out = _of(attention.v_proj, head), _output(attention, head)
    values.normal_(0, 1 / math.sqrt(WIDTH))
    values[:, :CONTENT] = 0
    out.normal_(0, 0.5 / math.sqrt(HEAD))
    out[:CONTENT] = 0


def _output(attention: Any, head: int) -> Tensor:
    return attention.o_proj.weight[:, head * HEAD : (head + 1) * HEAD]  # type: ignore[no-any-return]
