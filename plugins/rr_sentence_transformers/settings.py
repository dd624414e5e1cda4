"""What the scorer can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rr import Settings
from rr_torch import DtypeName, weights_fingerprint

Kind = Literal["cross_encoder", "bi_encoder"]


class SentenceTransformersSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    revision: str | None = None
    """Of a hub name: a branch, a tag or a commit; null: the newest."""
    kind: Literal["auto", "cross_encoder", "bi_encoder"] = "auto"
    """What reads it: a CrossEncoder, query and document together, or a SentenceTransformer, each alone; auto: as the
    model's own files say."""
    max_length: int | None = Field(None, gt=0)
    """Tokens that a pair (of a bi-encoder: a text) is cut to; null: the model's own limit."""
    batch_size: int = Field(32, gt=0)
    """Pairs or texts a forward pass."""
    dtype: DtypeName = "auto"
    """Of the weights; auto: half precision on a GPU, float32 on a CPU."""
    scale: Literal["model", "logit", "probability"] = "model"
    """Of a cross-encoder's scores: logits, or their sigmoids; model: as its own activation function says."""
    prompt_name: str | None = None
    """Which of the model's prompts is put before the query; null: the one that the library puts there itself."""
    document_prompt_name: str | None = None
    """Of a bi-encoder: likewise before each document."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    @model_validator(mode="after")
    def _go_together(self) -> SentenceTransformersSettings:
        if self.kind == "cross_encoder" and self.document_prompt_name is not None:
            raise ValueError("'document_prompt_name' goes with kind: bi_encoder; a cross-encoder has one prompt a pair")
        if self.kind == "bi_encoder" and self.scale != "model":
            raise ValueError("'scale' goes with kind: cross_encoder; a bi-encoder's scores are cosines")
        return self

    def weights(self) -> str:
        return weights_fingerprint(self.model, self.revision)
