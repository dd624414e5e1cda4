"""The prompt of Qwen3-Reranker, token by token as its model card has it (github.com/QwenLM/Qwen3-Embedding).

What stands before and behind the user's turn is tokenized on its own, so that nothing in a document can change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rr import RerankError

START, END = "<|im_start|>", "<|im_end|>"
SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
PREFIX = f"{START}system\n{SYSTEM}{END}\n{START}user\n"
SUFFIX = f"{END}\n{START}assistant\n<think>\n\n</think>\n\n"
ANSWERS = ("no", "yes")
MIN_DOCUMENT_TOKENS = 8


class Prompter:
    """`answers`: the tokens of no and yes, as the tokenizer makes them where the answer stands."""

    def __init__(self, tokenizer: Any, instruction: str, max_length: int) -> None:
        """
        Raises:
            RerankError: the tokenizer is none of a Qwen chat model, or an answer is not one token.
        """
        self._tokenizer, self._max_length = tokenizer, max_length
        special = {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens}
        self._special = sorted(special - set(ANSWERS))
        self._instruction = self._plain(instruction)
        for token in (START, END):
            if len(self._tokens(token)) != 1:
                raise RerankError(f"its tokenizer has no token {token}; name a Qwen3-Reranker, or a model made of one")
        self._prefix, self._suffix = self._tokens(PREFIX), self._tokens(SUFFIX)
        self.answers = [self._answer(word) for word in ANSWERS]
        if self.answers[0] == self.answers[1]:
            raise RerankError("its tokenizer makes one and the same token of 'no' and 'yes'; use another model")

    def prompts(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[list[int]], list[bool]]:
        """The token ids of each (query, document) pair's prompt, and whether its document was cut.

        Raises:
            RerankError: a query leaves no room for a document.
        """
        room = self._max_length - len(self._prefix) - len(self._suffix)
        prompts, cut = [], []
        for query, document in pairs:
            head = f"<Instruct>: {self._instruction}\n<Query>: {self._plain(query)}\n<Document>:"
            body = self._tokens(f"{head} {self._plain(document)}")
            if len(body) > room:
                left = room - len(self._tokens(head))
                if left < MIN_DOCUMENT_TOKENS:
                    raise RerankError(
                        f"the query {query[:40]!r}… leaves {max(left, 0)} of max_length {self._max_length} tokens to "
                        "the document; raise max_length or shorten the query or the instruction"
                    )
            prompts.append([*self._prefix, *body[:room], *self._suffix])
            cut.append(len(body) > room)
        return prompts, cut

    def _answer(self, word: str) -> int:
        found = self._tokens(SUFFIX + word)
        if found[:-1] != self._suffix or found[-1] == self._tokenizer.unk_token_id:
            made = self._tokenizer.convert_ids_to_tokens(self._tokens(word))
            raise RerankError(f"the answer {word!r} is not a single token behind the prompt, but {made}; use another")
        return found[-1]

    def _tokens(self, text: str) -> list[int]:
        # padding and truncation are given at every call: a tokenizer file may carry fixed ones
        rows = self._tokenizer(text, add_special_tokens=False, padding=False, truncation=False, verbose=False)
        return list(rows["input_ids"])

    def _plain(self, text: str) -> str:
        """The text with every special token's spelling broken up, so that no document can end the user's turn."""
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text
