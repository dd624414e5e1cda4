"""The answer letters, and the tokens that stand for them where the answer is given."""

from __future__ import annotations

import string
from typing import Any

from rr import RerankError

LETTERS = string.ascii_uppercase + string.ascii_lowercase
"""At most 52 candidates fit into one prompt."""


def letter_range(count: int) -> str:
    """`A-C`, or `A-Z, a-x` beyond 26."""
    last = LETTERS[count - 1]
    if count == 1:
        return "A"
    return f"A-{last}" if count <= 26 else "A-Z, a" + (f"-{last}" if count > 27 else "")


def label_tokens(tokenizer: Any, prompt: str) -> list[int]:
    """The token of each of the 52 letters as the tokenizer makes it right after `prompt`, a rendered one: `A` and
    `▁A` are different tokens, and only the one that can follow the prompt carries the answer's probability.

    Raises:
        RerankError: a letter does not become exactly one token there, or two letters share one. All such letters are
            named, with what the tokenizer made of them.
    """
    before = encode(tokenizer, prompt)
    made = {letter: encode(tokenizer, prompt + letter) for letter in LETTERS}
    ids = [tokens[-1] for tokens in made.values() if tokens[:-1] == before]
    wrong = [
        letter
        for letter, tokens in made.items()
        if tokens[:-1] != before or tokens[-1] == tokenizer.unk_token_id or ids.count(tokens[-1]) > 1
    ]
    if wrong:
        # where the letter changed the tokens before it, the last two show what it merged with
        after = {k: made[k][len(before) :] if made[k][: len(before)] == before else made[k][-2:] for k in wrong}
        shown = ", ".join(f"{letter} → {tokenizer.convert_ids_to_tokens(after[letter])}" for letter in wrong)
        raise RerankError(
            f"{len(wrong)} of the 52 answer letters are not single, distinct tokens after the prompt: {shown}; "
            "use another model or chat template"
        )
    return ids


def encode(tokenizer: Any, rendered: str) -> list[int]:
    """Tokens of a rendered prompt: its special tokens are in the text already."""
    return list(tokenizer(rendered, add_special_tokens=False, verbose=False)["input_ids"])
