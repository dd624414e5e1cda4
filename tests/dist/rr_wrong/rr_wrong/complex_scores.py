"""Numbers that have no order."""

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def answer(self, request):
        return [complex(value, 1) for value in super().answer(request)]
