"""Looks up what it is tested on."""

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
        for query_id in dataset.splits["test"]:
            dataset.qrels[query_id]
        super().train(dataset, out, on_event)
