"""The multiple-choice prompt, rendered by the tokenizer's own chat template and cut to its token budgets.

Training and scoring read the very same rendering, up to the position at which the letter is predicted: a template
that adds an empty think block (Qwen3) adds it to both.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from rr import Document, Query, Request, RerankError, ScoringError
from rr_letters.labels import LETTERS, encode, label_tokens, letter_range
from rr_letters.templates import Templates

MIN_TITLE_TOKENS = 4
MEND = "name another model, or put a chat_template.jinja that does into its folder"
THINKING = re.compile(r"[<\[][^<>\[\]\n]*(?:think|reason|thought)[^<>\[\]\n]*[>\]]", re.IGNORECASE)
"""<think>, [THINK], <|START_THINKING|>, <seed:think>, <reasoning>, and what closes them."""
CLOSING = re.compile(r"/|end", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in tokens, and in items for the history."""

    title_tokens: int
    history_items: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """`tokens`: what the model reads; the next one is the answer's letter. `cut`: the share of candidates that were
    shortened. `history_dropped`: how many history items did not fit, beyond those that `history_items` leaves out."""

    tokens: list[int]
    cut: float
    history_dropped: int


class Prompter:
    """Renders requests with one tokenizer."""

    def __init__(self, tokenizer: Any, budget: Budget, templates: Templates) -> None:
        self._tokenizer, self._budget, self._templates = tokenizer, budget, templates
        self._special = sorted({*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens})

    def render(self, request: Request) -> Prompt:
        """The prompt of a request with 1 to 52 candidates. Where it is too long the oldest history goes first, then
        the candidates are shortened alike; the question, the letters and the answer cue are never cut.

        Raises:
            ScoringError: there are no candidates, or more than letters.
            RerankError: it does not fit even so.
        """
        where, count = f"query {request.query.id!r}:", len(request.candidates)
        if not count:
            raise ScoringError(f"{where} there are no candidates to choose from")
        if count > len(LETTERS):
            mend = "rerank them in windows (rr.load(NAME).rerank does), or ask for fewer"
            raise ScoringError(f"{where} {count} candidates, and the letters are {len(LETTERS)}; {mend}")
        title_tokens, limit = self._budget.title_tokens, self._budget.max_tokens

        def shortened(documents: Sequence[Document]) -> list[tuple[str, bool]]:
            return [self._shorten(document.title or document.text, title_tokens) for document in documents]

        def rendered(items: int) -> list[int]:
            newest = history[len(history) - items :]
            return encode(self._tokenizer, self.text(request, newest, [text for text, _ in candidates]))

        history = [text for text, _ in shortened(request.query.history[-self._budget.history_items :])]
        candidates, kept = shortened(request.candidates), len(history)
        tokens = rendered(kept)
        if len(tokens) > limit and kept > 1:
            kept = max(bisect_right(range(1, kept), limit, key=lambda items: len(rendered(items))), 1)
            tokens = rendered(kept)
        while len(tokens) > limit:
            if title_tokens <= MIN_TITLE_TOKENS:
                raise RerankError(
                    f"{where} the prompt has {len(tokens)} tokens with every candidate cut to "
                    f"{title_tokens}, and max_tokens is {limit}; raise it or shorten the query"
                )
            title_tokens = max(title_tokens * 3 // 4, MIN_TITLE_TOKENS)
            candidates = shortened(request.candidates)
            tokens = rendered(kept)
        return Prompt(tokens, sum(was_cut for _, was_cut in candidates) / len(candidates), len(history) - kept)

    def text(self, request: Request, history: Sequence[str], candidates: Sequence[str]) -> str:
        """The rendered text, up to where the letter is to come."""
        content = self._content(request, history, candidates)
        return self._rendered([{"role": "user", "content": content}], answer=True)

    def check(self) -> None:
        """Looks at what the chat template makes of a long turn of the user's, with a history and without.

        Raises:
            RerankError: the template cannot render it, does not hold it whole and once, or has the model think first.
        """
        documents = tuple(
            Document(letter, f"Candidate {letter}, of the probe, {'and more ' * 8}") for letter in LETTERS
        )
        for history in ((), documents[:20]):
            request = Request(Query("probe", "Which of these rivers flows through two capitals?", history), documents)
            titles = [document.content for document in documents]
            content = self._content(request, titles[: len(history)], titles)
            try:
                rendered = self._rendered([{"role": "user", "content": content}], answer=True)
            except (TemplateError, ValueError, TypeError) as error:
                reason = " ".join(str(error).split())
                raise RerankError(f"the chat template cannot render a turn of the user's ({reason}); {MEND}") from error
            _, *behind = rendered.split(content.strip())
            if len(behind) != 1:
                how = "more than once" if behind else "not as it is"
                raise RerankError(f"the chat template holds the user's turn {how}; {MEND}")
            opened = THINKING.findall(behind[0])[-1:]
            if opened and not CLOSING.search(opened[0]):
                raise RerankError(
                    f"the chat template ends inside {opened[0]}, though enable_thinking is false: the model would "
                    f"think before it answers; {MEND}"
                )

    def _content(self, request: Request, history: Sequence[str], candidates: Sequence[str]) -> str:
        """The user's turn."""
        template = self._templates.next_item if request.query.history else self._templates.passage
        return template.format(
            question=self._plain(request.query.text),
            history="\n".join(f"- {title}" for title in history),
            candidates="\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, candidates, strict=False)),
            letters=letter_range(len(candidates)),
        )

    def letters(self) -> list[int]:
        """The token of each of the 52 letters where the answer is given (see `label_tokens`)."""
        probe = Request(Query("probe", "?"), (Document("0", "?"),))
        return label_tokens(self._tokenizer, self.text(probe, [], ["?"]))

    def end_of_turn(self) -> int:
        """The token that the chat template puts behind an answer. It need not be the tokenizer's end of text: that of
        Qwen's base models is another one.

        Raises:
            RerankError: the template puts none there, and the tokenizer has no end of text either.
        """
        answer = "answered"
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
        _, _, behind = self._rendered(turns, answer=False).rpartition(answer)
        tokens = encode(self._tokenizer, behind) or [self._tokenizer.eos_token_id]
        if tokens[0] is None:
            raise RerankError("the chat template does not end an answer, and the tokenizer has no end of text")
        return int(tokens[0])

    def _rendered(self, turns: list[dict[str, str]], answer: bool) -> str:
        """`answer`: up to where the assistant is to begin."""
        return str(
            self._tokenizer.apply_chat_template(
                turns,
                tokenize=False,
                add_generation_prompt=answer,
                enable_thinking=False,  # Qwen3 then adds its empty think block; other templates ignore it
            )
        )

    def _plain(self, text: str) -> str:
        """The text with every special token's spelling broken up, so that no document can end the user's turn."""
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _shorten(self, text: str, limit: int) -> tuple[str, bool]:
        """The text's first `limit` tokens on one line, and whether anything was cut."""
        line = " ".join(self._plain(text).split())
        offsets = self._tokenizer(line, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
            "offset_mapping"
        ]
        return (line[: offsets[limit - 1][1]], True) if len(offsets) > limit else (line, False)
