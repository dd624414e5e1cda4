"""What the cross-encoder's trainer can be told."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rr import RegistryError
from rr.evaluate.metrics import metric
from rr.mining import MiningSettings
from rr.modeling.fitting import FitSettings
from rr_cross_encoder.presets import PRESETS, Preset


class CrossEncoderTraining(MiningSettings, FitSettings):
    """A batch is `batch_size` pairs; with a listwise loss as many whole lists as fit into it, at least one."""

    preset: Preset | None = None
    """Sets options (the README has the table); those given beside it win."""
    loss: Literal["bce", "lce", "listnet", "lambda", "ranknet"] = "bce"
    """`bce`: binary cross-entropy over pairs; `lce`: cross-entropy of each positive among its negatives; the others:
    ListNetLoss, LambdaLoss, RankNetLoss of sentence-transformers, over a query's list of positives and negatives."""
    head_lr: float | None = Field(None, gt=0)
    """Of pooler and classifier, in place of `lr`: a random classifier needs more than the layers below it."""
    frozen_layers: int | None = Field(None, ge=0)
    """So many of the lowest layers, and the embeddings, stay as they are; null: all is trained."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """In training; null: as the base model's configuration says."""
    pos_weight: Literal["auto"] | float = "auto"
    """Of a positive pair in `bce`. auto: #negatives / #positives, so that both classes weigh the same."""
    num_hard_negatives: int = Field(3, ge=0)
    """A positive pair, drawn anew each epoch from the `hard_neg_top_k` hardest."""
    num_random_negatives: int = Field(1, ge=0)
    fp16: bool = False
    """Forward passes in float16, on a GPU; weights stay float32."""
    bf16: bool = False
    """Likewise in bfloat16, on any device."""
    gradient_checkpointing: bool = False
    """Activations are computed twice rather than kept: less memory, more time."""
    dataloader_num_workers: int = Field(0, ge=0)
    """Processes that tokenise ahead; 0: the training itself does."""
    dev_ratio: float | None = Field(None, gt=0, lt=1)
    """So much of the train and dev queries is the dev split of this training; null: the data set's own dev split."""
    dev_metric: str = "nDCG@10"
    """What the kept weights are best at on the dev split."""
    eval_steps: int | None = Field(100, gt=0)
    evaluations: int | None = Field(10, gt=0)

    def selects_by(self) -> str:
        return self.dev_metric

    @model_validator(mode="before")
    @classmethod
    def _filled_by_preset(cls, given: Any) -> Any:
        return cls.expanded(given) if isinstance(given, dict) else given

    @classmethod
    def expanded(cls, given: dict[str, Any]) -> dict[str, Any]:
        name = given.get("preset")
        return {**PRESETS[name], **given} if isinstance(name, str) and name in PRESETS else given

    @field_validator("dev_metric")
    @classmethod
    def _metric_exists(cls, name: str) -> str:
        try:
            metric(name)
        except RegistryError as error:
            raise ValueError(str(error)) from error
        return name

    @field_validator("pos_weight")
    @classmethod
    def _positive(cls, weight: float | Literal["auto"]) -> float | Literal["auto"]:
        if weight != "auto" and not 0 < weight < float("inf"):
            raise ValueError("must be auto or a number above 0")
        return weight

    @model_validator(mode="after")
    def _consistent(self) -> CrossEncoderTraining:
        if self.fp16 and self.bf16:
            raise ValueError("'fp16' and 'bf16' exclude each other")
        if self.loss != "bce" and self.pos_weight != "auto":
            raise ValueError(f"'pos_weight' goes with loss: bce; {self.loss} compares a query's documents")
        return self
