"""A hook without a return."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    component(__name__, "Right")
