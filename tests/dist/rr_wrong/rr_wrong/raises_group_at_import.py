"""Raises several at once."""

raise BaseExceptionGroup("two", [SystemExit(1), ValueError("bad")])
