"""`python -m rr`, for launchers that start a module."""

from rr_bench.cli import main

main()
