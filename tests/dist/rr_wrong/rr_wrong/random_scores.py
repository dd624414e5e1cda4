"""Draws lots."""

import random

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def score(self, requests):
        return [[random.random() for _ in request.candidates] for request in requests]
