"""A state of its own."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    info = rr.ModelInfo(scale="rank", state="wise")
