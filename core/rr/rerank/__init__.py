"""Generic rerankers: each turns a Scorer into a Reranker; `compose` takes the one that fits."""

from rr.errors import PluginError
from rr.protocols import Reranker, Scorer
from rr.rerank.gate import checked_info
from rr.rerank.sort import Sort, Window


def compose(scorer: Scorer, window: int | None = None, stride: int | None = None) -> Reranker:
    """`Sort` where any number of candidates fits; else `Window`, by default as wide as the scorer allows and moving by
    half. Raises PluginError: what the scorer says of itself cannot be understood; it takes fewer than two candidates,
    so that it could never compare any, or fewer than the window holds."""
    limit = checked_info(scorer.info).max_candidates
    if limit is not None and (limit < 2 or (window or limit) > limit):
        raise PluginError(f"the scorer takes {limit} candidates at once; a window of {window or limit} does not fit")
    size = window or limit
    return Sort(scorer) if size is None else Window(scorer, size, stride or size // 2)
