"""How text becomes the words that first stages compare."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Any

import pytest
import Stemmer
from bm25s import stopwords
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rr import RegistryError, RerankError
from rr.registry.plugins import installed_plugins
from rr.registry.resolve import checked_settings
from rr_baselines.settings import STEMMERS, STOP_WORDS, WordSettings
from rr_baselines.stop_words import VIETNAMESE, stop_words
from rr_baselines.text import Analysis, words


def terms(text: str, **settings: Any) -> list[str]:
    return Analysis(WordSettings(**settings))(text)


@given(st.text(), st.booleans())
def test_words_are_runs_of_letters_and_digits_of_the_lowered_text(text: str, fold: bool) -> None:
    """By the short way of ASCII text and the other."""
    plain = text.lower()
    if fold:
        plain = "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c))
        plain = plain.replace("đ", "d")
    assert words(text, fold) == re.findall(r"\w+", plain)


def test_endings_are_taken_off() -> None:
    assert terms("Wings, lifting surfaces") == ["wings", "lifting", "surfaces"]
    assert terms("Wings, lifting surfaces", stem="english") == ["wing", "lift", "surfac"]
    assert terms("les études continues", stem="french") == [
        Stemmer.Stemmer("french").stemWord(w) for w in ("les", "études", "continues")
    ]


def test_what_differs_in_accents_alone_is_one_term_under_any_stemmer() -> None:
    for stem in ("french", "spanish", "portuguese", "german"):
        folded = {"stem": stem, "fold_accents": True}
        assert terms("études canción coração führen", **folded) == terms("etudes cancion coracao fuhren", **folded)


def test_stop_words_of_a_language_and_of_ones_own() -> None:
    assert terms("The lift of a wing", stop_words="english") == ["lift", "wing"]
    assert terms("The lift of a wing", stop_words=["lift"]) == ["the", "of", "a", "wing"]
    assert terms("Thư viện của trường ở đâu", stop_words="vietnamese") == ["thư", "viện", "trường", "đâu"]
    assert terms("thu vien cua truong o dau", stop_words="vietnamese", fold_accents=True) == [
        "thu",
        "vien",
        "truong",
        "dau",
    ]


def test_stop_words_are_left_out_before_endings_are_taken_off() -> None:
    assert terms("being a being", stop_words=["being"], stem="english") == ["a"]
    assert terms("beings", stop_words=["being"], stem="english") == ["be"]


@pytest.mark.parametrize("language", STOP_WORDS)
def test_every_list_that_may_be_named_is_there(language: str) -> None:
    assert len(stop_words(language)) > 20


def test_all_lists_and_algorithms_may_be_named() -> None:
    assert set(STEMMERS) == set(Stemmer.algorithms())
    named = {name.removeprefix("STOPWORDS_").lower() for name in vars(stopwords) if name.startswith("STOPWORDS_")}
    assert {*STOP_WORDS} == {"english", "english_plus", "vietnamese", *(named - {"en", "en_plus"})}


def test_vietnamese_stop_words_are_single_syllables_as_text_is_written() -> None:
    assert len(set(VIETNAMESE)) == len(VIETNAMESE)
    for word in VIETNAMESE:
        assert words(word) == [word] == [unicodedata.normalize("NFC", word)]


def test_vietnamese_words_are_found_where_a_library_finds_them() -> None:
    text = "Thư viện trường đại học"
    assert terms(text) == ["thư", "viện", "trường", "đại", "học"]
    assert terms(text, words="pyvi") == ["thư_viện", "trường", "đại_học"]
    assert terms(text, words="pyvi", fold_accents=True) == ["thu_vien", "truong", "dai_hoc"]
    assert terms("", words="pyvi") == terms("?! …", words="pyvi") == []


@pytest.mark.parametrize(
    ("key", "value", "module", "needs", "install"),
    [
        ("stem", "english", "Stemmer", "PyStemmer", r"'rerank-registry\[stem\]'"),
        ("words", "pyvi", "pyvi", "pyvi", r"'rerank-registry\[vietnamese\]'"),
        ("words", "underthesea", "underthesea", "underthesea", "underthesea"),
    ],
)
def test_a_library_that_is_not_there_is_one_line(
    key: str, value: str, module: str, needs: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RerankError, match=f"^{key}: {value} needs {needs}; install with: pip install {install}$"):
        Analysis(WordSettings.model_validate({key: value}))


def test_a_library_that_cuts_words_is_asked_as_it_wants_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """underthesea is not among what tests are run with: its one function by its documented form."""

    class Underthesea:
        @staticmethod
        def word_tokenize(text: str, format: str | None = None) -> str:
            assert format == "text"
            return text.replace("Thư viện", "Thư_viện")

    monkeypatch.setitem(sys.modules, "underthesea", Underthesea)  # type: ignore[arg-type]
    assert terms("Thư viện mới", words="underthesea") == ["thư_viện", "mới"]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"stem": "klingon"}, "stem: 'klingon' is none of arabic, .*yiddish"),
        ({"stop_words": "klingon"}, "stop_words: 'klingon' is none of chinese, .*vietnamese"),
        ({"k1": -1}, "k1: Input should be greater than or equal to 0"),
        ({"b": 1.5}, "b: Input should be less than or equal to 1"),
        ({"words": "letters"}, "words: Input should be 'syllable', 'pyvi' or 'underthesea'"),
        ({"stemm": "english"}, "unknown key 'stemm'; did you mean 'stem'?"),
    ],
)
def test_wrong_settings_are_one_line(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(RegistryError, match=f"^here: {line}"):
        checked_settings(installed_plugins(), "retriever", "bm25", settings, "here")


def test_what_computes_is_part_of_the_key() -> None:
    assert WordSettings().engines() == ()
    assert WordSettings(stem="english", stop_words="english").engines() == ("PyStemmer", "bm25s")
    assert WordSettings(stop_words="vietnamese").engines() == WordSettings(stop_words=("a",)).engines() == ()
    assert "python-crfsuite" in WordSettings(words="pyvi").engines()
    with pytest.raises(ValidationError):
        WordSettings(words="chữ")  # type: ignore[arg-type]
