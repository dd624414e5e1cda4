"""The letters and their tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from rr import RerankError
from rr_letters.labels import LETTERS, encode, label_tokens, letter_range
from rr_letters.prompt import Budget, Prompter
from rr_letters.templates import read_templates
from tests.plugins.conftest import QWEN3_CHATML, byte_level_tokenizer
from tests.plugins.letters.helpers import TURN_END, passages


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "A"),
        (2, "A-B"),
        (3, "A-C"),
        (26, "A-Z"),
        (27, "A-Z, a"),
        (28, "A-Z, a-b"),
        (50, "A-Z, a-x"),
        (52, "A-Z, a-z"),
    ],
)
def test_the_range_of_letters_is_spelled_out(count: int, text: str) -> None:
    assert letter_range(count) == text


def bpe(alphabet: str, merges: list[tuple[str, str]], **options: Any) -> PreTrainedTokenizerFast:
    """A BPE whose tokens are single characters and the given merges, over text that is not cut into words."""
    pieces = [*dict.fromkeys(alphabet), *(left + right for left, right in merges)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token=options.pop("unknown", None)))
    for name, value in options.items():
        setattr(tokenizer, name, value)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=tokenizer.model.unk_token)


def test_letters_that_are_tokens_of_their_own() -> None:
    tokenizer = byte_level_tokenizer(QWEN3_CHATML)
    assert label_tokens(tokenizer, "Answer:" + TURN_END) == tokenizer.convert_tokens_to_ids(list(LETTERS))


def test_a_letter_that_merges_with_what_stands_before_it_is_an_error() -> None:
    tokenizer = bpe(LETTERS + ":\n", [("\n", "A"), ("\n", "q")])
    assert len(encode(tokenizer, "A")) == 1, "out of context nothing is wrong"
    with pytest.raises(RerankError, match=r"2 of the 52 answer letters .*") as error:
        label_tokens(tokenizer, "Answer:\n")
    assert r"A → [':', '\nA'], q → [':', '\nq']; use another model" in str(error.value)
    label_tokens(tokenizer, "Answer:")


def test_a_letter_that_needs_two_tokens_is_an_error() -> None:
    byte_pair = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate([*LETTERS[1:], ":", "<0x41>"])}, merges=[]))
    byte_pair.normalizer = normalizers.Replace("A", "BC")
    with pytest.raises(RerankError, match=r"1 of the 52 answer letters .*: A → \['B', 'C'\];"):
        label_tokens(PreTrainedTokenizerFast(tokenizer_object=byte_pair), "B:")


def test_letters_that_the_tokenizer_does_not_know_are_an_error() -> None:
    known = bpe("<" + LETTERS.replace("X", "").replace("y", "") + ":", [], unknown="<")
    with pytest.raises(RerankError, match=r"2 of the 52 answer letters .*: X → \['<'\], y → \['<'\];"):
        label_tokens(known, "Answer:")
    alone = bpe("<" + LETTERS.replace("X", "") + ":", [], unknown="<")
    with pytest.raises(RerankError, match=r"1 of the 52 answer letters .*: X → \['<'\];"):
        label_tokens(alone, "Answer:")
    dropped = bpe(LETTERS.replace("X", "") + ":", [])
    with pytest.raises(RerankError, match=r"1 of the 52 answer letters .*: X → \[\];"):
        label_tokens(dropped, "Answer:")


def test_letters_that_share_a_token_are_an_error() -> None:
    tokenizer = bpe("abcdefghijklmnopqrstuvwxyz:", [], normalizer=normalizers.Lowercase())
    with pytest.raises(RerankError, match=r"52 of the 52 answer letters .*A → \['a'\].* z → \['z'\];"):
        label_tokens(tokenizer, "Answer:")


def test_the_token_in_context_is_taken_not_the_bare_one() -> None:
    """As in SentencePiece, where a bare `A` is `▁A`."""
    marks = [("▁", letter) for letter in LETTERS]
    tokenizer = bpe(
        LETTERS + "▁:",
        marks,
        pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
        decoder=decoders.Metaspace(),
    )
    assert encode(tokenizer, "A") == tokenizer.convert_tokens_to_ids(["▁A"])
    assert label_tokens(tokenizer, "Answer:") == tokenizer.convert_tokens_to_ids(list(LETTERS))
    assert label_tokens(tokenizer, "Answer: x") == tokenizer.convert_tokens_to_ids(list(LETTERS))


@pytest.mark.real
@pytest.mark.parametrize("template", ["its own", "Qwen3's"])
def test_the_real_qwen_vocabulary_has_52_distinct_letters(qwen_vocabulary: Path, template: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(qwen_vocabulary)
    assert tokenizer("Hello world")["input_ids"] == [9707, 1879]
    if template == "Qwen3's":
        tokenizer.chat_template = QWEN3_CHATML
    request = passages("where?", ["here", "there"])
    rendered = Prompter(tokenizer, Budget(32, 20, 1536), read_templates()).text(request, [], ["here", "there"])
    assert rendered.endswith(TURN_END if template == "Qwen3's" else "<|im_end|>\n<|im_start|>assistant\n")
    ids = label_tokens(tokenizer, rendered)
    assert len(set(ids)) == 52
    assert ids == [*range(32, 58), *range(64, 90)]  # A-Z and a-z, as PROVENANCE.txt has them
