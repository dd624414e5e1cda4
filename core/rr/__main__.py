"""`python -m rr`, for launchers that start a module."""

from rr.cli import main

main()
