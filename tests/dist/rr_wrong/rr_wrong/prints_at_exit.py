"""Has a last word."""

import atexit

import rr
from rr_wrong.right import Right, component

atexit.register(print, "LOUD at exit")


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    pass
