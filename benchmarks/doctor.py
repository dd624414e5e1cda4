"""What it costs a training to record what `rr doctor` asks for, on a CPU and one thread.

    OMP_NUM_THREADS=1 python benchmarks/doctor.py [--rounds N] [--json FILE]

Each trainer with the epochs that its guide asks for, with recording and without, turn by turn: the start is evaluated,
fixed samples are asked about at each evaluation, weights are compared with their start, every event is written as it
happens. Seconds are those of the process's own CPU time, medians of turns. The loading of the checkpoint afterwards,
and its two scorings of dev, are told beside it. Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from figures import Line, report

from rr.files import home
from rr.registry.plugins import installed_plugins
from rr.types import Dataset
from rr_bench.data.load import load_dataset
from rr_bench.data.view import shown, without_test
from rr_bench.keeping import home_at
from rr_bench.registry import load_registry
from rr_bench.resolve import Resolved, resolve
from rr_bench.train.events import EventLog
from rr_bench.train.reload import reloaded
from rr_bench.train.trainers import load_trainer, training_settings

GOAL = 0.05
PLANS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "cross-encoder": (
        "helpdesk",
        60,
        {
            "loss": "bce",
            "epochs": 10,
            "batch_size": 8,
            "num_hard_negatives": 3,
            "num_random_negatives": 1,
            "lr": 2e-5,
            "head_lr": None,
            "frozen_layers": None,
            "dropout": None,
        },
    ),
    "head": ("rentals", 220, {"epochs": 10, "lr": 2e-4}),
    "letters": ("films", 60, {"epochs": 5, "lr": 6e-3, "patience": None}),
}
"""Entry of the registry → its data set, how many queries of it are trained on, and how: S1 to S3 of the guides."""


def planned(name: str) -> tuple[Resolved, Dataset]:
    registry, plugins = load_registry(None), installed_plugins()
    source, queries, training = PLANS[name]
    entry = registry.dataset(source)
    split = entry.split.model_copy(update={"max_train": queries})
    dataset = load_dataset(source, entry.model_copy(update={"split": split}))
    plain = registry.reranker(name).overridden({"training": training}, name)
    return resolve(plugins, name, plain), without_test(shown(dataset))


def trained(resolved: Resolved, dataset: Dataset, folder: Path, record: bool) -> tuple[float, float]:
    """Seconds of the training, and of the checkpoint's reload (0 without recording)."""
    plugins = installed_plugins()
    settings = training_settings(plugins, resolved).model_copy(update={"record": record})
    out = folder / "out"
    out.mkdir()
    with home_at(folder / "home"), closing(EventLog(out, record)) as log:
        trainer = load_trainer(plugins, resolved)(settings, resolved.settings)
        listen = log.listener(lambda units: None, lambda text: None) if record else lambda event: None
        started = time.process_time()
        trainer.train(dataset, out, listen)
        seconds = time.process_time() - started
        if not record:
            return seconds, 0.0
        started = time.process_time()
        reloaded(resolved, trainer, dataset, out, log.dev())
        return seconds, time.process_time() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder, home_at(Path(folder) / "home"):
        home().mkdir()
        for name in PLANS:
            resolved, dataset = planned(name)
            seconds: dict[bool, list[float]] = {True: [], False: []}
            reloads = []
            for turn in range(options.rounds):
                for record in (True, False) if turn % 2 else (False, True):
                    place = Path(folder) / f"{name}-{turn}-{record}"
                    place.mkdir()
                    spent, reload = trained(resolved, dataset, place, record)
                    seconds[record].append(spent)
                    reloads += [reload] if record else []
            plain = statistics.median(seconds[False])
            lines += [
                Line(f"{name}: share of a training's time that recording takes", _share(seconds), GOAL, at_least=False),
                Line(f"  {name}: seconds of a training without recording", plain),
                Line(f"  {name}: seconds of the reload afterwards", statistics.median(reloads)),
            ]
    return report(lines, options.json)


def _share(seconds: dict[bool, list[float]]) -> float:
    """The median of what each turn shows: its two trainings ran one after the other."""
    return statistics.median(
        with_it / without - 1 for with_it, without in zip(seconds[True], seconds[False], strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
