import itertools
import sys


def list():  # noqa: A001 - what a plugin may do
    yield "not what 'rr list' is"


def deeply():
    yield "below a command"


def shelf():
    yield "before 'shelf count'"


def count():
    yield "one"


def exits():
    sys.exit(0)


def breaks():
    yield "the first line"
    raise RuntimeError("after the first line")


def numbers():
    yield 1


def endless():
    yield from map(str, itertools.count())


def typed(given: "Nowhere"):  # noqa: F821 - it is nowhere
    yield "never"

