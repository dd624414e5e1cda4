"""A worker's side: where it stands, checked once; then one task after the other."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import re
import socket
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from rr.errors import NotApplicableError, RerankError, summary
from rr.files import home, kept, write_atomic
from rr_bench.cache.using import Claim
from rr_bench.code import room_fingerprint
from rr_bench.engine.store import MARKS, Store, shared_from_now_on
from rr_bench.engine.task import Outcome, State, made_elsewhere, names_of

PASSED_ON = ("RR_", "HF_", "TRANSFORMERS_")
"""What variables begin with that workers on other machines get; and those that a task names, as `${VARIABLE}`."""
VARIABLE = re.compile(r"\$\{(\w+)")
_claims: list[Claim] = []
"""To the machine's own `$RR_HOME`, which the home of a store lies in, until this process ends."""


@contextmanager
def place(named: str = "", store: Store | None = None) -> Iterator[dict[str, Any]]:
    """Where this process stands, as plain data for `stand`. `named`: text whose `${VARIABLE}`s workers need, too.
    `store`: what they share with it in place of its `$RR_HOME`."""
    names = [name for name in os.environ if name.startswith(PASSED_ON)] + VARIABLE.findall(named)
    environment = {name: os.environ[name] for name in names if name in os.environ}
    here = home().absolute()
    mark = here / MARKS / uuid.uuid4().hex
    write_atomic(mark, "")
    try:
        yield {
            "environment": {**environment, "RR_HOME": str(here)},
            "folder": str(Path.cwd()),
            "mark": str(mark),
            "store": None if store is None else {"url": store.url, "mark": store.mark},
            "code": _code(),
        }
    finally:
        mark.unlink(missing_ok=True)


def stand(where: Mapping[str, Any]) -> None:
    """Takes this process to where the one stands that hands out the work.

    Raises:
        RerankError: it does not see that one's `$RR_HOME`, or its store, or runs another release.
    """
    store, own = where["store"], os.environ.get("RR_HOME", "")
    os.environ.update(where["environment"])
    if store is not None:
        os.environ["RR_HOME"] = own  # empty as where there is none
        _claims.append(Claim())
        try:
            shared_from_now_on(**store)
        except RerankError as error:
            raise RerankError(f"{socket.gethostname()}: {error}") from error
    with contextlib.suppress(OSError):  # of another machine: paths that are whole need no folder to start from
        os.chdir(where["folder"])
    if store is None and not Path(where["mark"]).exists():
        raise RerankError(
            f"{socket.gethostname()} does not see {os.environ['RR_HOME']}; put $RR_HOME on a file system that all "
            "machines share, under the same path; a bench may name a --store instead"
        )
    if where["code"] != _code():
        raise RerankError(
            f"{socket.gethostname()} runs another rerank-registry or another Python than this machine; install the "
            "same ones on all"
        )


def do(function: str, arguments: Mapping[str, Any], made_anew: list[str] | None) -> dict[str, Any]:
    """An `Outcome` as plain data. `made_anew`: what all workers together have made anew so far; None: what is kept is
    good."""
    kept.made_anew = None if made_anew is None else set()
    made_elsewhere(made_anew or ())
    before = set(kept.made_anew or ())
    with heard() as said:
        try:
            module, _, name = function.partition(":")
            outcome = Outcome("done", getattr(import_module(module), name)(**arguments))
        except Exception as error:  # noqa: BLE001 - whoever handed it out tells it
            reason = str(error) if isinstance(error, RerankError) else summary(error)
            state: State = "inapplicable" if isinstance(error, NotApplicableError) else "failed"
            outcome = Outcome(state, None, reason, traceback.format_exc())
    return replace(outcome, made=names_of((kept.made_anew or set()) - before), said=said).plain()


@contextmanager
def heard() -> Iterator[list[tuple[int, str]]]:
    """What this program logs in the block, which is said where the work was handed out."""
    said: list[tuple[int, str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append((record.levelno, record.getMessage()))

    logger, handler = logging.getLogger("rr"), Handler()
    logger.addHandler(handler)
    logger.propagate, before = False, logger.propagate
    try:
        yield said
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


def _code() -> list[str]:
    return [platform.python_version(), room_fingerprint("rr"), room_fingerprint("rr_bench")]
