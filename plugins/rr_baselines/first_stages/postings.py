"""An inverted index: for each term the documents that hold it, and how often. Of a corpus larger than memory one is
made for the terms that are asked about, in one pass; what is too much of it lies in a file."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import repeat
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rr import Document
from rr.files import home
from rr_baselines.text import Analysis

READ = 1 << 20
"""Words that are read before postings are made of them."""
HELD = 1 << 24
"""Postings that are held in memory, of 8 bytes each; further ones go to a file."""
REMEMBERED = 1 << 18
"""Words whose term is remembered, some 100 bytes each."""
_STOPPED, _NOT_ASKED = -2, -1


class Postings:
    """`terms`: term → its number. `lengths`: terms of each document, float64. `ids`: the documents'."""

    def __init__(self, documents: Iterable[Document], analysis: Analysis, asked: Collection[str] | None = None) -> None:
        """`asked`: the only terms that matter; None: all do."""
        self.terms: dict[str, int] = {term: number for number, term in enumerate(asked or ())}
        numbers = _numbers(analysis, self.terms, asked is None)
        self.ids = Ids()
        self._parts: list[_Part] = []
        self._held = 0
        self._file: IO[bytes] | None = None
        found: list[NDArray[np.uint32]] = []
        read, counts = array("i"), array("q")
        for document in documents:
            words = analysis.words(document.content)
            read.extend(numbers(words))
            counts.append(len(words))
            self.ids.append(document.id)
            if len(read) >= READ:
                found.append(self._add(read, counts))
                read, counts = array("i"), array("q")
        found.append(self._add(read, counts))
        self.lengths: NDArray[np.float64] = np.concatenate(found).astype(np.float64)

    def _add(self, read: array[int], counts: array[int]) -> NDArray[np.uint32]:
        """The lengths of the documents that were read since the last time, whose postings become a part."""
        numbers, words = np.frombuffer(read, np.int32), np.frombuffer(counts, np.int64)
        rows = np.repeat(np.arange(len(words)), words)
        first = len(self.ids) - len(words)
        asked = numbers >= 0
        keys, often = np.unique(numbers[asked].astype(np.int64) << 32 | (rows[asked] + first), return_counts=True)
        terms, starts = np.unique(keys >> 32, return_index=True)
        pairs = np.stack([(keys & 0xFFFFFFFF).astype(np.uint32), often.astype(np.uint32)], axis=1)
        place = None
        if self._held + len(pairs) > HELD:
            place = self._written(pairs)
        else:
            self._held += len(pairs)
        self._parts.append(_Part(terms, np.append(starts, len(keys)), pairs if place is None else None, place))
        return np.bincount(rows[numbers != _STOPPED], minlength=len(words)).astype(np.uint32)

    def _written(self, pairs: NDArray[np.uint32]) -> int:
        """Where in the file they stand."""
        if self._file is None:
            home().mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=home())  # noqa: SIM115 - without a name: gone when it is closed
            weakref.finalize(self, self._file.close)
        place = self._file.seek(0, 2)
        self._file.write(pairs.tobytes())
        return place

    def __getitem__(self, number: int) -> NDArray[np.uint32]:
        """Of the term with that number: shape (documents that hold it, 2), the document's row and how often."""
        found = [np.zeros((0, 2), np.uint32)]
        for part in self._parts:
            at = int(np.searchsorted(part.terms, number))
            if at < len(part.terms) and part.terms[at] == number:
                start, end = int(part.starts[at]), int(part.starts[at + 1])
                found.append(self._read(part, start, end))
        return np.concatenate(found)

    def _read(self, part: _Part, start: int, end: int) -> NDArray[np.uint32]:
        if part.pairs is not None:
            return part.pairs[start:end]
        assert self._file is not None
        assert part.place is not None
        self._file.seek(part.place + 8 * start)
        return np.frombuffer(self._file.read(8 * (end - start)), np.uint32).reshape(-1, 2)


class Ids:
    """Ids in one piece of memory: as texts, those of five million documents would take 400 MB."""

    def __init__(self) -> None:
        self._text, self._ends = bytearray(), array("q", [0])

    def append(self, id_: str) -> None:
        self._text += id_.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._text))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: int) -> str:
        return self._text[self._ends[row] : self._ends[row + 1]].decode("utf-8", "surrogatepass")


class _Part(NamedTuple):
    """The postings of some documents, by term: `terms`, in order; where those of each begin, and the last end; and
    they, in memory or in the file."""

    terms: NDArray[np.int64]
    starts: NDArray[np.int64]
    pairs: NDArray[np.uint32] | None
    place: int | None


def _numbers(analysis: Analysis, terms: dict[str, int], grows: bool) -> Callable[[list[str]], Iterable[int]]:
    """Words → the numbers of their terms, or why they have none."""
    if grows or analysis.stem:
        return partial(map, _Numbers(analysis, terms, grows).__getitem__)
    known = {**terms, **dict.fromkeys(analysis.stopped, _STOPPED)}  # few, so that they are found quickly
    return lambda words: map(known.get, words, repeat(_NOT_ASKED))


class _Numbers(dict[str, int]):
    """Word → the number of its term."""

    def __init__(self, analysis: Analysis, terms: dict[str, int], grows: bool) -> None:
        self._term, self._terms, self._grows = analysis.term, terms, grows

    def __missing__(self, word: str) -> int:
        term = self._term(word)
        if term is None:
            number = _STOPPED
        elif self._grows:
            number = self._terms.setdefault(term, len(self._terms))
        else:
            number = self._terms.get(term, _NOT_ASKED)
        if len(self) >= REMEMBERED:
            self.clear()
        self[word] = number
        return number
