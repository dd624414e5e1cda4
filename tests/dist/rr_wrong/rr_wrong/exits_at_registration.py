"""Exits in its hook."""

import sys

import rr


@rr.hookimpl
def rr_register_scorers():
    sys.exit(5)
