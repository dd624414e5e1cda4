"""What the baselines and first stages can be told. It imports nothing heavy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from rr import Named, Settings
from rr_torch import EncoderSettings

Cut = Literal["syllable", "pyvi", "underthesea"]
CUTS: dict[Cut, tuple[str, ...]] = {
    "syllable": (),
    "pyvi": ("pyvi", "python-crfsuite", "sklearn-crfsuite"),
    "underthesea": ("underthesea", "underthesea-core"),
}
"""How text is cut into words → the distributions that decide where."""
STEMMERS = (
    *("arabic", "armenian", "basque", "catalan", "czech", "danish", "dutch", "dutch_porter", "english", "esperanto"),
    *("estonian", "finnish", "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian"),
    *("lithuanian", "nepali", "norwegian", "persian", "polish", "porter", "portuguese", "romanian", "russian"),
    *("serbian", "sesotho", "spanish", "swedish", "tamil", "turkish", "yiddish"),
)
"""The algorithms of Snowball, as PyStemmer calls them."""
STOP_WORDS = (
    *("chinese", "danish", "dutch", "english", "english_plus", "french", "german", "italian", "korean", "norwegian"),
    *("portuguese", "russian", "spanish", "swedish", "turkish", "vietnamese"),
)
"""Lists that come with bm25s; `vietnamese` is our own."""


class WordSettings(Settings):
    """How text becomes the words that are compared, the same for queries and documents."""

    fold_accents: bool = False
    """Ignore tone marks, for queries that are typed without them."""
    words: Cut = "syllable"
    """syllable: runs of letters and digits, which are words in most languages and syllables in Vietnamese; pyvi and
    underthesea: Vietnamese words as these libraries find them (`thư_viện` is one)."""
    stem: str | None = None
    """The language whose endings are taken off, by Snowball's algorithm of that name (PyStemmer); null: none."""
    stop_words: str | tuple[str, ...] | None = None
    """Words that do not count: the list of a language, or a list of one's own; null: all words count."""

    @field_validator("stem")
    @classmethod
    def _stemmer_exists(cls, name: str | None) -> str | None:
        return _known(name, STEMMERS)

    @field_validator("stop_words")
    @classmethod
    def _list_exists(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return _known(given, STOP_WORDS) if isinstance(given, str) else given

    def engines(self) -> tuple[str, ...]:
        lists = isinstance(self.stop_words, str) and self.stop_words != "vietnamese"
        return (*CUTS[self.words], *(["PyStemmer"] if self.stem else []), *(["bm25s"] if lists else []))


class Bm25Settings(WordSettings):
    k1: float = Field(1.2, ge=0)
    """How much a word's second and third occurrence add; 0: nothing."""
    b: float = Field(0.4, ge=0, le=1)
    """How far long documents are held back; 0: not at all."""


class DenseSettings(EncoderSettings):
    index: Literal["exact", "usearch"] = "exact"
    """exact: each query is compared with every document; usearch: with those that a graph of neighbours leads to (HNSW,
    Malkov & Yashunin 2016), for millions of documents. Scores are cosines under both."""
    keep: Literal["float32", "float16"] = "float32"
    """In how many bits the documents' vectors are kept: float16 takes half the disk and moves scores by some 0.0005."""
    connectivity: int = Field(16, ge=2)
    """Of usearch: neighbours of a document in the graph."""
    expansion: int = Field(128, gt=0)
    """Of usearch: documents that are looked at as one is added, and as one is asked for, at the least."""

    def engines(self) -> tuple[str, ...]:
        return (*super().engines(), *(["usearch"] if self.index == "usearch" else []))


class Member(Settings):
    """One first stage of several."""

    retriever: str
    """A registered retriever, NAME or DISTRIBUTION/NAME."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its own."""


class HybridSettings(Settings):
    members: tuple[Member, ...] = Field(min_length=2)
    """The first stages whose rankings are made one: `{retriever: NAME, options: {...}}` each."""
    k: int = Field(60, ge=0)
    """Added to each rank: the larger, the less the first places count for."""
    depth: int = Field(100, gt=0)
    """How many of each member's best are counted."""

    def components(self) -> tuple[Named, ...]:
        return tuple(Named("retriever", member.retriever, member.options) for member in self.members)


def _known(name: str | None, names: tuple[str, ...]) -> str | None:
    if name is not None and name not in names:
        raise ValueError(f"{name!r} is none of {', '.join(names)}")
    return name
