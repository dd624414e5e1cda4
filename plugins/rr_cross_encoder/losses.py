"""The losses by name: binary cross-entropy over pairs, and losses over a query's list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rr_cross_encoder.packed import Encoded

LISTWISE = {"listnet": "ListNetLoss", "lambda": "LambdaLoss", "ranknet": "RankNetLoss"}


@dataclass(frozen=True, slots=True)
class Tokenised:
    """A sample whose pairs are token ids. `cut`: how many of its documents were cut."""

    rows: list[Encoded]
    labels: tuple[float, ...]
    weight: float
    cut: int = 0


def loss_of(name: str, logits: Tensor, samples: Sequence[Tokenised]) -> Tensor:
    """The mean of the samples' losses. `logits`: of all their rows, in order, float32."""
    labels = torch.tensor([label for sample in samples for label in sample.labels], device=logits.device)
    if name == "bce":
        weights = torch.tensor([sample.weight for sample in samples], device=logits.device)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weights)
    sizes = [len(sample.rows) for sample in samples]
    lists = zip(torch.split(logits, sizes), torch.split(labels, sizes), strict=True)
    # a list at a time: of several, LambdaLoss and RankNetLoss would take the mean over all their pairs of documents, so
    # that the weight of a query depended on which others come with it
    return torch.stack([_listwise(name, *one) for one in lists]).mean()


def _listwise(name: str, logits: Tensor, labels: Tensor) -> Tensor:
    if name == "lce":
        return localized_contrastive(logits, labels)
    from sentence_transformers.cross_encoder import losses  # takes seconds

    loss = getattr(losses, LISTWISE[name])(_Answered(logits), mini_batch_size=-1)
    return loss([[""], [[""] * len(logits)]], [labels])  # type: ignore[no-any-return]


def localized_contrastive(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over a list's positives p of -log( e^s(p) / ( e^s(p) + Σ_n e^s(n) ) ), n its negatives.

    Source: Gao, Dai and Callan 2021, "Rethink Training of BERT Rerankers in Multi-Stage Retrieval Pipeline".
    """
    positives = logits[labels > 0]
    return (torch.logaddexp(positives, logits[labels == 0].logsumexp(0)) - positives).mean()


class _Answered:
    """What sentence-transformers' losses call as their model: it has been asked already, and these are its logits."""

    num_labels = 1

    def __init__(self, logits: Tensor) -> None:
        self.device, self._logits = logits.device, logits

    def preprocess(self, pairs: Sequence[Any], **_: Any) -> dict[str, Any]:
        return {}

    def __call__(self, _: dict[str, Any]) -> dict[str, Tensor]:
        return {"scores": self._logits}
