"""The causal language model behind the letters: loaded, read at one position, adapted by LoRA."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from rr import Document, Precision, Query, Request, RerankError
from rr_letters.forward import packed_states, padded_states, shared_states
from rr_letters.prompt import Budget, Prompter
from rr_letters.settings import LetterSettings
from rr_torch import (
    DtypeName,
    can_pack,
    check_finite,
    check_safetensors,
    fetching,
    pack,
    pick_device,
    pick_dtype,
    precision_of,
    quiet,
    runs_code,
    shards,
)

RECORD = "base.json"
ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
GPU_TOKENS = 16_384
CPU_ACTIVATION = 2**20
"""Tokens × width of a pass on a CPU: larger ones are no faster, and take more memory."""
VOCABULARY_ROWS = 64
"""Prompts whose logits over the whole vocabulary are held at once."""


class LetterModel:
    """Tokenizer, base model and (from a checkpoint) its LoRA adapter, with the letters' tokens resolved."""

    def __init__(self, settings: LetterSettings, checkpoint: Path | None, dtype: DtypeName | None = None) -> None:
        self.settings = settings
        self.device = pick_device()
        if checkpoint is not None:
            _check_record(settings, checkpoint)
        adapted = checkpoint is not None and (checkpoint / ADAPTER).is_file()
        source = str(checkpoint) if checkpoint is not None and not adapted else settings.folder()
        remote = runs_code(settings.trust_remote_code, source)
        check_safetensors(source)
        number_format = pick_dtype(dtype or settings.dtype, self.device)
        with fetching(source):
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=remote)
            self.model: Any = _load(settings, source, number_format, self.device, remote)
        if checkpoint is not None and adapted:
            _check_adapter(checkpoint)
            with quiet():
                self.model = PeftModel.from_pretrained(self.model, str(checkpoint))
        check_finite(settings.model, self.model)
        self.model.eval()
        budget = Budget(settings.title_tokens, settings.history_items, settings.max_tokens)
        self.prompter = Prompter(self.tokenizer, budget, settings.templates())
        try:
            self.prompter.check()
        except RerankError as error:
            raise RerankError(f"model {settings.model!r}: {error}") from error
        self.labels = torch.tensor(self.prompter.letters(), device=self.device)
        probe = Request(Query("probe", "?"), (Document("0", "?"), Document("1", "!")))
        tokens = self.prompter.render(probe).tokens
        self._packed = False
        expected = self._plain_logits(tokens)
        if self.device.type == "cpu" and can_pack(self.base):
            pack(self.base)
            self._packed = True
        self._check_shortcut(tokens, expected)

    @property
    def base(self) -> Any:
        """The transformers model, LoRA layers included."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    @property
    def token_budget(self) -> int:
        default = GPU_TOKENS if self.device.type == "cuda" else CPU_ACTIVATION // self.base.config.hidden_size
        return self.settings.token_budget or max(default, 1)

    def last_hidden(self, prompts: Sequence[Sequence[int]], share: bool = False) -> Tensor:
        """The hidden state at each prompt's last token, shape (prompts, width). `share`: prefixes that neighbours
        have in common are read once; without gradients only."""
        if share and self._packed:
            return shared_states(self.base.get_decoder(), prompts, self.token_budget, self.device)
        return self.hidden(prompts, 1)

    def hidden(self, prompts: Sequence[Sequence[int]], last: int) -> Tensor:
        """The hidden states at each prompt's `last` tokens, shape (last · prompts, width): first all prompts' earliest
        ones, at the end their final ones."""
        read = packed_states if self._packed else padded_states
        # of sharded weights every process must make as many passes: one, of whatever length
        budget = len(prompts) * max(map(len, prompts)) if torch.is_grad_enabled() and shards() else self.token_budget
        return read(self.base.get_decoder(), prompts, budget, self.device, last)

    def label_logits(self, hidden: Tensor) -> Tensor:
        """Shape (…, 52), float32, from the label rows of the output matrix alone."""
        head = self.model.get_output_embeddings()
        bias = None if head.bias is None else head.bias[self.labels].float()
        return torch.nn.functional.linear(hidden.float(), head.weight[self.labels].float(), bias)

    def vocabulary_logits(self, hidden: Tensor) -> Tensor:
        """Shape (…, vocabulary), float32."""
        return self.model.get_output_embeddings()(hidden).float()  # type: ignore[no-any-return]

    def log_normalizer(self, hidden: Tensor) -> Tensor:
        """log Σ exp over the whole vocabulary, shape (prompts,): what label logits must be compared with to be
        probabilities of the model's own."""
        blocks = torch.split(hidden, VOCABULARY_ROWS)
        return torch.cat([torch.logsumexp(self.vocabulary_logits(block), dim=-1) for block in blocks])

    def save(self, out: Path, merge: bool, weights: Mapping[str, Tensor] | None = None) -> None:
        """Writes the adapter, or with `merge` a whole model that transformers loads by itself. `weights`: those of the
        adapter, where the model's own are sharded."""
        with quiet():
            if merge:
                whole = self.model.merge_and_unload()
                whole.save_pretrained(out)
                self.tokenizer.save_pretrained(out)
            else:
                adapter = self.model.peft_config["default"]
                adapter.target_modules = sorted(adapter.target_modules)  # a set's order differs from run to run
                self.model.save_pretrained(out, state_dict=None if weights is None else dict(weights))
        record = {"base": self.settings.base(), "prompts": self.settings.prompts()}
        (out / RECORD).write_text(json.dumps(record) + "\n", encoding="utf-8")

    @torch.inference_mode()
    def _plain_logits(self, tokens: Sequence[int]) -> Tensor:
        output = self.base(input_ids=torch.tensor([tokens], device=self.device), use_cache=False)
        return output.logits[0, -1, self.labels].float()  # type: ignore[no-any-return]

    @property
    def precision(self) -> Precision:
        """4-bit weights are multiplied in half precision."""
        return "bfloat16" if self.settings.quantization != "none" else precision_of(self.base.dtype)

    @torch.inference_mode()
    def _check_shortcut(self, tokens: list[int], expected: Tensor) -> None:
        """Some architectures scale or cap their logits, or attend in ways of their own: there the short way must not
        be taken silently. The prompt is read behind a neighbour, which it must not see.

        Raises:
            RerankError: reading label rows at one position gives other logits than the model's own forward pass.
        """
        half = self.base.dtype != torch.float32 or self.settings.quantization != "none"
        tolerance = (0.05 if half else 1e-4) * max(1.0, float(expected.abs().max()))
        for share in (False, True):
            found = self.label_logits(self.last_hidden([tokens[:-1], tokens], share))[1]
            difference = float((found - expected).abs().max())
            if not difference <= tolerance:  # NaN too
                raise RerankError(
                    f"model {self.settings.model!r}: its own logits of the letters differ from those of its output "
                    f"rows by {difference:.3g}; this architecture is not supported"
                )


def _load(settings: LetterSettings, source: str, dtype: torch.dtype, device: torch.device, remote: bool) -> Any:
    options: dict[str, Any] = {}
    if settings.quantization == "4bit":
        if find_spec("bitsandbytes") is None:
            raise RerankError("quantization: 4bit needs bitsandbytes; pip install bitsandbytes, or set it to none")
        compute = dtype if dtype != torch.float32 else torch.bfloat16
        options = {
            "quantization_config": BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute
            ),
            "device_map": {"": device},
        }
    with quiet():
        model: Any
        model, loading = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=remote,
            output_loading_info=True,
            **options,
        )
    if loading["missing_keys"]:
        missing = ", ".join(sorted(loading["missing_keys"]))
        raise RerankError(f"model {settings.model!r} lacks weights: {missing}; name a whole causal language model")
    return model if options else model.to(device)


def _check_adapter(checkpoint: Path) -> None:
    """
    Raises:
        RerankError: it is no LoRA adapter in safetensors, or has peft import a module that it names.
    """
    adapter = json.loads((checkpoint / ADAPTER).read_text(encoding="utf-8"))
    if adapter.get("peft_type") != "LORA" or adapter.get("megatron_config") is not None:
        raise RerankError(f"{checkpoint / ADAPTER}: must be of peft_type LORA, without a megatron_config; train again")
    if not (checkpoint / ADAPTER_WEIGHTS).is_file():
        raise RerankError(f"{checkpoint}: has no {ADAPTER_WEIGHTS}; train again")


def _check_record(settings: LetterSettings, checkpoint: Path) -> None:
    """
    Raises:
        RerankError: the checkpoint was trained on another base, or with other prompts.
    """
    trained = json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))
    if trained["base"] != settings.base():
        raise RerankError(
            f"{checkpoint}: this adapter was trained on other base weights than {settings.model!r} has now; "
            "train again, or name the base it was trained on"
        )
    if trained["prompts"] != settings.prompts():
        raise RerankError(
            f"{checkpoint}: this adapter was trained with other prompt templates; train again, or name those"
        )
