"""Qwen3-Reranker: P(yes) = softmax over the logits of yes and no where the answer stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from rr import ModelInfo, Request, RerankError, Scores
from rr_qwen3_reranker.prompt import Prompter
from rr_qwen3_reranker.settings import Qwen3RerankerSettings
from rr_torch import (
    check_finite,
    check_length,
    check_safetensors,
    counted,
    fetching,
    model_path,
    parameter_counts,
    pick_device,
    pick_dtype,
    precision_of,
    quiet,
    readable_tokens,
    runs_code,
    token_batches,
    weights_folder,
)

CARD_LENGTH = 8192
PROBE = [("a", "b"), ("a", "a longer document that answers it"), ("a", "d e")]


class Qwen3RerankerScorer:
    """Scores are probabilities of yes; they are ranked by the difference of the two logits, which never saturates.
    Diagnostics, means over a query's documents: `truncated`, whether the document was cut; `label_mass`, the
    probability of yes and no among the whole vocabulary (low: the model is not answering)."""

    Settings = Qwen3RerankerSettings

    def __init__(self, settings: Qwen3RerankerSettings, checkpoint: Path | None = None) -> None:
        self._settings, self._trained, self._device = settings, checkpoint is not None, pick_device()
        source = str(checkpoint) if checkpoint else model_path(settings.model)
        if settings.revision is not None and Path(source).is_dir():
            raise RerankError(f"model {settings.model!r} is a folder, which has no revisions; leave out 'revision'")
        remote = runs_code(settings.trust_remote_code, source)
        folder = weights_folder(source, settings.revision)
        if folder is not None:
            check_safetensors(str(folder))
        named: dict[str, Any] = {"revision": settings.revision or "main", "trust_remote_code": remote}
        with quiet(), fetching(source):
            tokenizer: Any = AutoTokenizer.from_pretrained(source, **named)
            model, loading = AutoModelForCausalLM.from_pretrained(
                source,
                dtype=pick_dtype(settings.dtype, self._device),
                use_safetensors=True,
                output_loading_info=True,
                **named,
            )
        if loading["missing_keys"]:
            missing = ", ".join(sorted(loading["missing_keys"])[:5])
            raise RerankError(f"model {settings.model!r} lacks weights: {missing}; name a whole causal language model")
        check_finite(settings.model, model)
        if settings.max_length is not None:
            check_length(model, settings.max_length)
        length = settings.max_length or int(min(CARD_LENGTH, readable_tokens(model)))
        try:
            self._prompter = Prompter(tokenizer, settings.instruction, length)
        except RerankError as error:
            raise RerankError(f"model {settings.model!r}: {error}") from error
        self._model: Any = model.to(self._device).requires_grad_(False).eval()
        self._check_padding()

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            "probability",
            state="trained" if self._trained else "pretrained",
            parameters=parameter_counts(self._model)[0],
            precision=precision_of(self._model.dtype),
        )

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        pairs = [(r.query.text, document.content) for r in requests for document in r.candidates]
        distinct = list(dict.fromkeys(pairs))  # equal texts get equal scores, whatever batch they would come in
        prompts, cuts = self._prompter.prompts(distinct)
        two = torch.empty(len(prompts), 2)
        mass = torch.empty(len(prompts))
        for batch in counted(token_batches([len(prompt) for prompt in prompts], self._settings.token_budget)):
            two[batch], mass[batch] = self._read([prompts[index] for index in batch])
        yes = two.softmax(dim=1)[:, 1].tolist()
        margins = (two[:, 1] - two[:, 0]).tolist()
        told = dict(zip(distinct, zip(yes, margins, mass.tolist(), cuts, strict=True), strict=True))
        answers, start = [], 0
        for request in requests:
            asked = [told[pair] for pair in pairs[start : start + len(request.candidates)]]
            start += len(asked)
            probabilities, ranked_by, masses, cut = zip(*asked, strict=True)
            figures = {"truncated": sum(cut) / len(cut), "label_mass": sum(masses) / len(masses)}
            answers.append(Scores(probabilities, figures, ranked_by=ranked_by))
        return answers

    @torch.inference_mode()
    def _read(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """The logits of no and yes behind each prompt, (prompts, 2), and their share of the probability, (prompts,);
        both float32, on the CPU. Prompts are padded to the left, where each counts from its own first token."""
        longest = max(map(len, prompts))
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        mask = torch.zeros(len(prompts), longest, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
        output = self._model(**{k: v.to(self._device) for k, v in inputs.items()}, use_cache=False, logits_to_keep=1)
        logits = output.logits[:, -1].float()
        two = logits[:, self._prompter.answers]
        mass = (two.logsumexp(dim=1) - logits.logsumexp(dim=1)).exp()
        return two.cpu(), mass.cpu()

    def _check_padding(self) -> None:
        """
        Raises:
            RerankError: a prompt's answer changes by what it is padded with.
        """
        prompts, _ = self._prompter.prompts(PROBE)
        alone = torch.cat([self._read([prompt])[0] for prompt in prompts])
        tolerance = (1e-3 if self._model.dtype == torch.float32 else 0.1) * max(1.0, alone.abs().max().item())
        if not torch.allclose(self._read(prompts)[0], alone, rtol=0, atol=tolerance):
            raise RerankError(
                f"model {self._settings.model!r} answers otherwise when a prompt is padded to the left; this "
                "architecture is not supported"
            )
