"""Which texts an encoder cuts, against its tokenizer's own counts, and the diagnostic that says so."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from rr import Document, Query, Request
from rr_baselines.bi_encoder import BiEncoderScorer
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings
from rr_torch.encoding import FrozenEncoder
from rr_torch.settings import EncoderSettings
from tests.plugins.test_encoding import WORDS

LIMIT = 32


def counts(folder: Path, texts: Sequence[str], prompt: str = "") -> list[int]:
    """Tokens of each text, those around it included."""
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return [len(tokenizer(prompt + text)["input_ids"]) for text in texts]


def texts() -> list[str]:
    """Short ones, all lengths around the limit, and Vietnamese ones, whose bytes are many and whose tokens are few."""
    generator = random.Random(4)
    around = [" ".join(["the"] * words) for words in range(LIMIT - 6, LIMIT + 6)]
    vietnamese = [" ".join(["phòng"] * words) for words in (1, 5, 8, 9, 10, 11, 12, 30)]
    drawn = [" ".join(generator.choices(WORDS, k=k)) for k in range(1, 40)]
    forms = [unicodedata.normalize(form, "gác lửng yên tĩnh " * 4) for form in ("NFC", "NFD")]
    odd = ["", " ", "\n" * 200, "a" * 500, "!" * LIMIT, "\U0001f600" * 12, "x\u2028y", "." * (LIMIT - 2)]
    return [*around, *vietnamese, *drawn, *forms, *odd]


@pytest.fixture
def encoder(sentence_encoder: Path) -> FrozenEncoder:
    return FrozenEncoder(EncoderSettings(model=str(sentence_encoder), max_seq_length=LIMIT))


def test_texts_are_too_long_that_have_more_tokens_than_the_limit(
    encoder: FrozenEncoder, bert: Callable[..., Path]
) -> None:
    wanted = texts()
    expected = [count > LIMIT for count in counts(bert(None), wanted)]
    assert encoder.too_long(wanted) == expected
    assert {LIMIT, LIMIT + 1} <= set(counts(bert(None), wanted))  # just at the limit, and just above
    assert any(expected)
    assert not all(expected)
    assert encoder.too_long([]) == []
    assert [encoder.too_long([text])[0] for text in wanted] == expected


@pytest.mark.parametrize("limit", [1, 3, 8, 64, 128, 512])
def test_whatever_the_limit(sentence_encoder: Path, bert: Callable[..., Path], limit: int) -> None:
    encoder = FrozenEncoder(EncoderSettings(model=str(sentence_encoder), max_seq_length=limit))
    wanted = [*texts(), "the " * 600]
    assert encoder.too_long(wanted) == [count > limit for count in counts(bert(None), wanted)]


def test_a_prompt_is_part_of_what_is_read(sentence_encoder: Path, bert: Callable[..., Path]) -> None:
    prompts = {"query": "tìm: ", "document": "the document of a guide: "}
    encoder = FrozenEncoder(
        EncoderSettings(
            model=str(sentence_encoder),
            max_seq_length=LIMIT,
            query_prompt=prompts["query"],
            document_prompt=prompts["document"],
        )
    )
    wanted, found = texts(), {}
    for role in ("query", "document"):
        found[role] = encoder.too_long(wanted, role)  # type: ignore[arg-type]
        assert found[role] == [count > LIMIT for count in counts(bert(None), wanted, prompts[role])]
    assert found["query"] != found["document"]


def test_a_text_that_is_cut_reads_as_what_is_left_of_it(encoder: FrozenEncoder) -> None:
    """What the flag means: more of the same text changes nothing, and of one that is not cut it does."""
    wanted = [" ".join(["the"] * words) for words in (LIMIT - 3, LIMIT - 2, LIMIT - 1, LIMIT + 5)]
    longer = [f"{text} falcon" for text in wanted]
    apart = (encoder(wanted) - encoder(longer)).abs().amax(dim=1)
    assert [bool(value < 1e-6) for value in apart] == [False, True, True, True]
    assert encoder.too_long(longer) == [False, True, True, True]


def test_scores_tell_the_share_of_a_querys_documents_that_were_cut(sentence_encoder: Path) -> None:
    long, short = "căn hộ gần chợ " * 20, "phòng rẻ"
    contents = {"none": [short, ""], "all": [long, long + "!"], "some": [short, long, short, "", short], "one": [long]}
    requests = [
        Request(Query(name, "the " * 90), tuple(Document(f"d{n}", text) for n, text in enumerate(found)))
        for name, found in contents.items()
    ]
    encoders = EncoderSettings(model=str(sentence_encoder), max_seq_length=LIMIT)
    head = HeadSettings(model=str(sentence_encoder), max_seq_length=LIMIT, dimensions=8)
    for scorer in (BiEncoderScorer(encoders), HeadScorer(head)):
        told = [scores.diagnostics["truncated"] for scores in scorer.score(requests)]
        assert told == [0.0, 1.0, pytest.approx(0.2), 1.0]  # a query that is cut counts for none


def test_a_title_counts_as_its_documents_text(sentence_encoder: Path) -> None:
    request = Request(Query("q", "?"), (Document("d", "the", "offer " * 60), Document("e", "the", "offer")))
    (scores,) = BiEncoderScorer(EncoderSettings(model=str(sentence_encoder), max_seq_length=LIMIT)).score([request])
    assert scores.diagnostics == {"truncated": 0.5}
