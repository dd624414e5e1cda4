"""The trials of a sweep in a database of optuna's, which a kill leaves whole."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rr.errors import RerankError
from rr_bench.train.sweep.space import Choices, Point, Range, Space, grid
from rr_bench.train.sweep.trial import Outcome

FILE = "study.sqlite"
NAME, RETRIED = "sweep", "retried"
DRAWN = 20
"""Trials of a space with a range, unless so many are asked for."""


@dataclass(frozen=True)
class Trial:
    """`outcome` is empty of one that has not ended."""

    number: int
    point: Point
    outcome: Outcome = field(default_factory=dict)

    @property
    def failure(self) -> str:
        return str(self.outcome.get("failure", ""))

    @property
    def value(self) -> float | None:
        found = self.outcome.get("value")
        return None if found is None else float(found)


def optuna() -> Any:
    """
    Raises:
        RerankError: it is not installed.
    """
    try:
        import optuna as module
    except ModuleNotFoundError as error:
        mend = "install with: pip install 'rerank-registry[sweep]'"
        raise RerankError(f"rr sweep needs {error.name}, which is not installed; {mend}") from error
    module.logging.set_verbosity(module.logging.WARNING)
    return module


class Study:
    """`key`: of all that decides the outcome of a trial besides its point, and of the space."""

    def __init__(self, folder: Path, key: str, space: Space, seed: int) -> None:
        """
        Raises:
            RerankError: another sweep lies there, or the folder cannot be named to SQLite.
        """
        self._optuna, self._space, self._seed = optuna(), space, seed
        path = folder.absolute() / FILE
        if {*"?#%"} & {*str(path)}:
            raise RerankError(f"{path}: the name of a database holds no ?, # or %; name another --out")
        self._study = self._optuna.create_study(
            storage=f"sqlite:///{path}", study_name=NAME, direction="maximize", load_if_exists=True
        )
        kept = self._study.user_attrs.setdefault("key", key)
        if kept != key:
            raise RerankError(f"{path} holds a sweep of other values, settings, data or code; name another --out")
        self._study.set_user_attr("key", key)

    def trials(self) -> list[Trial]:
        """All that were begun, in their order."""
        outcomes, waiting = self._study.user_attrs, self._optuna.trial.TrialState.WAITING
        return [
            Trial(one.number, self._point(one.params), outcomes.get(_place(one.number), {}))
            for one in self._study.get_trials(deepcopy=False)
            if one.state != waiting
        ]

    def due(self, count: int | None, again: bool) -> Iterator[Trial]:
        """One trial after the other: those that a kill has ended, then those that were not begun. Of a grid all points,
        or `count` of them; of a space with a range `count`, drawn by TPE. `again`: the failed ones too, once more."""
        before, points = self.trials(), grid(self._space, count, self._seed)
        yield from (one for one in before if not one.outcome)
        for point in points or ():
            self._study.enqueue_trial(self._params(point), skip_if_exists=True)
        retried = int(self._study.user_attrs.get(RETRIED, 0))
        if again and (failed := self._last_failed(before)):
            self._study.set_user_attr(RETRIED, retried := retried + len(failed))
            for point in failed:
                self._study.enqueue_trial(self._params(point))
        drawn = 0 if points is not None else (count or DRAWN) + retried
        while self._waiting() or len(self.trials()) < drawn:
            # seeded anew each time: a sweep that was stopped goes on as one that was not
            self._study.sampler = self._optuna.samplers.TPESampler(seed=self._seed + len(self.trials()))
            asked = self._study.ask(self._distributions)
            yield Trial(asked.number, self._point(asked.params))

    def tell(self, trial: Trial, outcome: Outcome) -> Trial:
        """Keeps how it ended."""
        self._study.set_user_attr(_place(trial.number), dict(outcome))
        if outcome.get("failure"):
            self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial.number, outcome["value"])
        return Trial(trial.number, trial.point, outcome)

    def _last_failed(self, before: list[Trial]) -> list[Point]:
        """The points whose last trial has failed."""
        last = {tuple(one.point.items()): one for one in before}
        return [one.point for one in last.values() if one.failure]

    def _waiting(self) -> int:
        return len(self._study.get_trials(deepcopy=False, states=(self._optuna.trial.TrialState.WAITING,)))

    @functools.cached_property
    def _distributions(self) -> dict[str, Any]:
        of = self._optuna.distributions
        return {
            flag: of.CategoricalDistribution(one.values)
            if isinstance(one, Choices)
            else of.IntDistribution(int(one.low), int(one.high), log=one.log)
            if one.whole
            else of.FloatDistribution(one.low, one.high, log=one.log)
            for flag, one in self._space.items()
        }

    def _point(self, params: dict[str, Any]) -> Point:
        """In the order of the flags."""
        return {
            flag: one.text(params[flag]) if isinstance(one, Range) else str(params[flag])
            for flag, one in self._space.items()
            if flag in params
        }

    def _params(self, point: Point) -> dict[str, Any]:
        return {
            flag: (int(point[flag]) if one.whole else float(point[flag])) if isinstance(one, Range) else point[flag]
            for flag, one in self._space.items()
        }


def _place(number: int) -> str:
    return f"trial {number}"
