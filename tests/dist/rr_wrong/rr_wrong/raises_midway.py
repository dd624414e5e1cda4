"""A hook that yields one component and breaks."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    yield component(__name__, "Right")
    raise RuntimeError("raised midway")
