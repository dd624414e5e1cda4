"""A score depends on who comes with it."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def score(self, requests):
        sign = 1 if len(requests) == 1 else -1
        return [[sign * v for v in answer] for answer in super().score(requests)]
