"""Exits when asked what it is."""

import sys

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    @property
    def info(self):
        sys.exit(0)
