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
    made: dict[str, list[int]] = {}
    for letter in LETTERS:
        tokens = encode(tokenizer, prompt + letter)
        made[letter] = tokens[len(before) :] if tokens[: len(before)] == before else tokens[-2:]
    unknown = tokenizer.unk_token_id
    ids = [tokens[0] for tokens in made.values() if len(tokens) == 1]
    wrong = [
        letter
        for letter, tokens in made.items()
        if len(tokens) != 1 or ids.count(tokens[0]) > 1 or tokens[0] == unknown
    ]
    if wrong:
        shown = ", ".join(f"{letter} → {tokenizer.convert_ids_to_tokens(made[letter])}" for letter in wrong)
        raise RerankError(
            f"{len(wrong)} of the 52 answer letters are not single, distinct tokens after the prompt: {shown}; "
            "use another model or chat template"
        )
    return ids


def encode(tokenizer: Any, rendered: str) -> list[int]:
    """Tokens of a rendered prompt: its special tokens are in the text already."""
    return list(tokenizer(rendered, add_special_tokens=False, verbose=False)["input_ids"])
