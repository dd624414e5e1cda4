"""Weights that cannot be named."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    class Settings(rr.Settings):
        def weights(self):
            raise OSError("no such weights")
