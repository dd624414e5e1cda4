"""Whatever a text may be: long, empty, of another script, damaged. Each is asked as a document beside an ordinary one,
and as the query."""

from __future__ import annotations

from collections.abc import Sequence

from rr.errors import RerankError
from rr_bench.testing.asking import answers
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.examples import about
from rr_bench.testing.subject import Subject

PLAIN = "A red bicycle for sale in Hanoi."
HUGE = 1024 * 1024
"""Characters of the longest text that is asked."""


@check_of("scorer")
def check_empty_text(subject: Subject) -> None:
    """A document, or a query, of no characters is scored, as low as it may be."""
    _answered(subject, "a text of no characters is scored", [""])


@check_of("scorer")
def check_blank_text(subject: Subject) -> None:
    """So is one of blanks: spaces, tabs, line ends."""
    _answered(subject, "a text of blanks is scored", [" ", "\t\n"])


@check_of("scorer")
def check_duplicate_texts(subject: Subject) -> None:
    """Documents of one text under several ids are each scored: a data set has such."""
    rule = "equal texts under several ids have a score each"
    count = min(4, subject.fits)
    answers(subject, [about([PLAIN] * count)], rule, f"{count} candidates with the text {PLAIN!r}")


@check_of("scorer")
def check_long_text(subject: Subject) -> None:
    """A document of 20,000 words, and one word of 20,000 letters, are scored. A query as long is scored, or refused by
    an `rr.RerankError` that says so: it must not be cut in silence."""
    long = {"20,000 words": "one more word " * 6_667, "a word of 20,000 letters": "x" * 20_000}
    for what, text in long.items():
        rule = f"a document of {what} is scored"
        _as_document(subject, rule, text, f"{PLAIN!r} beside a document of {what}")
        _as_query(subject, f"a query of {what} is scored, or refused by an rr.RerankError", text, what, refuses=True)


@check_of("scorer")
def check_huge_text(subject: Subject) -> None:
    """A document of 1 MiB is scored: someone's data set has one."""
    text = f"{PLAIN} " * (HUGE // (len(PLAIN) + 1))
    _as_document(subject, "a document of 1 MiB is scored", text, f"{PLAIN!r} beside itself, 4 MiB times")


@check_of("scorer")
def check_other_scripts(subject: Subject) -> None:
    """Letters beyond ASCII, beyond Latin and beyond 16 bits are scored: Vietnamese, Chinese, Hindi, emoji."""
    texts = ["Xe đạp đỏ ở Huế, giá 500.000₫", "赤い自転車", "लाल साइकिल", "🚲🔴 𝒓𝒆𝒅"]
    _answered(subject, "texts of every script are scored", texts)


@check_of("scorer")
def check_combining_marks(subject: Subject) -> None:
    """Marks that stand behind their letter (NFD), or behind none, are scored. `rr` hands out composed letters (NFC),
    but some have no composed form."""
    texts = ["x\u0323\u0301 q\u0308", "\u0301", "Xe \u0111a\u0323p o\u031b\u0309 Hue\u0302\u0330"]
    _answered(subject, "letters with combining marks are scored", texts)


@check_of("scorer")
def check_right_to_left(subject: Subject) -> None:
    """Arabic and Hebrew are scored, with the marks that turn the direction."""
    texts = ["دراجة حمراء للبيع", "אופניים אדומים", "\u202ered\u202c \u2067bicycle\u2069 \u200f"]
    _answered(subject, "texts from right to left are scored", texts)


@check_of("scorer")
def check_control_characters(subject: Subject) -> None:
    """Characters that are no letters are scored: NUL, escapes, line separators, a byte order mark, zero widths, private
    ones. Scraped texts are full of them."""
    texts = [
        "red\0bicycle",
        "\x1b[31mred\x07\x08\x7f",
        "red\u2028bicycle\x85",
        "\ufeffred\u200b\u200dbicycle\ue000\uffff",
    ]
    _answered(subject, "control characters are scored", texts)


def _answered(subject: Subject, rule: str, texts: Sequence[str]) -> None:
    for text in texts:
        _as_document(subject, rule, text, f"a document {text!a}")
        _as_query(subject, rule, text, repr(text))


def _as_document(subject: Subject, rule: str, text: str, example: str) -> None:
    answers(subject, [about([text, PLAIN][: subject.fits])], rule, example)


def _as_query(subject: Subject, rule: str, text: str, what: str, refuses: bool = False) -> None:
    asked = about([PLAIN, "A blue lamp."][: subject.fits], text)
    if refuses:
        try:
            subject.scores([asked])
        except RerankError as error:
            # what is raised by other classes comes as an error that has it as its cause
            if error.__cause__ is not None and not isinstance(error.__cause__, RerankError):
                raise BrokenRuleError(rule, str(error), f"a query of {what}") from error
        return
    answers(subject, [asked], rule, f"a query {what}")
