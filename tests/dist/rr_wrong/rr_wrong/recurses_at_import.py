"""Calls itself without end."""


def call():
    call()


call()
