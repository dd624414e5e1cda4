"""Turns in a circle."""

while True:
    pass
