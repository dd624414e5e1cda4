"""What several processes that train together have to agree on before they meet in the training itself. They may stand
on machines that have no disk in common."""

from __future__ import annotations

import json
from datetime import timedelta
from importlib import import_module
from itertools import count

from rr.errors import PluginError, RerankError, summary
from rr.training.processes import processes, rank

LONGEST = timedelta(days=7)
"""The first process may wait for another training of the same checkpoint to end; where it dies, its launcher ends the
others."""
STARTING = timedelta(minutes=30)
"""What the first process waits for the others to have read the data."""
_numbers = count()


def as_first(found: bool, key: str) -> bool:
    """What the first process has found, in all of them. All must ask equally often. `key`: of what is trained.

    Raises:
        RerankError: they would not train the same.
        PluginError: another process has ended.
    """
    number = next(_numbers)
    if processes() == 1:
        return found
    distributed = import_module("torch.distributed")
    try:
        store, _, _ = next(distributed.rendezvous("env://", rank(), processes()))
        names = [f"rr/{number}/{process}" for process in range(processes())]
        if rank() == 0:
            store.wait(names[1:], STARTING)
            others = [process for process, name in enumerate(names) if process and store.get(name).decode() != key]
            store.set(names[0], json.dumps([found, others]))
        else:
            store.set(names[rank()], key)
            store.wait(names[:1], LONGEST)
        found, others = json.loads(store.get(names[0]))
    except (RuntimeError, ValueError) as error:
        raise PluginError(
            f"one of the {processes()} processes that train together cannot be reached ({summary(error)[:200]}); "
            "its own message tells why; the same command again goes on from what was kept"
        ) from error
    if others:
        raise RerankError(
            f"process {others[0]} of {processes()} would train something else than the first one: its settings, data, "
            "base model or code are other ones; give every machine the same"
        )
    return found
