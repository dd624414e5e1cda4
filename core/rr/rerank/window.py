"""More candidates than fit: a window that slides from the back of the list to its front.

Source: Sun et al. 2023, "Is ChatGPT Good at Search?" (RankGPT), section 3.2.
"""

from __future__ import annotations

from rr.protocols import Scorer
from rr.rerank.parts import Parts, Turns
from rr.types import Document


class Window(Parts):
    """Sorts the last `size` candidates of the first stage's order, moves `stride` places towards the front, and so on:
    the front is refined last, and the best of each window are carried into the next. The last window always starts at
    the front, so every candidate is scored at least once whatever the lengths. With a perfect scorer the top
    size - stride, which is what two windows share, are exactly right. Costs ceil((n - size) / stride) + 1 calls a
    request, one after the other.
    """

    diagnostic = "windowed"

    def __init__(self, scorer: Scorer, size: int, stride: int) -> None:
        """
        Raises:
            ValueError: `stride` is not above 0 and below `size`.
        """
        if not 0 < stride < size:
            raise ValueError(
                f"stride {stride} must be above 0 and below the window's size {size}, or nothing is carried"
            )
        super().__init__(scorer, size)
        self._stride = stride

    def _turns(self, documents: list[Document]) -> Turns:
        for start in window_starts(len(documents), self._size, self._stride):
            span = slice(start, start + self._size)
            (documents[span],) = yield [documents[span]]
        return documents


def window_starts(length: int, size: int, stride: int) -> list[int]:
    """Where each window starts, back to front; the last is always 0."""
    return [*range(max(length - size, 0), 0, -stride), 0]
