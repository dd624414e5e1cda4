"""What every component that reads one text at a time with a pretrained model can be told."""

from __future__ import annotations

from pydantic import Field

from rr.modeling.source import weights_fingerprint
from rr.protocols import Settings


class TextModelSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    sha256: str | None = None
    """What model.safetensors must hash to; None: not verified."""
    max_seq_length: int = Field(256, gt=0)
    """Tokens a text is cut to."""
    batch_size: int = Field(64, gt=0)
    """Texts a forward pass takes where they are padded: on a GPU, and with models that cannot be packed."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    def weights(self) -> str:
        return weights_fingerprint(self.model)
