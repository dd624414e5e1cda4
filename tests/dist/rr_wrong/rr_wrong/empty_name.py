"""A name without a letter."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Right", name="")]
