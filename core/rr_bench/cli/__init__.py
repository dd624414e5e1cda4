"""The command line. Each command is a module that imports what it needs when it runs, so that `rr --help` is quick."""

from rr_bench.cli.app import main

__all__ = ["main"]
