"""Settings whose check exits."""

import sys

from pydantic import model_validator

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    class Settings(rr.Settings):
        depth: int = 1

        @model_validator(mode="after")
        def check(self):
            sys.exit(0)
