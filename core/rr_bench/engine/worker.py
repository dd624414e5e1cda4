"""A process that does tasks for another one: `python -m rr_bench.engine.worker DESCRIPTOR`, of a socket through which
it is told where to stand, and then asked. It ends with the one that asks."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from rr.errors import RerankError
from rr_bench.engine.task import Outcome
from rr_bench.engine.work import do, stand


def main(descriptor: int) -> None:
    connection = Connection(descriptor)
    asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def listen() -> None:
        while True:
            try:
                asked.put(json.loads(connection.recv_bytes()))
            except (EOFError, OSError):  # whoever asked is gone, and nobody wants the rest
                os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    refused = None
    try:
        stand(asked.get())
    except RerankError as error:
        refused = Outcome("failed", reason=str(error)).plain()
    while True:
        task = asked.get()
        connection.send_bytes(json.dumps(refused or do(**task)).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
