"""Has nothing to score with."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong:
    info = rr.ModelInfo(scale="rank")

    def __init__(self, settings, checkpoint=None):
        pass
