"""Knows no difference."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def answer(self, request):
        return [1.0] * len(request.candidates)
