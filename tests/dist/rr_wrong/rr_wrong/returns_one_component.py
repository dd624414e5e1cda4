"""A hook that returns a component, not a list of them."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    return component(__name__, "Right")
