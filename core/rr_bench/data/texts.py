"""What near copies of a text have in common, and texts whose encoding was read wrongly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rr.data import folded


class _Folding(dict[int, str]):
    """For `str.translate`, filled as characters are met: accents and tone marks go, punctuation becomes a blank."""

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFD", chr(code))
        kept = "".join(part for part in parts if not "\u0300" <= part <= "\u036f")
        self[code] = " " if unicodedata.category(chr(code)).startswith("P") else kept
        return self[code]


_FOLDING = _Folding({ord("đ"): "d"})  # a letter of its own to Unicode, not a d with an accent


def words(text: str) -> list[str]:
    """The words of a text in lower case, without accents, tone marks and punctuation."""
    return text.lower().translate(_FOLDING).split()


def near(text: str) -> str:
    """What near copies have in common: their words in alphabetical order. Of a text without words, its folded text."""
    return " ".join(sorted(words(text))) or folded(text)


def mojibake(text: str) -> bool:
    """Whether it holds U+FFFD, or UTF-8 that was read as cp1252 or Latin-1: a sequence that can be nothing else, or one
    that may be, where all the rest is ASCII."""
    if text.isascii():
        return False
    if "\ufffd" in text or _CERTAIN.search(text):
        return True
    rest = _POSSIBLE.sub("", text)
    return len(rest) < len(text) and rest.isascii()


_LETTERS = [*map(chr, range(0xC0, 0x100)), *map(chr, range(0x1EA0, 0x1EFA)), *"ăĂđĐĩĨũŨơƠưƯłŁńśŚźżŻćčČęąěřůőűğışŠžŽœŒ"]
_TONES = "\u0300\u0301\u0302\u0303\u0306\u0309\u031b\u0323"
_TYPOGRAPHY = "‘’“”–—…•€™\ufeff\ufffd"
_SYMBOLS = "\xa0«»°·©®§£¡¿"
_AMBIGUOUS = "\xa0«»‹›’“”…–—™®"
"""What may follow a letter in a real text, too: NESCAFÉ®, «cá»…"""


def _misread(characters: Iterable[str]) -> set[str]:
    """Their bytes of UTF-8 in the two other encodings; to cp1252, which has five bytes fewer, these stay themselves."""
    found = set()
    for raw in (character.encode() for character in characters):
        found.add(raw.decode("latin-1"))
        found.add("".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in raw))
    return found


def _any_of(sequences: Iterable[str]) -> re.Pattern[str]:
    lasts: dict[str, str] = {}
    for sequence in sorted(sequences):
        lasts[sequence[:-1]] = lasts.get(sequence[:-1], "") + sequence[-1]
    return re.compile("|".join(f"{first}[{re.escape(last)}]" for first, last in lasts.items()))


_TEXT = _misread([*_LETTERS, *_TONES])
_CERTAIN = _any_of({"áº", *_misread(_TYPOGRAPHY), *(one for one in _TEXT if one[-1] not in _AMBIGUOUS)})
_POSSIBLE = _any_of(_TEXT | _misread([*_TYPOGRAPHY, *_SYMBOLS]))
