"""The embedded base while it is trained: its losses on tasks, and what it can do on worlds it has not seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import Qwen3ForCausalLM

from experiments.pretrain_letters.tiny import tiny_config, tiny_tokenizer
from experiments.pretrain_letters.worlds import Composed, Composer, Task, draw, world
from rr_letters.prompt import Budget, Prompter
from rr_letters.templates import read_templates
from rr_torch.device import seeded

BATCH = 32
EVALUATED = ("accuracy", "nDCG@10", "label mass")


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the curriculum. Without candidates: lists of titles. `history` is its shortest and longest. `rivals`:
    so many candidates, at the most, belong with the history as the answer does."""

    steps: int
    candidates: int
    history: tuple[int, int]
    repeats: float
    rivals: int = 0


class Learner:
    """The model, with the head that only the training uses."""

    def __init__(self, seed: int) -> None:
        self.tokenizer: Any = tiny_tokenizer()
        prompter = Prompter(self.tokenizer, Budget(32, 20, 1536), read_templates())
        self.composer = Composer(self.tokenizer, prompter)
        self.labels = torch.tensor(prompter.letters())
        with seeded(seed):
            self.model: Any = Qwen3ForCausalLM(tiny_config())
            self.belongs = torch.nn.Linear(tiny_config().hidden_size, 1, bias=False)

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self.model.parameters(), *self.belongs.parameters()]

    def loss(self, stage: Stage, tasks: Sequence[Task]) -> tuple[Tensor, dict[str, float]]:
        """What is minimised, and figures to report."""
        prompts = [self.composer.compose(task) for task in tasks]
        if not stage.candidates:
            prompts = [Composed(p.tokens[p.start : p.end], 0, p.end - p.start, []) for p in prompts]
        ids = self._padded(prompts)
        output = self.model.model(input_ids=ids, use_cache=False, output_hidden_states=True)
        rows = torch.arange(len(ids))
        titles = self._title_loss(prompts, ids, output.last_hidden_state)
        if not stage.candidates:
            return titles, {"titles": titles.item()}
        answers = torch.tensor([task.answer for task in tasks])
        logits = self._vocabulary(output.last_hidden_state[rows, [len(p.tokens) - 1 for p in prompts]])
        answer = cross_entropy(logits, self.labels[answers])
        ends = torch.tensor([prompt.line_ends for prompt in prompts])
        lines = self.model.model.norm(output.hidden_states[-2][rows[:, None], ends])
        belongs = cross_entropy(self.belongs(lines)[:, :, 0], answers)
        shown = self.labels[: stage.candidates]
        letters = cross_entropy(self._vocabulary(lines).flatten(0, 1), shown.repeat(len(ids)))
        right = (logits[:, shown].argmax(dim=1) == answers).float().mean()
        figures = {"titles": titles, "belongs": belongs, "letters": letters, "answer": answer, "accuracy": right}
        return titles + belongs + letters + answer, {name: value.item() for name, value in figures.items()}

    def _title_loss(self, prompts: Sequence[Composed], ids: Tensor, hidden: Tensor) -> Tensor:
        """Of each noun of a history, the token before the line's end, given what stands before it."""
        line_end = self.composer.line_end
        nouns = [(r, i - 1) for r, p in enumerate(prompts) for i in range(p.start, p.end) if p.tokens[i] == line_end]
        rows, places = torch.tensor(nouns).T
        return cross_entropy(self._vocabulary(hidden[rows, places - 1]), ids[rows, places])

    def _vocabulary(self, hidden: Tensor) -> Tensor:
        return self.model.lm_head(hidden)  # type: ignore[no-any-return]

    def _padded(self, prompts: Sequence[Composed]) -> Tensor:
        """Padding stands to the right, where a causal model cannot see it."""
        rows = [torch.tensor(prompt.tokens) for prompt in prompts]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id)

    @torch.inference_mode()
    def evaluate(self, stage: Stage, worlds: Sequence[int], generator: random.Random) -> dict[str, float]:
        """Means over prompts without repeats and rivals."""
        sums = dict.fromkeys(EVALUATED, 0.0)
        for seed in worlds:
            tasks = sample(replace(stage, repeats=0.0, rivals=0), seed, generator)
            prompts = [self.composer.compose(task) for task in tasks]
            hidden = self.model.model(input_ids=self._padded(prompts), use_cache=False).last_hidden_state
            logits = self._vocabulary(hidden[torch.arange(len(tasks)), [len(p.tokens) - 1 for p in prompts]])
            letters = torch.softmax(logits, dim=1)[:, self.labels[: stage.candidates]]
            truth = letters.gather(1, torch.tensor([task.answer for task in tasks])[:, None])
            rank = (letters > truth).sum(dim=1) + 1
            sums["accuracy"] += float((rank == 1).float().mean())
            sums["nDCG@10"] += float(torch.where(rank <= 10, 1 / torch.log2(rank + 1.0), 0.0).mean())
            sums["label mass"] += float(letters.sum(dim=1).mean())
        return {name: value / len(worlds) for name, value in sums.items()}


def sample(stage: Stage, seed: int, generator: random.Random) -> list[Task]:
    """A batch from one world, with histories of one length, so that there is little padding."""
    themes, length = world(seed), generator.randint(*stage.history)
    size = max(stage.candidates, 2)
    return [draw(themes, size, length, stage.repeats, stage.rivals, generator) for _ in range(BATCH)]
