"""Exits between two steps."""

import sys

import rr
from rr_wrong.right import Learned, RightTrainer, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Scorer")]


@rr.hookimpl
def rr_register_trainers():
    return [component(__name__, "Wrong")]


class Scorer(Learned):
    pass


class Wrong(RightTrainer):
    def train(self, dataset, out, on_event):
        on_event(rr.TrainingEvent(1, 2, loss=1.0))
        sys.exit(0)
