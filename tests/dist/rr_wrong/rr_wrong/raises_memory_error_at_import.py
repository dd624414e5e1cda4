"""Asks for more memory than there is."""

raise MemoryError
