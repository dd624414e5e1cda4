"""What the scorer can be told."""

from __future__ import annotations

from pydantic import Field

from rr import Settings
from rr_torch import DtypeName, weights_fingerprint


class Qwen3RerankerSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a hub name (Qwen/Qwen3-Reranker-0.6B)."""
    revision: str | None = None
    """Of a hub name: a branch, a tag or a commit; null: the newest."""
    instruction: str = Field("Given a web search query, retrieve relevant passages that answer the query", min_length=1)
    """What makes a document the right one; the model's card advises one for each task, in English."""
    max_length: int | None = Field(None, gt=0)
    """Tokens of a whole prompt, of which the document's end is left out; null: 8192 as on the model's card, or as many
    as the model can read."""
    token_budget: int = Field(4096, gt=0)
    """Tokens a forward pass takes, padding included."""
    dtype: DtypeName = "auto"
    """Of the weights; auto: half precision on a GPU, float32 on a CPU."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    def weights(self) -> str:
        return weights_fingerprint(self.model, self.revision)
