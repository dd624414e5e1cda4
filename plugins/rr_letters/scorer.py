"""The letter verbalizer as a Scorer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from rr import ModelInfo, Request, Scores
from rr.modeling.batching import token_batches
from rr.modeling.device import parameter_counts
from rr.types import State
from rr_letters.base import TINY
from rr_letters.labels import LETTERS
from rr_letters.model import LetterModel, LetterSettings

UNIFORM = 0.01


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

    @classmethod
    def of(cls, model: LetterModel) -> LetterScorer:
        """A scorer around a model that is being trained."""
        scorer = cls.__new__(cls)
        scorer._model, scorer._trained = model, True
        return scorer

    @property
    def info(self) -> ModelInfo:
        random_base = self._model.settings.model == TINY
        state: State = "trained" if self._trained else "untrained" if random_base else "pretrained"
        counts = [(p.numel(), "lora_" in name) for name, p in self._model.model.named_parameters()]
        return ModelInfo(
            "probability",
            listwise=True,
            max_candidates=len(LETTERS),
            state=state,
            parameters=parameter_counts(self._model.model)[0],
            trainable=sum(size for size, lora in counts if lora),
            notes=("untrained base",) if random_base else (),
        )

    @torch.inference_mode()
    def score(self, requests: Sequence[Request]) -> list[Scores]:
        prompts = [self._model.prompter.render(request) for request in requests]
        answers: dict[int, Scores] = {}
        for batch in token_batches([len(p.tokens) for p in prompts], self._model.settings.token_budget):
            logits = self._model.vocabulary_logits(self._model.last_hidden([prompts[i].tokens for i in batch]))
            everything = torch.logsumexp(logits, dim=1)
            for row, index in enumerate(batch):
                letters = logits[row, self._model.labels[: len(requests[index].candidates)]]
                probabilities = torch.softmax(letters, dim=0)
                diagnostics = {
                    "label_mass": float(torch.exp(torch.logsumexp(letters, dim=0) - everything[row])),
                    "uniform": float(len(letters) > 1 and float(probabilities.std(correction=0)) < UNIFORM),
                    "truncated": prompts[index].cut,
                    "history_dropped": float(prompts[index].history_dropped),
                }
                answers[index] = Scores(tuple(probabilities.tolist()), diagnostics)
        return [answers[index] for index in range(len(requests))]
