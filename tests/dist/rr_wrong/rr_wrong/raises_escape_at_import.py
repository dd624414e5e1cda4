"""Raises an error whose text colours the terminal."""

raise RuntimeError("\x1b[31mred\nand two lines")
