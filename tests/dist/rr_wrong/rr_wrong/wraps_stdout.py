"""Gives stdout another encoding, as many scripts do."""

import io
import sys

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def score(self, requests):
        sys.stdout.reconfigure(encoding="utf-8")
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        print("LOUD wrapped", flush=True)  # noqa: T201
        return super().score(requests)
