"""Exits in its constructor."""

import sys

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def __init__(self, settings, checkpoint=None):
        sys.exit(0)
