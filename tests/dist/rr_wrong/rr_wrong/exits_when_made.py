"""Exits in its constructor."""

import sys

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
    def __init__(self, settings, scorer_settings):
        sys.exit(0)
