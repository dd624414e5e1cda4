"""From prompts to the hidden state at the position where each one's letter comes next: the only position that counts.

On a CPU prompts are packed without padding, and prompts that begin alike (the shuffles of one request share its
history) have their common prefix read once: its key-value cache is continued by each and cropped back after. On a GPU
prompts are padded to the right, where a causal model cannot see it. A prompt's state never depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from rr_torch import Packed, counted, packs, positions, token_batches

Tokens = Sequence[int]

SHARED = 48
"""A common prefix of fewer tokens is cheaper to read again than to keep."""


def padded_states(decoder: Any, prompts: Sequence[Tokens], budget: int, device: torch.device, last: int = 1) -> Tensor:
    """The states by padded batches of at most `budget` tokens, padding included: of each prompt's `last` positions,
    shape (last · prompts, width), all prompts' final ones at the end."""
    states: dict[tuple[int, int], Tensor] = {}
    for batch in counted(token_batches([len(prompt) for prompt in prompts], budget)):
        lengths = torch.tensor([len(prompts[index]) for index in batch])
        ids = torch.zeros(len(batch), int(lengths.max()), dtype=torch.long)
        for row, index in enumerate(batch):
            ids[row, : len(prompts[index])] = torch.tensor(prompts[index])
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        output = decoder(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).last_hidden_state
        for back in range(last):
            rows = output[torch.arange(len(batch)), lengths - 1 - back]
            states.update({(back, index): row for index, row in zip(batch, rows, strict=True)})
    return torch.stack([states[back, index] for back in reversed(range(last)) for index in range(len(prompts))])


def packed_states(decoder: Any, prompts: Sequence[Tokens], budget: int, device: torch.device, last: int = 1) -> Tensor:
    """As `padded_states`, by packs of at most `budget` tokens, each prompt read from its first token. Gradients flow
    through both."""
    states = [
        _read(decoder, [prompts[index] for index in pack], device, last=last)
        for pack in counted(packs([len(prompt) for prompt in prompts], budget))
    ]
    return torch.cat(states, dim=1).flatten(0, 1)


def shared_states(decoder: Any, prompts: Sequence[Tokens], budget: int, device: torch.device) -> Tensor:
    """As `packed_states` of the last position, but a prefix that neighbouring prompts share is read once. For inference
    only."""
    groups = list(sharing(prompts))
    states = torch.empty(len(prompts), decoder.config.hidden_size, dtype=decoder.dtype, device=device)
    alone = [group.start for group, shared in groups if not shared]
    if alone:
        states[alone] = packed_states(decoder, [prompts[index] for index in alone], budget, device)
    together = [(group, shared) for group, shared in groups if shared]
    for batch in packs([shared for _, shared in together], budget):
        prefixes = [prompts[together[index][0].start][: together[index][1]] for index in batch]
        cache = DynamicCache(config=decoder.config)
        _read(decoder, prefixes, device, cache)
        spans, start = {}, 0
        for index in batch:
            group, shared = together[index]
            spans.update(dict.fromkeys(group, (start, start + shared)))
            start += shared
        rest = {index: prompts[index][end - begin :] for index, (begin, end) in spans.items()}
        for indices in counted(packs([len(tokens) for tokens in rest.values()], budget)):
            chosen = [list(rest)[index] for index in indices]
            suffixes = [rest[index] for index in chosen]
            (states[chosen],) = _read(decoder, suffixes, device, cache, [spans[index] for index in chosen])
            cache.crop(-sum(map(len, suffixes)))
    return states


def sharing(prompts: Sequence[Tokens]) -> Iterator[tuple[range, int]]:
    """Runs of neighbouring prompts, each with the length of the prefix that it shares: 0 where it is not worth it. A
    run ends where one prompt more would make it save less: all begin with the instructions, but those of one request
    have its history in common too. The last token is never part of it, so that every prompt has a position to be read
    at."""
    start = 0
    while start < len(prompts):
        end, shared = start + 1, len(prompts[start]) - 1
        while end < len(prompts):
            common = min(_common(prompts[start], prompts[end]), shared, len(prompts[end]) - 1)
            if common < SHARED or common * (end - start) < shared * (end - start - 1):
                break
            end, shared = end + 1, common
        yield range(start, end), shared if end - start > 1 else 0
        start = end


def _common(left: Tokens, right: Tokens) -> int:
    for place, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return place
    return min(len(left), len(right))


def _read(
    decoder: Any,
    rows: Sequence[Tokens],
    device: torch.device,
    cache: DynamicCache | None = None,
    spans: Sequence[tuple[int, int]] | None = None,
    last: int = 1,
) -> Tensor:
    """The states at the last tokens of each row, shape (last, rows, width); rows continue their spans of the cache."""
    lengths = [len(row) for row in rows]
    starts = [end - start for start, end in spans] if spans else None
    output = decoder(
        input_ids=torch.tensor([token for row in rows for token in row], device=device)[None],
        position_ids=positions(lengths, starts).to(device)[None],
        past_key_values=cache,
        use_cache=cache is not None,
        packed=Packed(lengths, spans),
    )
    ends = torch.tensor(lengths, device=device).cumsum(0)
    return output.last_hidden_state[0, ends - torch.arange(last, 0, -1, device=device)[:, None]]  # type: ignore[no-any-return]
