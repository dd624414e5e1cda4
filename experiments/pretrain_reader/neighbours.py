"""Words that stand for one another. The bench says things in words that the pretraining has not seen, so it is shown
that a question and its document need not share a word, if only theirs lie near one another."""

from __future__ import annotations

import random
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import torch
from torch import Tensor

from experiments.pretrain_reader.start import CONTENT

NEIGHBOURS, NEAR = 8, 0.35  # at most so many of a word; and their cosine with it is more than that
SHARE = 0.3  # of words that have neighbours is said otherwise
ROWS = 1000  # words whose neighbours are looked for at once


class Neighbours:
    """Of each word that is one token, those that lie near it, by what the model's vectors say of meaning."""

    def __init__(
        self, vectors: Tensor, pieces: Sequence[str], known: AbstractSet[str], unsaid: AbstractSet[str]
    ) -> None:
        """`vectors`: of `pieces`, shape (pieces, width). `known`: the pieces whose vectors mean something. `unsaid`:
        words that nothing becomes."""
        words = [
            number
            for number, piece in enumerate(pieces)
            if piece.isalpha() and piece.isascii() and len(piece) > 1 and piece in known
        ]
        sayable = [pieces[number] not in unsaid for number in words]
        directions = torch.nn.functional.normalize(vectors[torch.tensor(words), CONTENT:], dim=1)
        self._near: dict[int, list[int]] = {}
        for start in range(0, len(words), ROWS):
            nearest = (directions[start : start + ROWS] @ directions.T).topk(NEIGHBOURS + 1, dim=1)
            rows = zip(nearest.indices[:, 1:].tolist(), nearest.values[:, 1:].tolist(), strict=True)
            for word, (places, cosines) in zip(words[start:], rows, strict=False):
                near = [at for at, cosine in zip(places, cosines, strict=True) if cosine > NEAR and sayable[at]]
                self._near[word] = [words[at] for at in near]

    def rewording(self, generator: random.Random) -> Rewording:
        return Rewording(self, generator)

    def of(self, token: int) -> list[int]:
        return self._near.get(token, [])


class Rewording(dict[int, int]):
    """What a token becomes: the same wherever it stands, and drawn when it is first met."""

    def __init__(self, neighbours: Neighbours, generator: random.Random) -> None:
        super().__init__()
        self._neighbours, self._generator = neighbours, generator

    def __missing__(self, token: int) -> int:
        near = self._neighbours.of(token)
        said = self._generator.choice(near) if near and self._generator.random() < SHARE else token
        return self.setdefault(token, said)
