"""Work in several threads, whose results come back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], threads: int, stopped: Event) -> list[Result]:
    """One result an item. The first that raises sets `stopped`: no further item is begun, those under way are ended,
    and what it raised is raised. At Ctrl-C likewise, but nobody waits for those under way: the threads are daemons, and
    what `work` keeps it keeps for as long as the process lives."""
    left = deque(enumerate(items))
    done: SimpleQueue[tuple[int, Result] | BaseException | None] = SimpleQueue()

    def run() -> None:
        while not stopped.is_set():
            try:
                place, item = left.popleft()
            except IndexError:
                break
            try:
                done.put((place, work(item)))
            except BaseException as error:  # noqa: BLE001 - raised below
                stopped.set()
                done.put(error)
        done.put(None)

    workers = [Thread(target=run, daemon=True) for _ in range(min(threads, len(items)))]
    results: dict[int, Result] = {}
    failed: BaseException | None = None
    try:
        for worker in workers:
            worker.start()
        running = len(workers)
        while running:
            one = done.get()
            if one is None:
                running -= 1
            elif isinstance(one, BaseException):
                failed = failed or one
            else:
                results[one[0]] = one[1]
        for worker in workers:
            worker.join()
    finally:
        stopped.set()
    if failed is not None:
        raise failed
    return [results[place] for place in range(len(items))]
