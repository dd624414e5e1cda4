"""Writes what changes no score."""

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
        self.write(out, on_event, sign=1)
