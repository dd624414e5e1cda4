"""Prompts for the pretraining: the tokens that `Prompter` renders, put together from pieces that are tokenised once,
and with letters and positions that it would not give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rr import Document, Query, Request
from rr_letters.labels import LETTERS, encode
from rr_letters.prompt import Prompter

FULL = 20
"""Lines of a full prompt."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A prompt: its tokens and their positions, and where what is asked starts and ends."""

    tokens: list[int]
    positions: list[int]
    start: int
    end: int


class Composer:
    def __init__(self, tokenizer: Any, prompter: Prompter) -> None:
        self._tokenizer, self._prompter = tokenizer, prompter
        self._pieces: dict[str, list[int]] = {}
        self._frames: dict[tuple[bool, int], tuple[str, str, str]] = {}

    def compose(self, query: Query, shown: Sequence[Document], slots: Sequence[int]) -> Composed:
        """The prompt whose line `i` has the letter of slot `slots[i]` of the full prompt, and stands about where that
        slot would, so that a few lines teach what many have."""
        few = len(shown) < FULL
        before, between, after = self._frame(bool(query.history), FULL if few else len(shown))
        lines = [self._piece(f"{LETTERS[slot]}. {_line(one)}\n") for slot, one in zip(slots, shown, strict=True)]
        tokens = list(self._piece(before))
        start, positions = len(tokens), list(range(len(tokens)))
        mean, place = sum(map(len, lines)) / len(lines), start
        for slot, line in zip(slots, lines, strict=True):
            place = max(place, start + int(slot * mean)) if few else place
            positions += range(place, place + len(line))
            tokens += line
            place += len(line)
        place = max(place, start + int(FULL * mean)) if few else place
        asked = "".join(f"- {_line(one)}\n" for one in query.history) or f" {query.text}\n"
        rest = [self._piece(between), self._piece(asked), self._piece(after)]
        begin = len(tokens) + len(rest[0])
        tokens += [token for piece in rest for token in piece]
        positions += range(place, place + len(tokens) - len(positions))
        return Composed(tokens, positions, begin, begin + len(rest[1]) - 1)

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
