"""Numbers that exit when read."""

import sys

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def answer(self, request):
        return [Number() for _ in request.candidates]


class Number:
    def __float__(self):
        sys.exit(0)
