"""More candidates than fit, reranked in one tournament in the place of windows (kin: Chen et al. 2024, "TourRank",
arXiv:2406.11678, with several)."""

from __future__ import annotations

from rr.protocols import Scorer
from rr.rerank.sort import Sort, Turns
from rr.types import Document


class Tournament(Sort):
    """Rounds: those who remain are dealt, like cards in the first stage's order, into as few groups of at most `size`,
    2 or more, as there can be, as equal as possible. The best size // 2 of each group advance. Once all who remain fit
    into one group, that final is scored and sorted. Who is eliminated later ranks above who is eliminated earlier; in
    one round the place in the group decides, then the first stage's order.

    With a perfect scorer (one total order, whoever is shown) the top h = size // 2 are exactly right: a document of
    global rank r ≤ h has r - 1 < h better ones in all, so fewer than h in its group, and advances; in the final, the
    top h are sorted among themselves and above everyone else there.

    It ends: m > size documents make g < m / size + 1 groups, and at most g · size / 2 < (m + size) / 2 < m advance. A
    group of h or fewer advances whole, unscored; who does not reach the final is eliminated in a group that was."""

    diagnostic = "tournament"

    def __init__(self, scorer: Scorer, size: int) -> None:
        if size < 2:
            raise ValueError(f"groups of {size} compare nothing; a tournament's size must be 2 or more")
        super().__init__(scorer, size)

    def _turns(self, documents: list[Document], size: int) -> Turns:
        half = size // 2
        remaining, eliminated = documents, list[Document]()
        while len(remaining) > size:
            count = -(-len(remaining) // size)
            groups = [remaining[number::count] for number in range(count)]
            played = yield [group for group in groups if len(group) > half]
            place = {document.id: place for group in played for place, document in enumerate(group)}
            beaten = [document for document in remaining if place.get(document.id, 0) >= half]
            eliminated = sorted(beaten, key=lambda one: place[one.id]) + eliminated
            remaining = [document for document in remaining if place.get(document.id, 0) < half]
        (final,) = yield [remaining]
        return final + eliminated
