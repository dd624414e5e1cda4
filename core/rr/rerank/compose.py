"""Which generic reranker fits a scorer."""

from __future__ import annotations

from rr.errors import PluginError
from rr.protocols import Reranker, Scorer
from rr.rerank.sort import Sort
from rr.rerank.window import Window


def compose(scorer: Scorer, window: int | None = None, stride: int | None = None) -> Reranker:
    """`Sort` where any number of candidates fits; else `Window`, by default as wide as the scorer allows and moving by
    half.

    Raises:
        PluginError: the scorer takes fewer than two candidates, so that it could never compare any, or fewer than
            the window holds.
    """
    limit = scorer.info.max_candidates
    if limit is not None and (limit < 2 or (window or limit) > limit):
        raise PluginError(f"the scorer takes {limit} candidates at once; a window of {window or limit} does not fit")
    size = window or limit
    return Sort(scorer) if size is None else Window(scorer, size, stride or size // 2)
