"""Its class stands in a module that exits."""

import rr
from rr_wrong.right import component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Right", target="rr_wrong.exits_3_at_import:Right")]
