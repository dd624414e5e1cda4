"""What all code of a process shares, and a component must leave as it is."""

from __future__ import annotations

import io
import logging
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from rr_bench.border.isolation import TORCH

SHARED: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "os.environ": (lambda: dict(os.environ), lambda held: _set_environment(held)),
    "the working directory": (Path.cwd, os.chdir),
    "the root logger's level": (lambda: logging.root.level, logging.root.setLevel),
    "the root logger's handlers": (lambda: list(logging.root.handlers), lambda held: _set_handlers(held)),
    "logging.disable": (lambda: logging.root.manager.disable, logging.disable),
    "sys.path": (lambda: list(sys.path), lambda held: _set_path(held)),
    "sys.getrecursionlimit": (sys.getrecursionlimit, sys.setrecursionlimit),
}
"""Name → how it is read, and how it is set."""


def state() -> dict[str, Any]:
    """All of `SHARED` as it is, and, once others have imported it, what holds for all of torch."""
    found = {name: get() for name, (get, _) in SHARED.items()}
    torch = sys.modules.get("torch")
    return found | {f"torch.{name}": getattr(torch, name)() for name in TORCH if torch is not None}


def put_back(held: Mapping[str, Any]) -> None:
    """Sets all that `state` gave."""
    for name, value in held.items():
        if name in SHARED:
            SHARED[name][1](value)
        else:
            put = TORCH[name.removeprefix("torch.")][0]
            getattr(sys.modules["torch"], put)(value)


def _set_environment(held: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(held):
        del os.environ[name]
    os.environ.update(held)


def _set_handlers(held: list[logging.Handler]) -> None:
    logging.root.handlers[:] = held


def _set_path(held: list[str]) -> None:
    sys.path[:] = held


Generator = tuple[Callable[[], Any], Callable[[Any], object], Callable[[int], object]]


def generators() -> dict[str, Generator]:
    """The random generators that all code shares, those of modules that others have imported: name → how its state is
    read (as bytes or text) and set, and how it is seeded."""
    found: dict[str, Generator] = {"random": (random.getstate, random.setstate, random.seed)}
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        found["numpy.random"] = (
            lambda: numpy.random.get_state(legacy=False),
            numpy.random.set_state,
            numpy.random.seed,
        )
    if torch is not None:
        found["torch"] = (torch.get_rng_state, torch.set_rng_state, torch.default_generator.manual_seed)
    return found


@contextmanager
def generators_kept() -> Iterator[None]:
    """Their states are put back after the block."""
    held = {name: get() for name, (get, _, _) in generators().items()}
    try:
        yield
    finally:
        for name, value in held.items():
            generators()[name][1](value)


@contextmanager
def other_chance(seed: int) -> Iterator[None]:
    """Runs a block with every one of them begun anew at `seed`."""
    with generators_kept():
        sow(seed)
        yield


def sow(seed: int) -> None:
    """Begins each of them anew."""
    for _, _, begin in generators().values():
        begin(seed)


@contextmanager
def printed() -> Iterator[io.StringIO]:
    """What Python code in the block prints, on stdout or stderr. Warnings and log lines are not printed: who runs a
    program decides where these go."""
    text, silent = io.StringIO(), logging.NullHandler()
    logging.root.addHandler(silent)
    try:
        with warnings.catch_warnings(), redirect_stdout(text), redirect_stderr(text):
            warnings.simplefilter("ignore")
            yield text
    finally:
        logging.root.removeHandler(silent)


@contextmanager
def unlogged() -> Iterator[None]:
    """No log line of the block is recorded: pytest keeps them all, which would look like a leak."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
