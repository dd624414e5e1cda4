"""The letter verbalizer as a Scorer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from rr import Document, ModelInfo, Request, Scores
from rr_letters.labels import LETTERS
from rr_letters.model import LetterModel
from rr_letters.prompt import Prompt
from rr_letters.settings import LetterSettings
from rr_torch import parameter_counts

UNIFORM = 0.01
LOW_MASS = 0.5
"""A smaller mean of the label mass is warned of: most of what the model would say are no letters."""
CONTENT_FREE = "N/A"


class LetterScorer:
    """Scores are probabilities: the softmax over the candidates' letters at the answer's position.

    Diagnostics: `label_mass`, the probability of those letters among the whole vocabulary (low: the model is not
    answering the question); `uniform`, 1 where the standard deviation of the answer is below 0.01; `truncated`, the
    share of candidates cut; `history_dropped`, how many history items did not fit.
    """

    Settings = LetterSettings

    def __init__(self, settings: LetterSettings, checkpoint: Path | None = None) -> None:
        self._model = LetterModel(settings, checkpoint)
        self._trained = checkpoint is not None
        self._mass: _Mass | None = _Mass(settings.model)

    @classmethod
    def of(cls, model: LetterModel) -> LetterScorer:
        """A scorer around a model that is being trained."""
        scorer = cls.__new__(cls)
        scorer._model, scorer._trained, scorer._mass = model, True, None
        return scorer

    @property
    def info(self) -> ModelInfo:
        counts = [(p.numel(), "lora_" in name) for name, p in self._model.model.named_parameters()]
        return ModelInfo(
            "probability",
            listwise=True,
            max_candidates=len(LETTERS),
            state="trained" if self._trained else "pretrained",
            parameters=parameter_counts(self._model.model)[0],
            trainable=sum(size for size, lora in counts if lora),
            precision=self._model.precision,
        )

    @torch.inference_mode()
    def score(self, requests: Sequence[Request]) -> list[Scores]:
        prompts = [self._model.prompter.render(request) for request in requests]
        asked = [tuple(prompt.tokens) for prompt in prompts]
        if self._model.settings.calibration == "none":
            logits, normalizer = self._answers(asked)
            answers = logits
        else:
            free = [self._content_free(request, prompt) for request, prompt in zip(requests, prompts, strict=True)]
            # next to each other, so that the two prompts of a request share its history
            logits, normalizer = self._answers([prompt for pair in zip(asked, free, strict=True) for prompt in pair])
            logits, normalizer, answers = logits[::2], normalizer[::2], logits[::2] - logits[1::2]
        found = [
            _scores(prompts[row], logits[row, :shown], answers[row, :shown], normalizer[row])
            for row, shown in enumerate(len(request.candidates) for request in requests)
        ]
        if self._mass is not None:
            self._mass.add([scores.diagnostics["label_mass"] for scores in found])
        return found

    def _content_free(self, request: Request, prompt: Prompt) -> tuple[int, ...]:
        """The prompt again, with candidates that say nothing: what is answered to it is liking for letters alone. They
        are shorter, but the history is the same one."""
        newest = request.query.history[-self._model.settings.history_items :][prompt.history_dropped :]
        blank = tuple(Document(document.id, CONTENT_FREE) for document in request.candidates)
        return tuple(self._model.prompter.render(Request(replace(request.query, history=newest), blank)).tokens)

    def _answers(self, prompts: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """The label logits of each prompt (prompts, 52) and its log normalizer (prompts,); equal prompts are read
        once."""
        distinct = {prompt: row for row, prompt in enumerate(dict.fromkeys(prompts))}
        hidden = self._model.last_hidden(list(distinct), share=True)
        rows = [distinct[prompt] for prompt in prompts]
        return self._model.label_logits(hidden)[rows], self._model.log_normalizer(hidden)[rows]


class _Mass:
    """The mean label mass of all that was scored, warned of once where it is low."""

    def __init__(self, model: str) -> None:
        self._model, self._sum, self._count, self._told = model, 0.0, 0, False

    def add(self, masses: Sequence[float]) -> None:
        self._sum, self._count = self._sum + sum(masses), self._count + len(masses)
        if self._count and not self._told and (mean := self._sum / self._count) < LOW_MASS:
            self._told = True
            logging.getLogger(__name__).warning(
                "model %r: the answer letters have %.2g of the probability (label mass, mean of %d): it is not "
                "answering with a letter, and its ranking means little",
                self._model,
                mean,
                self._count,
            )


def _scores(prompt: Prompt, logits: Tensor, answers: Tensor, normalizer: Tensor) -> Scores:
    """The softmax over `answers`, (candidates,). The label mass is that of the model's own `logits`."""
    probabilities = torch.softmax(answers, dim=0)
    diagnostics = {
        "label_mass": float(torch.exp(torch.logsumexp(logits, dim=0) - normalizer)),
        "uniform": float(len(answers) > 1 and float(probabilities.std(correction=0)) < UNIFORM),
        "truncated": prompt.cut,
        "history_dropped": float(prompt.history_dropped),
    }
    return Scores(tuple(probabilities.tolist()), diagnostics)
