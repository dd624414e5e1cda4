"""Raises what no `except Exception` holds."""


class Own(BaseException):
    pass


raise Own("of its own kind")
