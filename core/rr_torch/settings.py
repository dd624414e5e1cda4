"""What components on torch can be told. It imports no torch: settings are checked before anything is loaded."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from rr.protocols import Settings
from rr_torch.source import weights_fingerprint

DtypeName = Literal["auto", "float32", "float16", "bfloat16"]


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


class EncoderSettings(TextModelSettings):
    """The settings of every component that embeds texts."""

    library: Literal["sentence-transformers", "flagembedding"] = "sentence-transformers"
    """What embeds: sentence-transformers, any folder of its; flagembedding, BGE-M3 and its like by BGEM3FlagModel,
    which reads no modules.json, normalises, and does not pack texts."""
    pooling: Literal["model", "cls", "mean"] = "model"
    """What of the tokens' states a text's vector is made from; model: as the sentence-transformers folder says, or
    FlagEmbedding's own default, cls."""
    query_prompt: str | None = None
    """What is put before every query; null: the `prompts` of the sentence-transformers folder say."""
    document_prompt: str | None = None
    """Likewise before every document."""

    def engines(self) -> tuple[str, ...]:
        return ("FlagEmbedding",) if self.library == "flagembedding" else ()

    @property
    def flag_pooling(self) -> Literal["cls", "mean"]:
        return "cls" if self.pooling == "model" else self.pooling


class FitSettings(Settings):
    """What every trainer of ours can be told; each has its own defaults."""

    SCHEDULE: ClassVar[str] = "linear"
    """After the warm-up, by its name in transformers."""

    epochs: int = Field(5, gt=0)
    """Passes over the train split, at most."""
    batch_size: int = Field(8, gt=0)
    """Items whose mean loss makes a gradient."""
    gradient_accumulation_steps: int = Field(1, gt=0)
    """Batches whose gradients make one step. For a loss that is a mean over items, more of smaller batches make the
    same step in less memory; one with in-batch negatives has fewer of those."""
    lr: float = Field(2e-5, gt=0)
    """Of AdamW, at the end of the warm-up."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps."""
    warmup_steps: int | None = Field(None, ge=0)
    """In place of the share."""
    weight_decay: float = Field(0.01, ge=0)
    """Of AdamW."""
    max_grad_norm: float = Field(1.0, gt=0)
    """The norm over all trained weights that a gradient is clipped to."""
    eval_steps: int | None = Field(None, gt=0)
    """Steps between two evaluations on the dev split; null: one after each epoch."""
    evaluations: int | None = Field(None, gt=0)
    """At least so many in a training, spread evenly, whatever `eval_steps` says (a short one evaluates after every
    step); null: as `eval_steps` says."""
    max_steps: int | None = Field(None, gt=0)
    """Where the training ends, whatever `epochs` says: the schedule is that of a training of so many steps."""
    patience: int | None = Field(None, gt=0)
    """Evaluations in a row without a better one that end the training; null: it never ends early."""
    save_steps: int = Field(100, gt=0)
    """Steps between two states to go on from after a kill."""
    seed: int = 0
    """Of samples, shuffles, dropout and initialisation."""
    record: bool = True
    """Whether what `rr doctor` asks for is measured, too: the start, and some fixed samples at each evaluation."""
