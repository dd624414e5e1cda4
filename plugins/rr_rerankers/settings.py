"""What the scorer can be told."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from rr import Settings
from rr_torch import weights_fingerprint

OURS = ("model_name", "model_name_or_path", "model_type", "device", "verbose", "api_key", "api_provider")
"""Arguments that the scorer itself gives, or that only remote services take."""


class RerankersSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a name that the library knows."""
    model_type: Literal[
        "cross-encoder", "colbert", "t5", "flashrank", "llm-layerwise", "mxbaiv2", "upr", "pylate", "lit5", "rankllm"
    ] = "cross-encoder"
    """The library's name of what reads the model, which it would guess by the model's; no remote services."""
    scale: Literal["logit", "probability", "cosine", "rank"] = "logit"
    """What its scores mean, which the library does not say; rank: it gives an order, and scores are not looked at."""
    listwise: bool = False
    """Whether a document's score depends on the other candidates."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the library's own `Reranker` (`dtype`, `batch_size`, `model_kwargs`)."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    @field_validator("arguments")
    @classmethod
    def _not_ours(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name in given:
            if name in OURS:
                raise ValueError(f"{name!r} is not given here; device and model have settings of their own")
        if _names(given, "trust_remote_code"):
            raise ValueError("'trust_remote_code' is a setting of its own, beside 'arguments'")
        return given

    def weights(self) -> str:
        return weights_fingerprint(self.model)


def _names(value: object, key: str) -> bool:
    """Whether a mapping in the value, however deep, has the key."""
    if isinstance(value, dict):
        return key in value or any(_names(one, key) for one in value.values())
    return isinstance(value, list | tuple) and any(_names(one, key) for one in value)
