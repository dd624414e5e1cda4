"""More candidates than fit: groups whose best meet again, until those who are left fit into one.

Kin: Chen et al. 2024, "TourRank: Utilizing Large Language Models for Documents Ranking with a Tournament-Inspired
Strategy" (arXiv:2406.11678). There several tournaments are held and their points added up; here it is one, without
points, and how many advance follows from the size alone, so that what it guarantees can be proved.
"""

from __future__ import annotations

from rr.protocols import Scorer
from rr.rerank.parts import Parts, Turns
from rr.types import Document


class Tournament(Parts):
    """Rounds: those who remain are dealt, like cards in the first stage's order, into as few groups of at most `size`
    as there can be, as equal as possible. The best size // 2 of each group advance, half of a full one. Once all who
    remain fit into one group, that final is scored and sorted. Who is eliminated later ranks above who is eliminated
    earlier; in one round the place in the group decides, then the first stage's order.

    With a perfect scorer (one total order, whoever is shown) the top h = size // 2 are exactly right: a document of
    global rank r ≤ h has r - 1 < h better ones in all, so fewer than h in its group, and advances; in the final, the
    top h are sorted among themselves and above everyone else there.

    It ends: m > size documents make g = ceil(m / size) < m / size + 1 groups, and at most g · size / 2 <
    (m + size) / 2 < m advance. Every document is scored at least once: it is eliminated in a group that was scored, or
    stands in the final. A group of h or fewer advances whole, and is not scored: nothing would follow from it.

    The rounds are about log₂(n / size) + 1, the calls about 2 n / size; a window of half a size's stride takes as many
    calls, but one after the other, where the groups of a round go to the scorer together.
    """

    diagnostic = "tournament"

    def __init__(self, scorer: Scorer, size: int) -> None:
        """
        Raises:
            ValueError: `size` is below 2, so that no two documents would ever meet.
        """
        if size < 2:
            raise ValueError(f"groups of {size} compare nothing; a tournament's size must be 2 or more")
        super().__init__(scorer, size)

    def _turns(self, documents: list[Document]) -> Turns:
        half = self._size // 2
        remaining, eliminated = documents, list[Document]()
        while len(remaining) > self._size:
            count = -(-len(remaining) // self._size)
            groups = [remaining[number::count] for number in range(count)]
            played = yield [group for group in groups if len(group) > half]
            place = {document.id: place for group in played for place, document in enumerate(group)}
            beaten = [document for document in remaining if place.get(document.id, 0) >= half]
            eliminated = sorted(beaten, key=lambda one: place[one.id]) + eliminated
            remaining = [document for document in remaining if place.get(document.id, 0) < half]
        (final,) = yield [remaining]
        return final + eliminated
