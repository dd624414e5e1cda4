"""The settings of the letter scorer. Light: checked and fingerprinted without loading a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import Field

from rr import Settings
from rr.artefacts import fingerprint
from rr.modeling.device import DtypeName
from rr.modeling.source import model_path, weights_fingerprint
from rr_letters.base import TINY, tiny_base
from rr_letters.templates import Templates, read_templates


class LetterSettings(Settings):
    model: str = TINY
    """The base: a folder, a hub name, or `tiny-qwen3`, the embedded one."""
    next_item_template: Path | None = None
    """A text file with {history}, {candidates} and {letters}; null: the plugin's own."""
    passage_template: Path | None = None
    """A text file with {question}, {candidates} and {letters}; null: the plugin's own."""
    title_tokens: int = Field(32, gt=0)
    """Tokens a candidate or history item is cut to."""
    history_items: int = Field(20, gt=0)
    max_tokens: int = Field(1536, gt=0)
    """Tokens of a whole prompt."""
    calibration: Literal["none", "content-free"] = "none"
    """`content-free`: what the model answers when every candidate says nothing is divided out; a second prompt a
    request (Zhao et al. 2021, "Calibrate Before Use")."""
    token_budget: int | None = Field(None, gt=0)
    """Tokens a forward pass takes, padding included; null: as many as suit the device and the model's width."""
    dtype: DtypeName = "auto"
    quantization: Literal["none", "4bit"] = "none"
    """`4bit`: NF4 by bitsandbytes, which must be installed."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    def weights(self) -> str:
        """The base's weights and the prompts: both make the scores."""
        return fingerprint([self.base(), self.prompts()])

    def engines(self) -> tuple[str, ...]:
        return ("bitsandbytes",) if self.quantization == "4bit" else ()

    def base(self) -> str:
        return weights_fingerprint(self.folder())

    def prompts(self) -> str:
        return fingerprint(asdict(self.templates()))

    def templates(self) -> Templates:
        return read_templates(self.next_item_template, self.passage_template)

    def folder(self) -> str:
        return str(tiny_base()) if self.model == TINY else model_path(self.model)
