"""Exits whenever it is asked for something that not every component has."""

import sys

import rr
from rr_wrong.right import Learned, RightTrainer, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


@rr.hookimpl
def rr_register_trainers():
    return [component(__name__, "Trainer")]


class Wrong(Learned):
    class Settings(rr.Settings):
        depth: int = 1

        @classmethod
        def expanded(cls, given):
            sys.exit(0)

        def reference(self):
            sys.exit(0)

    def export(self, out):
        sys.exit(0)


class Trainer(RightTrainer):
    @staticmethod
    def read_config(values):
        sys.exit(0)
