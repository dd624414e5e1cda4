"""Whether what one row of a bench has computed may help another: not while anything is timed.

Whatever keeps results of texts on disk keeps them under `rr.files.home()`, so that another home is enough to be without
them. What is kept in the memory of a loaded model goes when it is loaded anew.
"""

from __future__ import annotations

from contextvars import ContextVar

KEEPING: ContextVar[bool] = ContextVar("keeping", default=True)


def keeping() -> bool:
    """Whether a store may answer from what it keeps, and keep what it computes."""
    return KEEPING.get()
