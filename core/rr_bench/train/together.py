"""What the first of several processes that train together has found out, told to the others before they meet in the
training itself. They may stand on machines that have no disk in common with it."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from itertools import count

from rr.errors import PluginError, summary
from rr.training.processes import processes, rank

LONGEST = timedelta(days=7)
"""The first process may wait for another training of the same checkpoint to end; where it dies, its launcher ends the
others."""
_numbers = count()


def as_first(found: bool) -> bool:
    """What the first process has found, in all of them. All must ask equally often.

    Raises:
        PluginError: the first process has ended.
    """
    number = next(_numbers)
    if processes() == 1:
        return found
    distributed = import_module("torch.distributed")
    try:
        store, _, _ = next(distributed.rendezvous("env://", rank(), processes()))
        name = f"rr/{number}"
        if rank() == 0:
            store.set(name, str(int(found)))
        store.wait([name], LONGEST)
        return bool(int(store.get(name)))
    except (RuntimeError, ValueError) as error:
        raise PluginError(
            f"the first of the {processes()} processes that train together cannot be reached ({summary(error)[:200]}); "
            "its own message tells why; the same command again goes on from what was kept"
        ) from error
