"""Run by `rr_bench.testing.imported` in a process of its own: imports a plugin, and writes what that did as JSON."""

from __future__ import annotations

import json
import locale
import logging
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from rr.errors import summary
from rr.registry.plugins import GROUP
from rr.registry.rows import registered_rows

TOUCHES = ("socket.connect", "subprocess.Popen", "os.posix_spawn", "os.fork", "os.system")


def process() -> dict[str, Any]:
    """What of a process its plugins share, by what it is called."""
    handlers = {str(one): signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    return {
        **{f"the variable {name}": value for name, value in os.environ.items()},
        "the working folder": str(Path.cwd()),
        "the root logger's level": root.level,
        "the root logger's handlers": list(map(id, root.handlers)),
        "what logging disables": logging.root.manager.disable,
        "the class of loggers": logging.getLoggerClass(),
        "the filters of warnings": list(warnings.filters),
        "sys.path": list(sys.path),
        "sys.stdout": id(sys.stdout),
        "sys.stderr": id(sys.stderr),
        "sys.excepthook": sys.excepthook,
        "the recursion limit": sys.getrecursionlimit(),
        "the handlers of signals": handlers,
        "the threads": sorted(thread.name for thread in threading.enumerate()),
        "the locale": locale.setlocale(locale.LC_ALL),
        "random's state": random.getstate(),
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is otherwise than before, what is new and what is gone included."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def facts(point: EntryPoint, heavy: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    touched: list[str] = []
    sys.addaudithook(lambda event, arguments: touched.append(event) if event in TOUCHES else None)
    before, had, started = process(), set(sys.modules), time.perf_counter()

    def brought() -> list[str]:
        new = {name.partition(".")[0] for name in set(sys.modules) - had}
        return [name for name in heavy if name in new]

    try:
        plugin = point.load()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is asked
        return {"broke": summary(error)}
    told["heavy"] = brought()
    try:
        rows = registered_rows(plugin)
    except BaseException as error:  # noqa: BLE001
        rows, told["unregistered"] = [], summary(error).removeprefix("PluginError: ")
    told |= {"seconds": time.perf_counter() - started, "changed": changed(before, process()), "touched": touched}
    told["rows"] = [[kind, {name: getattr(row, name) for name in row.__slots__}] for kind, row in rows]
    told["settings"] = {}
    for module in dict.fromkeys(row.settings.partition(":")[0] for _, row in rows if row.settings):
        had = set(sys.modules)
        with suppress(BaseException):  # what breaks is seen where it is used
            import_module(module)
        told["settings"][module] = brought()
    return told


if __name__ == "__main__":
    name, value, out, *heavy = sys.argv[1:]
    told = facts(EntryPoint(name, value, GROUP), heavy)
    Path(out).write_text(json.dumps(told), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # threads that it has left would keep the process
