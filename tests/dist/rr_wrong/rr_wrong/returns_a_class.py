"""A hook that returns the class itself."""

import rr
from rr_wrong.right import Right


@rr.hookimpl
def rr_register_scorers():
    return [Right]
