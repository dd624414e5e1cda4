"""How much one request, and all that wait, may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`documents`, `bytes`, `tokens`: of one request; the last are estimated before it is scored, for a model does not
    show its tokenizer. `queue`: requests that wait for one model. `batch`: documents that a model is given at once, in
    whole requests; 1: one request at a time."""

    documents: int = 1_000
    bytes: int = 4 * 2**20
    tokens: int = 500_000
    queue: int = 512
    batch: int = 256


DEFAULTS = Limits()
