"""Leaves a mark on each document."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def score(self, requests):
        for request in requests:
            for document in request.candidates:
                document.metadata["seen"] = True
        return super().score(requests)
