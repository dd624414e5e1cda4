"""A name that is none: 'na\x1b[31mme'."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Right", name="na\x1b[31mme")]
