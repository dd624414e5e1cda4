"""Generic rerankers: each turns a Scorer into a Reranker; `compose` takes the one that fits."""

from rr.errors import PluginError
from rr.protocols import Reranker, Scorer
from rr.rerank.gate import checked_info
from rr.rerank.sort import Sort, Tournament, Window
from rr.types import Beyond


def compose(
    scorer: Scorer, window: int | None = None, stride: int | None = None, beyond: Beyond = "window"
) -> Reranker:
    """`Sort` where any number of candidates fits; else `Window`, by default as wide as the scorer allows and moving by
    half, or `Tournament` with groups as large. Raises PluginError: what the scorer says of itself cannot be understood;
    it takes fewer than two candidates, so that it could never compare any, or fewer than the window holds."""
    limit = checked_info(scorer.info).max_candidates
    if limit is not None and (limit < 2 or (window or limit) > limit):
        raise PluginError(f"the scorer takes {limit} candidates at once; a window of {window or limit} does not fit")
    size = window or limit
    if size is None:
        return Sort(scorer)
    return Tournament(scorer, size) if beyond == "tournament" else Window(scorer, size, stride or size // 2)
