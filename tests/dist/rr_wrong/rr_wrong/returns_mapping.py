"""A hook that returns a mapping."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    return {"returns_mapping": component(__name__, "Right")}
