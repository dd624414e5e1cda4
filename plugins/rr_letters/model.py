"""The causal language model behind the letters: loaded, read at one position, adapted by LoRA."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from pydantic import Field
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from rr import Document, Query, Request, RerankError, Settings
from rr.modeling.device import DtypeName, pick_device, pick_dtype
from rr.modeling.loading import quiet
from rr.modeling.source import model_path, weights_fingerprint
from rr_letters.base import TINY, tiny_base
from rr_letters.labels import label_tokens
from rr_letters.prompt import Budget, Prompter

RECORD = "base.json"


class LetterSettings(Settings):
    model: str = TINY
    """The base: a folder, a hub name, or `tiny-qwen3`, the embedded one with random weights."""
    title_tokens: int = Field(32, gt=0)
    """Tokens a candidate or history item is cut to."""
    history_items: int = Field(20, gt=0)
    max_tokens: int = Field(1536, gt=0)
    """Tokens of a whole prompt."""
    token_budget: int = Field(16_384, gt=0)
    """Tokens a forward pass takes, padding included."""
    dtype: DtypeName = "auto"
    trust_remote_code: bool = False

    def weights(self) -> str:
        return weights_fingerprint(self.folder())

    def folder(self) -> str:
        return str(tiny_base()) if self.model == TINY else model_path(self.model)


class LetterModel:
    """Tokenizer, base model and (from a checkpoint) its LoRA adapter, with the letters' tokens resolved."""

    def __init__(self, settings: LetterSettings, checkpoint: Path | None, dtype: DtypeName | None = None) -> None:
        self.settings = settings
        self.device = pick_device()
        source, remote = settings.folder(), settings.trust_remote_code
        self.tokenizer: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=remote)
        with quiet():
            self.model: Any
            self.model, loading = AutoModelForCausalLM.from_pretrained(
                source,
                dtype=pick_dtype(dtype or settings.dtype, self.device),
                use_safetensors=True,
                trust_remote_code=remote,
                output_loading_info=True,
            )
        if loading["missing_keys"]:
            missing = ", ".join(sorted(loading["missing_keys"]))
            raise RerankError(f"model {settings.model!r} lacks weights: {missing}; name a whole causal language model")
        if checkpoint is not None:
            self._check_base(checkpoint)
            with quiet():
                self.model = PeftModel.from_pretrained(self.model, str(checkpoint))
        self.model.to(self.device).eval()
        budget = Budget(settings.title_tokens, settings.history_items, settings.max_tokens)
        self.prompter = Prompter(self.tokenizer, budget)
        probe = Request(Query("probe", "?"), (Document("0", "?"),))
        self.labels = torch.tensor(label_tokens(self.tokenizer, self.prompter.text(probe, [], ["?"])))
        self.labels = self.labels.to(self.device)

    def last_hidden(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """The hidden state at each prompt's last token, shape (prompts, width). Padding stands to the right, where a
        causal model cannot see it, so that a prompt's state does not depend on what is batched with it."""
        lengths = [len(prompt) for prompt in prompts]
        ids = torch.zeros(len(prompts), max(lengths), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt)
            mask[row, : len(prompt)] = 1
        base = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        output = base.get_decoder()(input_ids=ids.to(self.device), attention_mask=mask.to(self.device), use_cache=False)
        last = torch.tensor(lengths, device=self.device) - 1
        return output.last_hidden_state[torch.arange(len(prompts), device=self.device), last]  # type: ignore[no-any-return]

    def vocabulary_logits(self, hidden: Tensor) -> Tensor:
        """Shape (prompts, vocabulary), float32: at the one position that is read, never at the others."""
        return self.model.get_output_embeddings()(hidden).float()  # type: ignore[no-any-return]

    def save_adapter(self, out: Path) -> None:
        with quiet():
            self.model.save_pretrained(out)
        (out / RECORD).write_text(json.dumps({"base": self.settings.weights()}) + "\n", encoding="utf-8")

    def _check_base(self, checkpoint: Path) -> None:
        trained = json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))["base"]
        if trained != self.settings.weights():
            raise RerankError(
                f"{checkpoint}: this adapter was trained on other base weights than {self.settings.model!r} has now; "
                "train again, or name the base it was trained on"
            )
