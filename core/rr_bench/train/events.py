"""What a training tells while it goes on: a line of `events.jsonl` for each event, written as it happens."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rr.border import plugin_code
from rr.errors import NoNumberError, RerankError
from rr.protocols import OnEvent, TrainingEvent
from rr.rerank.gate import whole
from rr_bench.progress import clock

EVENTS = "events.jsonl"
UNNAMED = "the trainer does not name its dev metric: its best dev figure compares with none"
FIELDS = [one.name for one in fields(TrainingEvent)]


@dataclass(frozen=True)
class DevFigures:
    """What a trainer tells of the dev split, by its `metric`: `before` the first step, and at `best` after it, which
    the model before it is not. None: it did not tell."""

    metric: str | None = None
    before: float | None = None
    best: float | None = None


class EventLog:
    """Keeps every event, and stops a training whose loss is no number, or whose dev figures are of several metrics.

    An event that a resumed training tells again keeps the seconds at which it was told first. `observers`: who else is
    told; what they raise ends the training. Of several processes that train together the one that `writes` tells them.
    """

    def __init__(self, folder: Path, writes: bool, observers: Sequence[OnEvent] = ()) -> None:
        self.events: list[TrainingEvent] = []
        self._observers = observers if writes else ()
        self._devs: list[float] = []
        self._metric: str | None = None
        path = folder / EVENTS
        earlier = read_lines(path) if path.is_file() else []
        self._at = {_name(line): line["seconds"] for line in earlier}
        self._offset = max(self._at.values(), default=0.0)
        self._file = path.open("w", encoding="utf-8") if writes else None
        self._started = self._first = time.perf_counter()

    def listener(self, advance: Callable[[int], None], status: Callable[[str], None]) -> OnEvent:
        """What a trainer is given as `on_event`. `status` is told where it stands:
        `84/142 · loss 1.57 (chance 1.61) · dev .452 best .470 · ETA 0:41`."""

        def listen(event: TrainingEvent) -> None:
            if not isinstance(event, TrainingEvent):
                raise RerankError(f"on_event was given {type(event).__name__}; a trainer tells rr.TrainingEvent")
            if event.trained is not None and not whole(event.trained):
                raise RerankError(f"TrainingEvent.trained is {event.trained!r}; it counts weights, from 0 on")
            for name, figure in event.figures.items():
                if isinstance(figure, bool) or not isinstance(figure, int | float):
                    raise RerankError(f"TrainingEvent.figures[{name!r}] is {figure!r}; figures are numbers")
            self._write(event)
            if event.loss is not None and not math.isfinite(event.loss):
                raise NoNumberError(f"the loss is {event.loss} at step {event.step}; {_mend(event.step)}")
            if event.dev is not None:
                self._compare(event.dev, event.metric)
            if event.loss is not None:
                if not any(one.loss is not None for one in self.events):
                    self._first = time.perf_counter()
                advance(1)
            self.events.append(event)
            status(self._status(event))
            for observer in self._observers:
                observer(event)

        return listen

    def _status(self, event: TrainingEvent) -> str:
        parts = [f"{event.step}/{event.total}"]
        last = next((one for one in reversed(self.events) if one.loss is not None), None)
        if last is not None:
            chance = last.figures.get("chance")
            parts.append(f"loss {last.loss:.3g}" + ("" if chance is None else f" (chance {chance:.3g})"))
        if self._devs:
            best = self.dev().best
            parts.append(f"dev {_short(self._devs[-1])}" + ("" if best is None else f" best {_short(best)}"))
        if (left := self._seconds_left(event)) is not None:
            parts.append(f"ETA {clock(left)}")
        return " · ".join(parts)

    def dev(self) -> DevFigures:
        told = [(event.step, event.dev) for event in self.events if event.dev is not None]
        before = next((dev for step, dev in told if step == 0), None)
        return DevFigures(self._metric, before, max((dev for step, dev in told if step > 0), default=None))

    def _seconds_left(self, event: TrainingEvent) -> float | None:
        """By the pace of this sitting, its evaluations included; None before it has one, and where nothing is left."""
        first = next((one.step for one in self.events if one.loss is not None), event.step)
        done, left = event.step - first, event.total - event.step
        return None if done < 1 or left < 1 else (time.perf_counter() - self._first) / done * left

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def trained(self) -> int | None:
        """How many weights have received a gradient, where the trainer told."""
        return max((event.trained for event in self.events if event.trained is not None), default=None)

    def _write(self, event: TrainingEvent) -> None:
        line = {name: getattr(event, name) for name in FIELDS}
        seconds = self._at.get(_name(line))
        line["seconds"] = round(self._offset + time.perf_counter() - self._started, 3) if seconds is None else seconds
        if self._file is not None:
            with plugin_code(f"the event of step {event.step} cannot be written"):
                text = json.dumps(_finite({**line, "figures": dict(event.figures)}), ensure_ascii=False)
            self._file.write(text + "\n")
            self._file.flush()

    def _compare(self, dev: float, metric: str | None) -> None:
        if self._devs and metric != self._metric:
            raise RerankError(
                f"the trainer's dev figures are of two metrics, {self._metric!r} and {metric!r}, and the best of "
                "both would be of neither; report the one that it selects by"
            )
        self._devs.append(dev)
        self._metric = metric

    def summary(self) -> dict[str, Any]:
        """`dev_metric`: what the trainer calls its dev figures; null where there are none, or where it does not say.
        `best_dev`: of what was trained."""
        losses = [event.loss for event in self.events if event.loss is not None]
        dev = {"dev_metric": self._metric, "best_dev": self.dev().best}
        notes = [UNNAMED] if self._devs and self._metric is None else []
        if not losses:
            return {"steps": 0, **dev, "notes": ["trained without a single step", *notes]}
        span = max(len(losses) // 10, 1)
        means = [sum(losses[start : start + span]) / span for start in range(0, len(losses) - span + 1, span)]
        figures = {"first_loss": means[0], "lowest_loss": min(means), "last_loss": means[-1]}
        return {"steps": len(losses), **figures, **dev, "notes": notes}


def _short(figure: float) -> str:
    """`.452`"""
    return re.sub(r"^(-?)0\.", r"\1.", f"{figure:.3f}")


def _mend(step: int) -> str:
    return "lower the learning rate" if step > 1 else "no weight has changed by then: look for NaN in the base model"


def _name(line: Mapping[str, Any]) -> tuple[int, bool]:
    """What tells the events of a training apart: an evaluation comes behind the step of its number."""
    return line["step"], line["loss"] is None


def _finite(value: Any) -> Any:
    """The value as JSON has it: what is no number is spelled."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of an `events.jsonl`; the last one may be cut short where its writer was killed.

    Raises:
        RerankError: it is none.
    """
    found = []
    try:
        for text in path.read_text(encoding="utf-8").split("\n")[:-1]:  # names may hold other ends of lines
            line = json.loads(text)
            line["step"], line["total"] = int(line["step"]), int(line["total"])
            line["seconds"] = float(line["seconds"])
            line["figures"] = {name: float(figure) for name, figure in line["figures"].items()}
            line["loss"], line["dev"] = (None if line[name] is None else float(line[name]) for name in ("loss", "dev"))
            line["trained"] = None if line["trained"] is None else int(line["trained"])
            line["metric"] = None if line["metric"] is None else str(line["metric"])
            found.append(line)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RerankError(f"{path}: no events of a training ({error}); delete it, and train again") from error
    return found


def read_events(path: Path) -> list[TrainingEvent]:
    """
    Raises:
        RerankError: the file holds something else.
    """
    return [TrainingEvent(**{name: line[name] for name in FIELDS}) for line in read_lines(path)]
