"""What the projection head and its trainer can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rr_torch import EncoderSettings, FitSettings

ListingMetric = Literal["MRR", "R@1", "nDCG@10"]
Initialisation = Literal["random", "orthogonal", "pca"]
SHARPEST = 100.0
"""1 / τ is never learned beyond this (Radford et al. 2021)."""


class HeadSettings(EncoderSettings):
    dimensions: int = Field(256, gt=0)
    """Of the projected vectors."""
    seed: int = 0
    """Of the head's random initialisation."""


class HeadTraining(FitSettings):
    """A batch is `batch_size` (query, positive) rows, each with its hard negatives."""

    SCHEDULE = "constant_with_warmup"

    epochs: int = Field(10, gt=0)
    """Passes over the train split, at most."""
    batch_size: int = Field(128, gt=1)
    """Rows whose positives are negatives to one another."""
    lr: float = Field(2e-4, gt=0)
    """Of AdamW, at the end of the warm-up."""
    warmup: float = Field(0.0, ge=0, lt=1)
    """Share of the steps."""
    initialisation: Initialisation = "random"
    """What training starts from: random, orthogonal (a random subspace), or pca (near the encoder's own cosines)."""
    temperature: float = Field(0.07, gt=0)
    """What similarities are divided by in the loss."""
    learn_temperature: bool = False
    """It starts at `temperature` and is trained along, down to 0.01; AdamW's decay draws it towards 1."""
    num_hard_negatives: int = Field(3, ge=0)
    """A row; those that the data set names come first."""
    cross_row_negatives: bool = False
    """The other rows' hard negatives are negatives of a row too, of weight 1."""
    gather: bool = True
    """Of several processes that train together, the rows of all are negatives to one another, as those of one process
    would be; false: those of each process alone, so that the loss depends on how many there are."""
    dev_ratio: float | None = Field(None, gt=0, lt=1)
    """So much of the train and dev queries is the dev split of this training; null: the data set's own dev split."""
    dev_metric: ListingMetric = "nDCG@10"
    """Which epoch is best, on the dev split: its positives among their hard negatives and the other listings."""

    def selects_by(self) -> str:
        return f"listings {self.dev_metric}"

    def dev_split(self) -> tuple[float, int] | None:
        return None if self.dev_ratio is None else (self.dev_ratio, self.seed)

    @model_validator(mode="after")
    def _is_consistent(self) -> HeadTraining:
        if self.learn_temperature and self.temperature < 1 / SHARPEST:
            raise ValueError(f"a learned temperature starts at {1 / SHARPEST:g} or above, not at {self.temperature:g}")
        return self
