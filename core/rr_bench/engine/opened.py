"""Which engine is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rr.errors import RerankError
from rr_bench.engine.cluster import cluster
from rr_bench.engine.engine import Engine
from rr_bench.engine.processes import processes
from rr_bench.engine.store import Store
from rr_bench.engine.work import place

LOCAL, RAY = "local", "ray"


def checked_engine(engine: str | None, jobs: int | None) -> str | None:
    """The address of a Ray cluster, empty for the one that is found; None for this machine.

    Raises:
        RerankError: there is no such engine, or the two do not go together.
    """
    if jobs is not None and jobs < 1:
        raise RerankError(f"jobs are at least 1, not {jobs}")
    name, _, address = (engine or LOCAL).partition("://")
    if name not in (LOCAL, RAY) or (name == LOCAL and engine not in (None, LOCAL)):
        raise RerankError(f"no engine is called {engine!r}; one of local, ray and ray://HOST:PORT")
    if name == RAY and jobs is not None:
        raise RerankError("jobs are processes of this machine; a Ray cluster has as many as its resources allow")
    return address if name == RAY else None


@contextmanager
def opened_engine(
    engine: str | None, jobs: int | None, named: str = "", store: Store | None = None
) -> Iterator[Engine | None]:
    """`engine`: `local` (None), `ray` or `ray://HOST:PORT`; `jobs`: processes of this machine. None: nothing is handed
    out. `named`, `store`: `rr_bench.engine.work.place`.

    Raises:
        RerankError: as `checked_engine`; Ray is not installed, there is no such cluster, or the store fails.
    """
    address = checked_engine(engine, jobs)
    if address is None and (jobs or 1) == 1:
        yield None
        return
    with (
        place(named, store) as where,
        processes(jobs or 1, where) if address is None else cluster(where, address) as found,
    ):
        yield found
