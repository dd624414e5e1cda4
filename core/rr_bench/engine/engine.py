"""The one seam between work and whoever does it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from rr_bench.engine.task import Outcome, Task, made_elsewhere

TRIES = 3
"""How often a task is begun whose workers die."""


class Engine(Protocol):
    """Somewhere tasks are done, several at a time."""

    def begin(self, waiting: list[Task]) -> None:
        """Begins as many of these as there are free hands, and takes them out of the list."""

    def ended(self) -> list[tuple[Task, Outcome]]:
        """Waits until at least one is through; [] where none was begun."""


def carried_out(
    engine: Engine, tasks: Iterable[Task], then: Callable[[Task, Outcome], Iterable[Task]] = lambda task, outcome: ()
) -> Iterator[tuple[Task, Outcome]]:
    """Each task as it ends, and those that `then` gives, which can be begun now that it has. One whose worker is lost
    is begun again, `TRIES` times in all, and has failed then."""
    waiting, begun, lost = list(tasks), 0, Counter[str]()
    while True:
        before = len(waiting)
        engine.begin(waiting)
        begun += before - len(waiting)
        if not begun:
            return
        for task, outcome in engine.ended():
            begun -= 1
            made_elsewhere(outcome.made)
            for level, text in outcome.said:
                logging.getLogger("rr").log(level, "%s", text)
            if outcome.state == "lost":
                lost[task.name] += 1
                if lost[task.name] < TRIES:
                    waiting.insert(0, task)
                    continue
                outcome = Outcome("failed", reason=f"its worker died {TRIES} times: {outcome.reason}")
            waiting += then(task, outcome)
            yield task, outcome


def best(waiting: Sequence[Task], group: str, busy: Iterable[str]) -> Task:
    """What a worker does next that did something of `group` last: more of that, else what no other is at."""
    others = set(busy)
    own = (task for task in waiting if group and task.group == group)
    fresh = (task for task in waiting if task.group not in others)
    return next(own, next(fresh, waiting[0]))
