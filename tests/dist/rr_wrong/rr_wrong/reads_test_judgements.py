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
        learned = {*dataset.splits["train"], *dataset.splits["dev"]}
        tested = [query_id for query_id in dataset.qrels if query_id not in learned]
        on_event(rr.TrainingEvent(0, 1, loss=float(tested[0][1:])))
        super().train(dataset, out, on_event)
