"""What the adapters share: the reranker behind them, what it is asked, what it answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

import rr

OPTIONS = ("checkpoint", "dataset", "profile", "registry")
"""Of `rr.load`, which go with a name."""


@contextmanager
def needs(package: str, extra: str) -> Iterator[None]:
    """The block imports a framework. Raises ModuleNotFoundError: it is not installed; the line names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        line = f"{package} is not installed; pip install 'rerank-registry[{extra}]'"
        raise ModuleNotFoundError(line, name=error.name) from error


def loaded(reranker: str | rr.NamedReranker, **options: Any) -> rr.NamedReranker:
    """What `rr.load` loads under a name, with its options; or what has been loaded already, which takes none.

    Raises:
        TypeError: it is neither; it is loaded, and there are options; or there is no such option.
        RerankError: as `rr.load`.
    """
    must_be_options(options)
    if isinstance(reranker, str):
        return rr.load(reranker, **options)
    if not isinstance(reranker, rr.NamedReranker):
        raise TypeError(f"reranker is {type(reranker).__name__}; give a name of the registry, or what rr.load gave")
    if given := [name for name, value in options.items() if value is not None]:
        raise TypeError(f"{given[0]} goes with the name of a reranker, and this one is loaded already")
    return reranker


def must_be_options(options: Iterable[str]) -> None:
    """
    Raises:
        TypeError: one of the names is none of `OPTIONS`.
    """
    for name in options:
        if name not in OPTIONS:
            raise TypeError(f"there is no option {name!r}{rr.nearest(name, list(OPTIONS))}")


def request(query: str, texts: Sequence[str | None], first_stage: Sequence[float | None] = ()) -> rr.Request:
    """The texts under their places as ids, so that neither equal ids nor none are in the way. `first_stage`: the scores
    that they come with, where each has one."""
    documents = tuple(rr.Document(str(place), text or "") for place, text in enumerate(texts))
    scores = [score for score in first_stage if score is not None and math.isfinite(score)]
    whole = len(scores) == len(documents) > 0
    return rr.Request(rr.Query("query", query), documents, tuple(map(float, scores)) if whole else None)


def answered(reranker: rr.NamedReranker, ranking: rr.Ranking, probabilities: bool) -> list[tuple[int, float]]:
    """The place of each document, best first, and its score, or its probability.

    Raises:
        RerankError: `probabilities` are asked for, and nothing tells them.
    """
    values = reranker.probabilities(ranking) if probabilities else ranking.scores
    return [(int(item.document.id), float(values[item.document.id])) for item in ranking]


class Options(BaseModel):
    """The fields of an adapter that is a pydantic model."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    reranker: Any
    """A name of the registry, or what `rr.load` gave. The next four are options of `rr.load`, for a name."""
    checkpoint: str | Path | None = None
    dataset: str | None = None
    profile: str | None = None
    registry: str | Path | None = None
    top_n: int | None = Field(None, ge=1)
    """So many documents at the most; null: all."""
    min_probability: float | None = Field(None, ge=0, le=1)
    """Those that are relevant with this probability or a higher one (`rr calibrate`), maybe none."""
    probabilities: bool = False
    """Whether probabilities are told in the place of scores."""
    _loaded: rr.NamedReranker = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        self._loaded = loaded(self.reranker, **{name: getattr(self, name) for name in OPTIONS})

    @property
    def asked_for(self) -> dict[str, Any]:
        """How many of the answers."""
        return {"top_n": self.top_n, "min_probability": self.min_probability}
