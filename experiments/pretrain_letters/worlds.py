"""Invented film worlds to pretrain the embedded base on: which film belongs with those in the history?

A world's titles come from the films generator under the world's own seed, never that of the bench's data set. What it
teaches is which nouns belong to one theme, and to answer with a letter. A history holds films of a few themes that
chance puts together, in random order, so that neither the circles of themes nor their order can be learned here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from rr import Document, Query, Request
from rr_data.generators.films import THEMES, Films, Options
from rr_letters.labels import LETTERS, encode
from rr_letters.prompt import Prompter

BENCH_SEED = Options.model_validate({}).seed
THEME_OF = {noun: number for number, line in enumerate(THEMES.strip().splitlines()) for noun in line.title().split()}


@dataclass(frozen=True, slots=True)
class Task:
    """A multiple choice: the index of the answer among the candidates."""

    history: list[Document]
    candidates: list[Document]
    answer: int

    def request(self) -> Request:
        return Request(Query("u", "", tuple(self.history)), tuple(self.candidates))


@dataclass(frozen=True, slots=True)
class Composed:
    """A task's prompt: its tokens, where its history starts and ends, and where each candidate's line ends."""

    tokens: list[int]
    start: int
    end: int
    line_ends: list[int]


def world(seed: int) -> list[list[Document]]:
    """The films of each theme."""
    assert seed != BENCH_SEED, "this world is the bench's"
    themes: list[list[Document]] = [[] for _ in THEMES.strip().splitlines()]
    for film in Films(Options.model_validate({"seed": seed, "users": 1})).read().documents.values():
        themes[THEME_OF[film.title.split()[-1]]].append(film)
    return themes


def draw(
    themes: list[list[Document]], candidates: int, length: int, repeats: float, rivals: int, generator: random.Random
) -> Task:
    """A choice among `candidates` films after `length` films of one to three themes. The answer is of these themes:
    with chance `repeats` a film of the history, else another. So are up to `rivals` other candidates, none of which
    the history speaks less for: what they teach is not to be sure."""
    chosen = generator.sample(range(len(themes)), generator.randint(1, 3))
    taste = [film for number in chosen for film in themes[number]]
    history = generator.sample(taste, min(length, len(taste) - 1))
    known = [number for number in chosen if any(film in history for film in themes[number])]
    fresh = [film for number in known for film in themes[number] if film not in history]
    target = generator.choice(history if not fresh or generator.random() < repeats else fresh)
    like_it = [film for film in fresh if film is not target]
    shown = generator.sample(like_it, min(generator.randint(0, rivals), len(like_it)))
    others = [film for number, theme in enumerate(themes) if number not in chosen for film in theme]
    shown += generator.sample(others, candidates - 1 - len(shown))
    generator.shuffle(shown)
    answer = generator.randrange(candidates)
    return Task(history, [*shown[:answer], target, *shown[answer:]], answer)


class Composer:
    """A task's tokens just as `Prompter` renders them, but put together from pieces that are tokenised once."""

    def __init__(self, tokenizer: Any, prompter: Prompter) -> None:
        self._tokenizer, self._prompter = tokenizer, prompter
        (self.line_end,) = encode(tokenizer, "\n")
        self._pieces: dict[str, list[int]] = {}
        self._frames: dict[int, tuple[list[int], list[int], list[int]]] = {}

    def compose(self, task: Task) -> Composed:
        before, between, after = self._frame(len(task.candidates))
        tokens = list(before)
        for film in task.history:
            tokens += self._piece(f"- {film.title}\n")
        end = len(tokens)
        tokens += between
        line_ends = []
        for letter, film in zip(LETTERS, task.candidates, strict=False):
            tokens += self._piece(f"{letter}.") + self._piece(f" {film.title}\n")
            line_ends.append(len(tokens) - 1)
        return Composed(tokens + after, len(before), end, line_ends)

    def check(self, task: Task) -> None:
        """Asserts that the pieces make the very tokens that the prompter makes."""
        assert self.compose(task).tokens == self._prompter.render(task.request()).tokens

    def _piece(self, text: str) -> list[int]:
        if text not in self._pieces:
            self._pieces[text] = encode(self._tokenizer, text)
        return self._pieces[text]

    def _frame(self, count: int) -> tuple[list[int], list[int], list[int]]:
        """What stands before the history, between it and the candidates, and after them."""
        if count not in self._frames:
            mark = Document("", "", "?")
            text = self._prompter.text(Request(Query("u", "", (mark,)), (mark,)), ["?"], ["?"] * count)
            before, rest = text.split("- ?\n")
            between, rest = rest.split("A. ?\n")
            after = rest.split(f"{LETTERS[count - 1]}. ?\n")[1]
            self._frames[count] = (self._piece(before), self._piece(between), self._piece(after))
        return self._frames[count]
