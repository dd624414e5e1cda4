"""A hook that returns a name."""

import rr


@rr.hookimpl
def rr_register_scorers():
    return "returns_text"
