"""What is known of the probability that a ranking's documents are relevant, and rankings without the improbable."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from rr.errors import RerankError
from rr.protocols import ModelInfo
from rr.types import Ranking

if TYPE_CHECKING:
    from rr_bench.calibrate.kept import Calibration

PLACES = ("windowed", "tournament")
"""Diagnostics that say of a ranking that its scores are places."""


def are_places(ranking: Ranking) -> bool:
    """Whether its scores only count its documents: more candidates came than fit at once."""
    return any(ranking.diagnostics.get(diagnostic) for diagnostic in PLACES)


class HasProbabilities(Protocol):
    """A loaded reranker (`rr_bench.api.NamedReranker`)."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def calibration(self) -> Calibration | None: ...


def gives_probabilities(reranker: HasProbabilities, least: float | None) -> bool:
    """Whether its answers have probabilities. Where none are asked for (`least`), a calibration that cannot be used is
    a warning only.

    Raises:
        RerankError: the calibration is damaged or of other weights or settings, and probabilities are asked for.
    """
    try:
        return reranker.calibration is not None or reranker.info.scale == "probability"
    except RerankError as error:
        if least is not None:
            raise
        logging.getLogger("rr").warning("%s; answers are without probabilities", error)
        return False


def probabilities(ranking: Ranking, info: ModelInfo, calibration: Calibration | None, name: str) -> dict[str, float]:
    """Document id → probability that it is relevant, best first: the calibrated one, or else the score itself where it
    is one.

    Raises:
        RerankError: nothing tells it.
    """
    if are_places(ranking):
        raise RerankError(
            f"query {ranking.query.id!r}: more candidates than {name!r} takes at once have places for scores, which "
            "have no probability; ask for fewer"
        )
    if calibration is not None:
        found = calibration.probabilities([item.score for item in ranking.items])
        return {item.document.id: value for item, value in zip(ranking.items, found, strict=True)}
    if info.scale == "probability":
        return {item.document.id: min(max(item.score, 0.0), 1.0) for item in ranking.items}
    what = "ranks, which cannot be calibrated" if info.scale == "rank" else f"of scale {info.scale} and not calibrated"
    mend = "take another reranker" if info.scale == "rank" else f"run 'rr calibrate {name} -d DATA' first"
    raise RerankError(f"{name!r}: its scores are {what}, so that they are no probabilities; {mend}")


def checked_least(value: float) -> float:
    """
    Raises:
        TypeError: it is no number.
        RerankError: it is no probability.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"min_probability is {type(value).__name__}, not float")
    if not 0 <= value <= 1:
        raise RerankError(f"a probability lies between 0 and 1, not {value:g}")
    return value


def without_improbable(ranking: Ranking, found: Mapping[str, float], least: float) -> Ranking:
    """The ranking without the documents below that probability: the others in their order, maybe none."""
    return replace(ranking, items=tuple(item for item in ranking.items if found[item.document.id] >= least))


class Empty:
    """Counts the queries that a `least` probability leaves nothing of."""

    def __init__(self, least: float | None) -> None:
        self._least, self._asked, self._empty = least, 0, list[str]()

    def count(self, rankings: Sequence[Ranking]) -> None:
        self.add(len(rankings), [ranking.query.id for ranking in rankings if not ranking.items])

    def add(self, asked: int, empty: Iterable[str]) -> None:
        self._asked += asked
        self._empty += empty

    def tell(self) -> None:
        """Logs how many there are, if any."""
        if self._least is not None and self._empty:
            names = ", ".join(map(repr, self._empty[:5])) + (", …" if len(self._empty) > 5 else "")
            logging.getLogger("rr").warning(
                "no document is probable enough (%g or more) for %d of %d queries: %s",
                *(self._least, len(self._empty), self._asked, names),
            )
