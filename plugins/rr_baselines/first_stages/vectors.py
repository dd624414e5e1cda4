"""The vectors of a corpus's documents, computed once: blocks of files under `$RR_HOME/dense`, each named after the
encoder and the texts in it, so that what was killed goes on, and a corpus that has grown computes what is new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from rr import Document
from rr.files import alone, fingerprint, home, is_sealed, keeping, sealed_folder
from rr_baselines.first_stages.postings import Ids
from rr_baselines.settings import DenseSettings
from rr_torch import FrozenEncoder

Vectors = NDArray[np.float32]
BLOCK = 4096
"""Documents whose vectors lie in one file, and are in memory at a time."""
FILE, NAME = "vectors.safetensors", "vectors"


@dataclass(frozen=True)
class Block:
    """`first`: the row of its first document. `content`: where the vectors lie, or they, where nothing is kept."""

    first: int
    key: str
    content: Path | NDArray[np.floating]

    def read(self) -> Vectors:
        """Shape (documents, dimensions), of length 1."""
        found = load_file(self.content / FILE)[NAME] if isinstance(self.content, Path) else self.content
        return found.astype(np.float32, copy=False)


class CorpusVectors:
    """Of all documents that are not blank. `ids`: theirs, by row."""

    def __init__(self, documents: Iterable[Document], encoder: FrozenEncoder, settings: DenseSettings) -> None:
        self.ids = Ids()
        self._encoder, self._keep = encoder, np.dtype(settings.keep)
        self.blocks = list(self._made(document for document in documents if not document.blank))

    def _made(self, documents: Iterator[Document]) -> Iterator[Block]:
        while part := list(islice(documents, BLOCK)):
            first = len(self.ids)
            for document in part:
                self.ids.append(document.id)
            texts = [document.content for document in part]
            key = fingerprint([self._encoder.key("document"), self._keep.name, texts])
            yield Block(first, key, self._kept(key, texts) if keeping() else self._encoded(texts))

    def _kept(self, key: str, texts: list[str]) -> Path:
        folder = home() / "dense" / key[:32]
        if not is_sealed(folder, key):
            with alone(folder):  # another process may be at it, and then the work is done when it is through
                if not is_sealed(folder, key):
                    with sealed_folder(folder, key) as inside:
                        save_file({NAME: self._encoded(texts)}, inside / FILE)
        return folder

    def _encoded(self, texts: list[str]) -> NDArray[np.floating]:
        return unit(self._encoder.anew(texts, "document").cpu().numpy()).astype(self._keep)


def unit(vectors: Vectors) -> Vectors:
    """Of length 1 each, but for those of length 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
