"""A hook that there is not."""

import rr


@rr.hookimpl
def rr_register_scorer():
    return []
