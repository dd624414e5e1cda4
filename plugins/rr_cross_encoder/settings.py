"""What the cross-encoder, FlagReranker and their trainer can be told."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rr import RegistryError, Settings
from rr.measures import metric
from rr.training import MiningSettings
from rr_cross_encoder.presets import PRESETS, Preset
from rr_torch import DtypeName, FitSettings, weights_fingerprint

Backend = Literal["torch", "onnx", "openvino"]
ENGINES = {"onnx": "onnxruntime", "openvino": "openvino"}


class CrossEncoderSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    sha256: str | None = None
    """What model.safetensors must hash to; None: not verified."""
    max_seq_length: int = 256
    """Tokens of query, document and special tokens together; only the document is ever cut."""
    token_budget: int = 4096
    """Tokens a forward pass takes, padding included."""
    dtype: DtypeName = "auto"
    """Of the weights; auto: half precision on a GPU, float32 on a CPU."""
    scale: Literal["logit", "probability"] = "logit"
    """What scores are; a probability is the logit's sigmoid."""
    backend: Backend = "torch"
    """What computes: onnx and openvino run, on the CPU and in float32, an export that is kept in $RR_HOME."""
    quantization: Literal["none", "int8"] = "none"
    """int8: the linear layers' weights and activations, on the CPU. `rr info NAME --verify` shows what that costs."""
    seed: int = 0
    """Of the random head, where the base model has none."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    @model_validator(mode="after")
    def _go_together(self) -> CrossEncoderSettings:
        if self.backend != "torch" and self.trust_remote_code:
            raise ValueError(f"backend {self.backend!r} exports transformers' own models only; set backend: torch")
        if (self.backend != "torch" or self.quantization == "int8") and self.dtype not in ("auto", "float32"):
            what = f"backend {self.backend!r}" if self.backend != "torch" else "quantization 'int8'"
            raise ValueError(f"{what} starts from float32 weights; set dtype: float32, or leave it out")
        if self.backend == "openvino" and self.quantization == "int8":
            raise ValueError("quantization 'int8' goes with backend torch or onnx")
        return self

    def weights(self) -> str:
        return weights_fingerprint(self.model)

    def engines(self) -> tuple[str, ...]:
        return () if self.backend == "torch" else (ENGINES[self.backend], "onnxscript")

    def reference(self) -> CrossEncoderSettings:
        """The torch model in float32, which the others approximate."""
        return self.model_copy(update={"backend": "torch", "dtype": "float32", "quantization": "none"})

    @property
    def plain(self) -> bool:
        """Whether torch computes with its own layers."""
        return self.backend == "torch" and self.quantization == "none"


class FlagRerankerSettings(Settings):
    model: str
    """A folder, `package:NAME/FOLDER` inside an installed package, or a hub name."""
    sha256: str | None = None
    """What model.safetensors must hash to; None: not verified."""
    max_seq_length: int = Field(512, ge=16)
    """FlagReranker's max_length: tokens of query, document and special tokens together."""
    token_budget: int = Field(4096, gt=0)
    """Tokens a forward pass takes, padding included."""
    scale: Literal["logit", "probability"] = "logit"
    """What scores are; probability is FlagReranker's normalize."""
    use_fp16: bool = False
    """Half precision, on a GPU."""
    trust_remote_code: bool = False
    """Whether Python code in the model's folder is run; the user must allow it, too (RR_TRUST_REMOTE_CODE=1)."""

    def weights(self) -> str:
        return weights_fingerprint(self.model)

    def reference(self) -> FlagRerankerSettings:
        return self.model_copy(update={"use_fp16": False})


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
    """A positive pair, drawn anew each epoch from the whole corpus."""
    fp16: bool = False
    """Forward passes in float16, on a GPU; weights stay float32."""
    bf16: bool = False
    """Likewise in bfloat16, on any device."""
    gradient_checkpointing: bool = False
    """Activations are computed twice rather than kept: less memory, more time."""
    dataloader_num_workers: int = Field(0, ge=0)
    """Processes that tokenise ahead; 0: the training itself does."""
    save_total_limit: int | None = Field(None, gt=0)
    """So many of the models at every `save_steps` are kept, the newest ones, as checkpoint-N/; null: none."""
    dev_ratio: float | None = Field(None, gt=0, lt=1)
    """So much of the train and dev queries is the dev split of this training; null: the data set's own dev split."""
    dev_metric: str = "nDCG@10"
    """What the kept weights are best at on the dev split."""
    eval_steps: int | None = Field(100, gt=0)
    """Steps between two evaluations on the dev split; null: one after each epoch."""
    evaluations: int | None = Field(10, gt=0)
    """At least so many in a training, spread evenly; null: as `eval_steps` says."""

    def selects_by(self) -> str:
        return self.dev_metric

    def dev_split(self) -> tuple[float, int] | None:
        return None if self.dev_ratio is None else (self.dev_ratio, self.seed)

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
