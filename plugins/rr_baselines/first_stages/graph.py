"""A graph of neighbours over the documents' vectors, for corpora of which a product with all takes too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rr import RerankError
from rr.files import alone, fingerprint, home, is_sealed, keeping, sealed_folder
from rr_baselines.first_stages.vectors import Block, Vectors
from rr_baselines.settings import DenseSettings

FILE = "graph.usearch"


class Graph:
    """HNSW by usearch, made once and kept beside the vectors; by one thread, since with several no two would be the
    same.

    Raises:
        RerankError: usearch is not installed.
    """

    def __init__(self, blocks: Sequence[Block], dimensions: int, settings: DenseSettings) -> None:
        try:
            from usearch import __version__ as release
            from usearch.index import Index
        except ModuleNotFoundError as error:
            mend = "pip install 'rerank-registry[ann]'"
            raise RerankError(f"index: usearch needs usearch; install with: {mend}, or set index: exact") from error
        self._expansion = settings.expansion
        made = partial(_filled, Index, blocks, dimensions, settings)
        shape = [settings.connectivity, settings.expansion, settings.keep, release]
        key = fingerprint(["usearch", shape, [block.key for block in blocks]])
        self._index: Any = Index.restore(str(_kept(key, made)), view=True) if keeping() and blocks else made()

    def search(self, query: Vectors, depth: int) -> tuple[NDArray[np.int64], Vectors]:
        """The rows of the neighbours that it leads to, in order, and their vectors."""
        size = len(self._index)
        if not size:
            return np.zeros(0, np.int64), np.zeros((0, len(query)), np.float32)
        self._index.expansion_search = max(self._expansion, 2 * depth)
        rows = np.sort(self._index.search(query, min(depth, size), threads=1).keys.astype(np.int64))
        return rows, np.stack(self._index.get(rows, dtype="f32"))


def _kept(key: str, made: Callable[[], Any]) -> Path:
    folder = home() / "dense" / key[:32]
    if not is_sealed(folder, key):
        with alone(folder):  # another process may be at it, and then the work is done when it is through
            if not is_sealed(folder, key):
                with sealed_folder(folder, key) as inside:
                    made().save(str(inside / FILE))
    return folder / FILE


def _filled(index: Any, blocks: Sequence[Block], dimensions: int, settings: DenseSettings) -> Any:
    made = index(
        ndim=dimensions,
        metric="ip",
        dtype="f16" if settings.keep == "float16" else "f32",
        connectivity=settings.connectivity,
        expansion_add=settings.expansion,
        expansion_search=settings.expansion,
    )
    for block in blocks:
        vectors = block.read()
        made.add(np.arange(block.first, block.first + len(vectors)), vectors, threads=1)
    return made
