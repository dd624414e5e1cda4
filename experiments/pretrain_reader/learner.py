"""The embedded base while it is trained: its losses, and what it can do on worlds and wordings that it has not seen."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, log_softmax
from transformers import Qwen3ForCausalLM

from experiments.pretrain_reader.composer import FULL, Composed, Composer, Said
from experiments.pretrain_reader.start import start, word_vectors
from experiments.pretrain_reader.tiny import tiny_config, tiny_tokenizer, trainable, vocabulary
from experiments.pretrain_reader.worlds import Asked
from rr import Document
from rr_letters.labels import LETTERS
from rr_letters.prompt import Budget, Prompter
from rr_letters.templates import read_templates
from rr_torch.device import seeded

EVALUATED = ("nDCG@10", "accuracy", "label mass")
MASS = 0.2  # weight of the loss of answering with a letter at all


@dataclass(frozen=True, slots=True)
class Task:
    """A question with the candidates that are shown, their slots and what they are worth: shares that sum to 1."""

    asked: Asked
    shown: list[Document]
    slots: list[int]
    worth: list[float]
    said: Said | None = None


def draw(asked: Asked, lines: int, hard: float, generator: random.Random, said: Said | None = None) -> Task:
    """A task of so many lines. `hard`: the share of them that the first stage found; the others are of the corpus."""
    best = asked.best
    found = [(one, grade) for one, grade in zip(asked.candidates, asked.grades, strict=True) if one.id != best.id]
    rivals = generator.sample(found, min(lines - 1, len(found)))
    chosen = {best.id: (best, asked.highest)}
    for rival in rivals:
        one = rival if generator.random() < hard else (generator.choice(asked.corpus), 0)
        known = {document.id: grade for document, grade in found}
        chosen.setdefault(one[0].id, (one[0], known.get(one[0].id, one[1])))
    shown = list(chosen.values())
    generator.shuffle(shown)
    few = len(shown) < FULL
    slots = sorted(generator.sample(range(FULL), len(shown))) if few else list(range(len(shown)))
    worth = [float(grade**2) for _, grade in shown]
    return Task(asked, [one for one, _ in shown], slots, [value / sum(worth) for value in worth], said)


class Learner:
    """The model. The vectors of words are not trained: `special` are the rows of `rows`, which are."""

    def __init__(self, seed: int) -> None:
        self.tokenizer: Any = tiny_tokenizer()
        pieces = vocabulary()
        prompter = Prompter(self.tokenizer, Budget(64, 20, 2048), read_templates(layout="question-last"))
        self.composer = Composer(self.tokenizer, prompter)
        self.letters = torch.tensor(prompter.letters())[:FULL]
        with seeded(seed):
            self.model: Any = Qwen3ForCausalLM(tiny_config(len(pieces)))
            start(self.model, self.composer.tail())
            vectors = word_vectors(pieces)
        self.words = self.model.model.embed_tokens.weight.requires_grad_(False)
        self.words.copy_(vectors)
        self.rows = torch.tensor([pieces.index(piece) for piece in trainable()])
        self.special = torch.nn.Parameter(self.words[self.rows].clone())
        self._place = torch.full((len(pieces),), -1)
        self._place[self.rows] = torch.arange(len(self.rows))

    def parameters(self) -> list[torch.nn.Parameter]:
        return [self.special, *(p for p in self.model.parameters() if p.requires_grad)]

    @torch.no_grad()
    def settle(self) -> None:
        """Writes the trained rows into the model."""
        self.words[self.rows] = self.special

    def loss(self, tasks: Sequence[Task]) -> tuple[Tensor, dict[str, float]]:
        """What is minimised, and figures to report: `answer`, of the letter among those shown; `question`, of the mean
        of what the layer before the last knows at each word of the question; `mass`, of answering with a letter."""
        prompts = [self.composer.compose(task.asked.query, task.shown, task.slots, task.said) for task in tasks]
        last, before = self._states(prompts)
        worth, absent = torch.zeros(len(tasks), FULL), torch.ones(len(tasks), FULL, dtype=torch.bool)
        for row, task in enumerate(tasks):
            worth[row, task.slots] = torch.tensor(task.worth)
            absent[row, task.slots] = False
        letters = self._letters()
        logits = last @ letters.T
        shown = logits.masked_fill(absent, float("-inf"))
        answer = _cross_entropy(shown, worth)
        told = [(before[row, p.start : p.end] @ letters.T).mean(dim=0) for row, p in enumerate(prompts)]
        question = _cross_entropy(torch.stack(told).masked_fill(absent, float("-inf")), worth)
        others = torch.cat([last @ self.special.T, last @ self.words[self._place < 0].T], dim=1)
        mass = (others.logsumexp(dim=1) - shown.logsumexp(dim=1)).mean()
        right = worth.gather(1, shown.argmax(dim=1, keepdim=True)) == worth.max(dim=1, keepdim=True).values
        figures = {"answer": answer, "question": question, "mass": mass, "accuracy": right.float().mean()}
        return answer + question + MASS * mass, {name: value.item() for name, value in figures.items()}

    def _letters(self) -> Tensor:
        return self.special[self._place[self.letters]]

    def _states(self, prompts: Sequence[Composed]) -> tuple[Tensor, Tensor]:
        """The state at each prompt's end, and those of the layer before the last everywhere, normed alike."""
        longest = max(len(prompt.tokens) for prompt in prompts)
        ids = torch.full((len(prompts), longest), self.tokenizer.pad_token_id)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt.tokens)] = torch.tensor(prompt.tokens)
        place = self._place[ids]
        vectors = torch.where(
            (place < 0)[..., None], embedding(ids, self.words), embedding(place.clamp(0), self.special)
        )
        # padding stands to the right, where a causal model cannot see it
        output = self.model.model(inputs_embeds=vectors, use_cache=False, output_hidden_states=True)
        ends = torch.tensor([len(prompt.tokens) - 1 for prompt in prompts])
        return output.last_hidden_state[torch.arange(len(prompts)), ends], self.model.model.norm(
            output.hidden_states[-2]
        )

    @torch.no_grad()
    def evaluate(self, questions: Sequence[Asked], batch: int = 8) -> dict[str, float]:
        """Means over questions as the bench asks them, in one order."""
        sums = dict.fromkeys(EVALUATED, 0.0)
        answerable = [asked for asked in questions if asked.candidates]
        for begin in range(0, len(answerable), batch):
            part = answerable[begin : begin + batch]
            prompts = [self.composer.compose(a.query, a.candidates, range(len(a.candidates))) for a in part]
            last, _ = self._states(prompts)
            logits = last @ self._letters().T
            whole = torch.cat([last @ self.special.T, last @ self.words[self._place < 0].T], dim=1).logsumexp(dim=1)
            for row, asked in enumerate(part):
                own = logits[row, : len(asked.candidates)]
                order = own.argsort(descending=True).tolist()
                gains = [asked.grades[one] / math.log2(rank + 2) for rank, one in enumerate(order[:10])]
                best = [grade / math.log2(rank + 2) for rank, grade in enumerate(asked.ideal[:10])]
                sums["nDCG@10"] += sum(gains) / sum(best)
                sums["accuracy"] += asked.grades[order[0]] == asked.highest
                sums["label mass"] += float((own.logsumexp(dim=0) - whole[row]).exp())
        return {name: value / len(questions) for name, value in sums.items()}


def _cross_entropy(logits: Tensor, worth: Tensor) -> Tensor:
    return -(worth * log_softmax(logits, dim=1).masked_fill(worth == 0, 0.0)).sum(dim=1).mean()


assert len(LETTERS) >= FULL
