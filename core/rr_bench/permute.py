"""A scorer whose answer depends on where a candidate is shown, asked about several orders and averaged.

Kin: Tang et al. 2024 (arXiv:2310.07712), who merge rankings where here scores are averaged; rotations, in which each
candidate visits evenly spread places: Zheng et al. 2024 (arXiv:2309.03882).
"""

import math
import random
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from rr.errors import PluginError
from rr.protocols import ModelInfo, Scorer
from rr.rerank.gate import score_all
from rr.types import Request, Scores
from rr_bench.schema import Permutation

SEED = 13
Order = tuple[int, ...]
"""The place in the request of the candidate that is shown first, of the one shown second, and so on."""


class Permute:
    """Asks a listwise `scorer` about `count` orders (2 or more) of each request's candidates (see `orders`) and gives
    each candidate the mean of its scores. All orders of a request follow each other in one call, so that a scorer can
    share what their prompts have in common. Diagnostics: the means of the scorer's own; `tau`, the mean Kendall tau-b
    over all pairs of orders (1: the order does not matter); `permutations`, how many. Costs `count` times the scorer.
    """

    def __init__(self, scorer: Scorer, count: int, kind: Permutation = "cyclic", seed: int = SEED) -> None:
        if not scorer.info.listwise:
            raise PluginError(
                "the scorer looks at each candidate alone: permutations change nothing but its cost; "
                "leave 'permutations' out"
            )
        if count < 2:
            raise ValueError(f"{count} permutations average nothing; ask for 2 or more")
        self._scorer, self._count, self._kind, self._seed = scorer, count, kind, seed

    @property
    def info(self) -> ModelInfo:
        return self._scorer.info

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        plans = [orders(request, self._count, self._kind, self._seed) for request in requests]
        return [mean_answer(answers) for answers in score_orders(self._scorer, requests, plans)]


def orders(request: Request, count: int, kind: Permutation, seed: int = SEED) -> list[Order]:
    """At most `count` different orders of the request's n candidates; the first is the one given.

    `cyclic`: rotations of it by ⌊k · n / count⌋ places, k = 0, 1, …; there are n of them, so that `count` is at most n,
    and a whole turn shows each candidate once at each place. `random`: drawn with the seed and the query's id; there
    are n! of them, so that `count` is at most n!."""
    given = tuple(range(len(request.candidates)))
    if kind == "cyclic":
        turns = min(count, max(len(given), 1))
        offsets = [turn * len(given) // turns for turn in range(turns)]
        return [given[offset:] + given[:offset] for offset in offsets]
    generator = random.Random(f"{seed} {request.query.id}")
    wanted = min(count, math.factorial(len(given)))
    drawn = {given: None}
    while len(drawn) < wanted:
        drawn[tuple(generator.sample(given, len(given)))] = None
    return list(drawn)


def score_orders(scorer: Scorer, requests: Sequence[Request], plans: Sequence[Sequence[Order]]) -> list[list[Scores]]:
    """For each request and each of its orders the scorer's checked answer, mapped back: `values[i]` belongs to
    `request.candidates[i]` whatever place that was shown at. One call, a request's orders one after the other. Raises
    ScoringError: not one answer an order, or an answer that cannot be ranked."""
    shown = [
        Request(r.query, _taken(r.candidates, order), None if r.first_stage is None else _taken(r.first_stage, order))
        for r, plan in zip(requests, plans, strict=True)
        for order in plan
    ]
    answers = iter(score_all(scorer, shown))
    return [[_back(next(answers), order) for order in plan] for plan in plans]


def _back(answer: Scores, order: Order) -> Scores:
    places = tuple(sorted(range(len(order)), key=order.__getitem__))
    ranked_by = None if answer.ranked_by is None else _taken(answer.ranked_by, places)
    return Scores(_taken(answer.values, places), answer.diagnostics, ranked_by)


def _taken(values: Sequence[Any], places: Order) -> tuple[Any, ...]:
    return tuple(values[place] for place in places)


def mean_answer(answers: Sequence[Scores]) -> Scores:
    """The mapped-back answers to a request's orders as one: the mean of each score and of each diagnostic, with `tau`
    and `permutations` (see `Permute`)."""
    # fsum: the same scores in another order have the same mean, so that a place's share cannot decide a tie
    values = tuple(
        math.fsum(value / len(answers) for value in column) for column in zip(*(a.values for a in answers), strict=True)
    )
    names = sorted({name for answer in answers for name in answer.diagnostics})
    means = {name: sum(a.diagnostics.get(name, 0.0) for a in answers) / len(answers) for name in names}
    agreed = {"tau": mean_tau([answer.keys for answer in answers]), "permutations": float(len(answers))}
    return Scores(values, {**means, **agreed})


def kendall_tau(left: Sequence[float], right: Sequence[float]) -> float:
    """Kendall's tau-b (1945) of two score lists over the same n candidates, in O(n²): over all pairs i, j, Σ
    sign(left_i - left_j) · sign(right_i - right_j) / √(L · R), where L and R count the pairs that left and right do not
    tie. 1: the same order; -1: the reverse; 0 where either ties everything, which agrees with no order."""
    if len(left) != len(right):
        raise ValueError(f"{len(left)} scores against {len(right)}: tau needs the same candidates")
    import numpy as np  # here, for `rr list` needs none of this

    a, b = (np.sign(np.subtract.outer(values, values)) for values in map(np.asarray, (left, right)))
    untied = float((a * a).sum() * (b * b).sum())
    return float((a * b).sum()) / untied**0.5 if untied else 0.0


def mean_tau(answers: Sequence[Sequence[float]]) -> float:
    """The mean of `kendall_tau` over all pairs of answers (k answers, n scores each); 1 where there is one only."""
    pairs = list(combinations(answers, 2))
    return sum(kendall_tau(left, right) for left, right in pairs) / len(pairs) if pairs else 1.0
