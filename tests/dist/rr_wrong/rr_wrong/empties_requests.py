"""Empties the list that it was given."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def score(self, requests):
        requests.clear()
        return super().score(requests)
