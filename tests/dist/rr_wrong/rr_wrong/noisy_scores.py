"""Its dropout was left on."""

import random

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def score(self, requests):
        return [[v * random.uniform(0.9, 1.1) for v in answer] for answer in super().score(requests)]
