"""A scorer and a trainer that write down what they begin, and stop at one of it for good, for tests that kill them. The
trainer goes on from the step that it has kept."""

import json
import os
import time
from pathlib import Path

import rr
from rr.files import keeping

STEPS = 8


@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("steady", "rr_steady:Steady", "Writes down what it scores")]


@rr.hookimpl
def rr_register_trainers():
    return [rr.Component("steady", "rr_steady:SteadyTrainer", "Writes down its steps")]


def begin(what):
    with Path(os.environ["RR_STEADY_LOG"]).open("a", encoding="utf-8") as file:
        file.write(what + "\n")
    time.sleep(60 if what == os.environ.get("RR_STEADY_STOP") else float(os.environ.get("RR_STEADY_SECONDS", "0")))


class Steady:
    def __init__(self, settings, checkpoint=None):
        self.weight = json.loads((checkpoint / "weight.json").read_text()) if checkpoint else 0.1
        state = "trained" if checkpoint else "pretrained"
        self.info = rr.ModelInfo(scale="logit", state=state, parameters=1, trainable=1)

    def score(self, requests):
        what = "scored" if keeping() else "timed"
        begin(" ".join([what, *(request.query.id for request in requests)]))
        return [[self.weight * len(d.text) + len(r.query.text) for d in r.candidates] for r in requests]


class SteadyTrainer:
    def __init__(self, settings, scorer_settings):
        pass

    def train(self, dataset, out, on_event):
        kept = out / "state" / "kept.json"
        kept.parent.mkdir(exist_ok=True)
        weights = json.loads(kept.read_text()) if kept.exists() else []
        for step in range(1, STEPS + 1):
            if step > len(weights):
                begin(f"step {step}")
                weights.append((weights[-1] if weights else 0.1) * 1.5 + step)
                kept.with_suffix(".new").write_text(json.dumps(weights))
                kept.with_suffix(".new").replace(kept)
            on_event(rr.TrainingEvent(step, STEPS, loss=1 / weights[step - 1]))
        (out / "weight.json").write_text(json.dumps(weights[-1]))
