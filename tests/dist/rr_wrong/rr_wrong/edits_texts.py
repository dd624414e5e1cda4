"""Empties the documents that come after it."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def score(self, requests):
        answers = super().score(requests)
        for request in requests:
            for document in request.candidates:
                object.__setattr__(document, "text", "")
        return answers
