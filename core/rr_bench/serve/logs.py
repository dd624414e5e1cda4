"""Log lines as JSON on stderr, one an event. They hold no text and no key of a client's."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from rr.registry.expansion import as_written

LOG = logging.getLogger("rr.serve")
NAMES = ("rr", "uvicorn", "py.warnings")
"""Whose lines are made JSON too."""
LEVELS = {"rr": logging.INFO, "uvicorn": logging.WARNING, "py.warnings": logging.WARNING}


class JsonLines(logging.Formatter):
    """`time` (UTC), `level`, `event`, and what was given as `extra={"fields": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {"time": stamp, "level": record.levelname.lower(), "event": as_written(record.getMessage())}
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, default=str)  # in ASCII: no terminal obeys anything in it


def log(event: str, level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> None:
    LOG.log(level, event, exc_info=error, extra={"fields": fields})


@contextmanager
def json_lines() -> Iterator[None]:
    """For the block."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    loggers = {logging.getLogger(name): LEVELS[name] for name in NAMES}
    before = {one: (one.level, one.propagate) for one in loggers}
    logging.captureWarnings(True)
    for one, level in loggers.items():
        one.addHandler(handler)
        one.setLevel(level)
        one.propagate = False
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for one, (level, propagate) in before.items():
            one.removeHandler(handler)
            one.setLevel(level)
            one.propagate = propagate
