"""The one way in which text is cut into words here, and what words have in common."""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from rr import RerankError
from rr_baselines.settings import Cut, WordSettings
from rr_baselines.stop_words import stop_words

_WORD = re.compile(r"\w+")
_ASCII = {code: chr(code).lower() if _WORD.match(chr(code)) else " " for code in range(128)}


def words(text: str, fold_accents: bool = False) -> list[str]:
    """Lower-cased words. `fold_accents` drops tone marks and other diacritics (`Đường` → `duong`), for queries that
    are typed without them."""
    if text.isascii():  # the same, in a third of the time
        return text.translate(_ASCII).split()
    text = text.lower()
    if fold_accents:
        # đ has no decomposition: it is a letter of its own
        text = _marks().sub("", unicodedata.normalize("NFD", text)).replace("đ", "d")
    return _WORD.findall(text)


@cache
def _marks() -> re.Pattern[str]:
    return re.compile(f"[{''.join(filter(unicodedata.combining, map(chr, range(sys.maxunicode + 1))))}]+")


class Analysis:
    """Text → terms: cut into words in lower case, without accents where they are folded; then stop words are left out,
    and endings taken off. What differs in accents alone is the same, since they go first. `stopped`: the words that do
    not count. `stem`: what takes endings off, if anything does.

    Raises:
        RerankError: a library that the settings need is not installed.
    """

    def __init__(self, settings: WordSettings) -> None:
        self._fold = settings.fold_accents
        self._segmented = _segmenter(settings.words)
        given = stop_words(settings.stop_words)
        self.stopped = frozenset(word for one in given for word in words(one, self._fold))
        self.stem = _stemmer(settings.stem)

    def __call__(self, text: str) -> list[str]:
        return [term for term in map(self.term, self.words(text)) if term is not None]

    def words(self, text: str) -> list[str]:
        """As they stand there, stop words too."""
        return words(self._segmented(text) if self._segmented else text, self._fold)

    def term(self, word: str) -> str | None:
        """What a word is compared by; None: it does not count."""
        if word in self.stopped:
            return None
        return self.stem(word) if self.stem else word


def _segmenter(cut: Cut) -> Callable[[str], str] | None:
    """What ties the syllables of a Vietnamese word together, by `_`; upper case tells it names."""
    if cut == "syllable":
        return None
    library = _imported(cut, f"words: {cut}", cut, "vietnamese" if cut == "pyvi" else "")
    if cut == "underthesea":
        return lambda text: str(library.word_tokenize(text, format="text"))
    tokenizer = import_module("pyvi.ViTokenizer")
    return lambda text: str(tokenizer.tokenize(text))


def _stemmer(language: str | None) -> Callable[[str], str] | None:
    if language is None:
        return None
    library = _imported("Stemmer", f"stem: {language}", "PyStemmer", "stem")
    if language not in library.algorithms():
        raise RerankError(f"stem: {language} is not in PyStemmer {library.version()}; pip install -U PyStemmer")
    return library.Stemmer(language).stemWord  # type: ignore[no-any-return]


def _imported(module: str, wanted_by: str, distribution: str, extra: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pyvi's own patterns, as they are compiled
            return import_module(module)
    except ModuleNotFoundError as error:
        mend = f"'rerank-registry[{extra}]'" if extra else distribution
        raise RerankError(f"{wanted_by} needs {distribution}; install with: pip install {mend}") from error
