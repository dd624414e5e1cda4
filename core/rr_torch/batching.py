"""Batches of similar length under a token budget: little padding, and memory that does not depend on the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rr.progress import SCORED


def token_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of `lengths` (tokens a sequence), longest first, cut so that rows × longest row ≤ `budget` tokens.
    A sequence longer than the budget is a batch of its own."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def counted(batches: Iterable[list[int]]) -> Iterator[list[int]]:
    """The batches, one after the other; each is told as scored when the next one is asked for (`rr.progress`)."""
    for batch in batches:
        yield batch
        SCORED.get()(len(batch))
