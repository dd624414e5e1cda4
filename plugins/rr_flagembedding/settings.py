"""What the scorer can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rr import Settings
from rr_torch import weights_fingerprint


class FlagEmbeddingSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    kind: Literal["reranker", "llm", "layerwise", "lightweight"] = "reranker"
    """FlagReranker (bge-reranker-v2-m3), FlagLLMReranker (bge-reranker-v2-gemma), LayerWiseFlagLLMReranker
    (v2-minicpm-layerwise) or LightWeightFlagLLMReranker (v2.5-gemma2-lightweight)."""
    max_length: int = Field(512, ge=16)
    """The library's own: tokens of query and document, of which the document's end is left out."""
    batch_size: int = Field(32, gt=0)
    """Pairs a forward pass."""
    prompt: str | None = None
    """What an LLM is asked behind the document; null: the library's own words."""
    scale: Literal["logit", "probability"] = "logit"
    """What scores are; probability is the library's normalize."""
    use_fp16: bool = False
    """Half precision, on a GPU."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    @model_validator(mode="after")
    def _go_together(self) -> FlagEmbeddingSettings:
        if self.kind == "reranker" and self.prompt is not None:
            raise ValueError("'prompt' goes with kind: llm; FlagReranker is asked nothing")
        return self

    def weights(self) -> str:
        return weights_fingerprint(self.model)

    def reference(self) -> FlagEmbeddingSettings:
        return self.model_copy(update={"use_fp16": False})
