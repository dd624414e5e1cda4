"""Run by `check_trainer_survives_a_kill` in a process of its own: trains on the examples, and is killed at a random
moment after a step."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from rr.protocols import TrainingEvent
from rr_bench.keeping import home_at
from rr_bench.testing.trained import taught
from rr_bench.train.workplace import KEPT


def found(name: str) -> Any:
    module, _, path = name.partition(":")
    value: Any = import_module(module)
    for attribute in path.split("."):
        value = getattr(value, attribute)
    return value


def main(told: dict[str, Any]) -> None:
    training, settings = (found(name).model_validate(values) for name, values in told["settings"])
    out, since = Path(told["out"]), dict[int, float]()

    def on_event(event: TrainingEvent) -> None:
        if event.loss is None or told["step"] in since:
            return
        since[event.step] = time.perf_counter()
        if event.step == told["step"]:
            first = min(since)
            pace = (since[event.step] - since[first]) / max(event.step - first, 1)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends a process as SIGKILL does: at once
            signal.setitimer(signal.ITIMER_REAL, max(pace * (event.total - event.step) * told["later"], 1e-6))

    with home_at(out / KEPT):
        found(told["trainer"])(training, settings).train(taught(), out, on_event)
    os.kill(os.getpid(), signal.SIGKILL)  # all is written, and nobody has seen it


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
