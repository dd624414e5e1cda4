"""Prompts for the pretraining: the tokens that `Prompter` renders, put together from pieces that are tokenised once,
and with letters that it would not give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.pretrain_reader.neighbours import Rewording
from rr import Document, Query, Request
from rr_letters.labels import LETTERS, encode
from rr_letters.prompt import Prompter

FULL = 20
"""Lines of a full prompt."""
Said = tuple[Rewording, Rewording]
"""How the candidates are said, and how what is asked is."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A prompt: its tokens, and where what is asked starts and ends."""

    tokens: list[int]
    start: int
    end: int


class Composer:
    def __init__(self, tokenizer: Any, prompter: Prompter) -> None:
        self._tokenizer, self._prompter = tokenizer, prompter
        self._pieces: dict[str, list[int]] = {}
        self._frames: dict[tuple[bool, int], tuple[str, str, str]] = {}

    def compose(
        self, query: Query, shown: Sequence[Document], slots: Sequence[int], said: Said | None = None
    ) -> Composed:
        """The prompt whose line `i` has the letter of slot `slots[i]` of a full one, so that all letters are met."""
        whole = list(slots) == list(range(len(shown)))
        before, between, after = self._frame(bool(query.history), len(shown) if whole else FULL)
        lines = [f"{LETTERS[slot]}. {_line(one)}\n" for slot, one in zip(slots, shown, strict=True)]
        candidates = [token for line in lines for token in self._piece(line)]
        question = self._piece("".join(f"- {_line(one)}\n" for one in query.history) or f" {query.text}\n")
        if said is not None:
            candidates, question = [said[0][one] for one in candidates], [said[1][one] for one in question]
        tokens = [*self._piece(before), *candidates, *self._piece(between)]
        start = len(tokens)
        return Composed([*tokens, *question, *self._piece(after)], start, start + len(question) - 1)

    def tail(self) -> int:
        """Tokens behind the question."""
        return len(self._piece(self._frame(False, FULL)[2]))

    def check(self, query: Query, shown: Sequence[Document]) -> None:
        """Asserts that the pieces make the very tokens that the prompter makes."""
        rendered = self._prompter.render(Request(query, tuple(shown))).tokens
        assert self.compose(query, shown, range(len(shown))).tokens == rendered

    def _piece(self, text: str) -> list[int]:
        if text not in self._pieces:
            self._pieces[text] = encode(self._tokenizer, text)
        return self._pieces[text]

    def _frame(self, history: bool, count: int) -> tuple[str, str, str]:
        """What stands before the candidates, between them and what is asked, and behind it."""
        if (history, count) not in self._frames:
            mark = Document("", "", "?")
            marks = tuple(Document(str(number), "", "?") for number in range(count))
            request = Request(Query("u", "!", (mark,) if history else ()), marks)
            text = self._prompter.text(request, ["?"] * history, ["?"] * count)
            before, rest = text.split("A. ?\n")
            between, after = rest.split(f"{LETTERS[count - 1]}. ?\n")[1].split("- ?\n" if history else " !\n")
            self._frames[history, count] = (before, between, after)
        return self._frames[history, count]


def _line(document: Document) -> str:
    return " ".join((document.title or document.text).split())
