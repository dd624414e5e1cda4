"""A scorer and a trainer that take their time and write down what they did, for tests that interrupt them."""

import os
import time
from pathlib import Path

import rr


@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("slow", "rr_slow:Slow", "Sleeps before it answers")]


@rr.hookimpl
def rr_register_trainers():
    return [rr.Component("slow", "rr_slow:SlowTrainer", "Sleeps between its steps")]


def note(line):
    with Path(os.environ["RR_SLOW_LOG"]).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


class Slow:
    info = rr.ModelInfo(scale="rank")

    def __init__(self, settings, checkpoint=None):
        self.sign = 1 if checkpoint is None else {"whole": -1}[(checkpoint / "weights.txt").read_text()]

    def score(self, requests):
        note("scored " + " ".join(request.query.id for request in requests))
        time.sleep(float(os.environ["RR_SLOW_SECONDS"]))
        return [[self.sign * float(len(document.text)) for document in request.candidates] for request in requests]


class SlowTrainer:
    def __init__(self, settings, scorer_settings):
        pass

    def train(self, dataset, out, on_event):
        (out / "weights.txt").write_text("half")
        for step in range(1, 4):
            note(f"step {step}")
            time.sleep(float(os.environ["RR_SLOW_SECONDS"]))
            on_event(rr.TrainingEvent(step, 3, loss=float(os.environ.get("RR_SLOW_LOSS", 1 / step))))
        (out / "weights.txt").write_text("whole")
