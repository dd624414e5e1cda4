"""What the letter verbalizer and its trainer can be told."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field, field_validator, model_validator

from rr import Settings
from rr.data import DataPath
from rr.files import fingerprint
from rr.training import DEV_METRIC
from rr_letters.base import READER, TINY, tiny_base
from rr_letters.labels import LETTERS
from rr_letters.templates import Layout, Templates, read_templates
from rr_torch import DtypeName, FitSettings, model_path, weights_fingerprint


class LetterSettings(Settings):
    model: str = TINY
    """The base: a folder, a hub name, or an embedded one: `tiny-qwen3-reader` reads passages and films,
    `tiny-qwen3` knows the benched films and reads nothing else."""
    layout: Layout = "question-first"
    """Where a prompt has the question, or the history: before the candidates, as LlamaRec has it, or behind them, so
    that it is read knowing them. `tiny-qwen3` has learned `question-first`, `tiny-qwen3-reader` `question-last`."""
    next_item_template: DataPath | None = None
    """A text file with {history}, {candidates} and {letters}; null: the plugin's own."""
    passage_template: DataPath | None = None
    """A text file with {question}, {candidates} and {letters}; null: the plugin's own."""
    title_tokens: int = Field(32, gt=0)
    """Tokens a candidate or history item is cut to."""
    history_items: int = Field(20, gt=0)
    """The newest of a history that a prompt shows."""
    max_tokens: int = Field(1536, gt=0)
    """Tokens of a whole prompt."""
    calibration: Literal["none", "content-free"] = "none"
    """`content-free`: what the model answers when every candidate says nothing is divided out; a second prompt a
    request (Zhao et al. 2021, "Calibrate Before Use")."""
    token_budget: int | None = Field(None, gt=0)
    """Tokens a forward pass takes, padding included; null: as many as suit the device and the model's width."""
    dtype: DtypeName = "auto"
    """Of the weights; auto: half precision on a GPU, float32 on a CPU."""
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
        return read_templates(self.next_item_template, self.passage_template, self.layout)

    def folder(self) -> str:
        return str(tiny_base(self.model)) if self.model in (TINY, READER) else model_path(self.model)


class LetterTraining(FitSettings):
    """A batch is `batch_size` prompts."""

    SCHEDULE = "cosine"

    batch_size: int = Field(16, gt=0)
    """Prompts whose mean loss makes a gradient."""
    lr: float = Field(1e-4, gt=0)
    """Of AdamW, at the end of the warm-up."""
    objective: Literal["letters", "next-token"] = "letters"
    """`letters`: cross-entropy over the letters shown. `next-token`: over the whole vocabulary, of the letter and of
    the token that ends the turn, as the documents behind LlamaRec-style rerankers have it."""
    samples: Literal["every-prefix", "one-cut"] = "every-prefix"
    """Of a history: a question about each of its items, or about one of them, drawn anew each epoch."""
    candidates: int = Field(20, gt=1, le=len(LETTERS))
    """Of a prompt: the target and its negatives."""
    questions: int = Field(1, gt=0)
    """So many are asked of the same candidates, where the others' targets are negatives of each. With `layout:
    question-last` and `objective: letters` a CPU reads the candidates once for all of them."""
    lora_r: int = Field(8, gt=0)
    """The rank of LoRA's updates."""
    lora_alpha: int = Field(16, gt=0)
    """The updates are multiplied by lora_alpha / lora_r."""
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    """Of what goes into the updates, in training."""
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Names of the layers that are updated."""
    gradient_checkpointing: bool = False
    """Activations are computed twice rather than kept: less memory, more time."""
    merge: bool = False
    """Save a whole model with the adapter added to its weights, not the adapter alone."""

    def selects_by(self) -> str:
        return DEV_METRIC

    @model_validator(mode="after")
    def _targets_fit(self) -> LetterTraining:
        if self.questions > self.candidates:
            raise ValueError(
                f"questions: {self.questions} have as many targets, and candidates: {self.candidates} holds fewer; "
                "set questions to less, or candidates to more"
            )
        return self

    @field_validator("lora_targets")
    @classmethod
    def _not_the_head(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        if "lm_head" in targets:
            raise ValueError("lm_head cannot be adapted: only its rows of the letters are read")
        return targets
