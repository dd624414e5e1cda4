"""The border between this program and the code of plugins: whatever happens beyond it comes back as a `PluginError`,
prints nothing on stdout, and leaves the process as it was.

Put back are: the streams, the working directory, `RR_*` of the environment, the handlers of signals and an alarm that
was set, warnings turned into errors, what `logging` disables, a lowered recursion limit, numpy's error handling, and
torch's default type, threads, precision, determinism and gradients. Not put back, since it cannot be done at this price
or would hide what the gate looks for: the states of random generators, other variables of the environment, locale,
`sys.path`, and what was patched in other modules. Whatever this project benches draws from generators of its own.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from rr.errors import PluginError, RerankError, summary
from rr_bench.border.shield import lead, shielded

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGALRM") if hasattr(signal, name)
]

TORCH = {
    "get_default_dtype": ("set_default_dtype", "float32"),
    "get_num_threads": ("set_num_threads", None),
    "get_float32_matmul_precision": ("set_float32_matmul_precision", "highest"),
    "are_deterministic_algorithms_enabled": ("use_deterministic_algorithms", False),
    "is_grad_enabled": ("set_grad_enabled", True),
}
"""Of torch: a function that reads → one that writes, and what it begins with (None: not known)."""

Value = tuple[Callable[[], Any], Callable[[Any], object], Any]
"""How to read something, how to put it back, and what it was."""

_depth = threading.local()


@contextmanager
def plugin_code(
    what: str, passing: type[BaseException] | tuple[type[BaseException], ...] = RerankError
) -> Iterator[None]:
    """The block runs code of a plugin; `what` begins the line that says what broke. May be nested and used by several
    threads; our own output belongs outside.

    Raises:
        PluginError: it raised anything (`SystemExit` and the like too, which is its cause) but `passing`, which passes
            as it is, and what a handler of the caller's signals raised in it (Ctrl-C above all).
    """
    if getattr(_depth, "value", 0):
        state, handlers = [], _depth.handlers
    else:
        state, handlers = _state(), _handlers()
        _depth.handlers = handlers
    _depth.value = getattr(_depth, "value", 0) + 1
    try:
        with shielded():
            yield
    except passing:
        raise
    except BaseException as error:
        interrupt = _interrupt_in(error, handlers)
        if interrupt is not None:
            raise interrupt from None
        raise PluginError(f"{what}: {summary(error)}") from error
    finally:
        _depth.value -= 1
        if not _depth.value:
            _put_back(state)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stands in for Python's own handler of Ctrl-C, whose exception cannot be told from one that a plugin raises."""
    raise KeyboardInterrupt


def _handlers() -> set[CodeType]:
    """The code of whatever the caller lets signals run."""
    found: list[Any] = [signal.getsignal(number) for number in SIGNALS]
    return {_interrupt.__code__, *(handler.__code__ for handler in found if hasattr(handler, "__code__"))}


def _interrupt_in(error: BaseException | None, handlers: set[CodeType]) -> BaseException | None:
    """What one of the handlers raised, if that is why there is this error, whatever a plugin made of it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # a plugin may chain its errors in a circle
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code in handlers:
                return error
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return None


def _state() -> list[Value]:
    """What is put back. Of the main thread the signals too, among which Ctrl-C gets the handler that can be told."""
    state: list[Value] = [
        (get, put, get())
        for get, put in (
            (_closed, _reopen),  # first: whatever is opened next must not get the number of one of them
            (_folder, _go_to),
            (_environment, _set_environment),
            (_error_filters, _drop_error_filters),
            (lambda: logging.root.manager.disable, logging.disable),
            (_torch, _set_torch),
            (sys.getrecursionlimit, lambda depth: sys.setrecursionlimit(max(depth, sys.getrecursionlimit()))),
        )
    ]
    if "numpy" in sys.modules:
        numpy = sys.modules["numpy"]
        state.append((numpy.geterr, lambda how: numpy.seterr(**how), numpy.geterr()))
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler is not None:  # else not Python's to put back
                state.append((partial(signal.getsignal, number), partial(signal.signal, number), handler))
        if hasattr(signal, "SIGALRM"):
            state.append((_alarm, _stop_alarm, _alarm()))
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupt)
    return state


def _torch() -> dict[str, Any]:
    """Name of a function → what it gives; nothing as long as torch is not imported."""
    torch = sys.modules.get("torch")
    with suppress(AttributeError):  # another thread is importing it
        return {name: getattr(torch, name)() for name in TORCH} if torch else {}
    return {}


def _set_torch(before: dict[str, Any]) -> None:
    """Where the plugin was the first to import torch, it had what torch begins with before."""
    torch = sys.modules["torch"]
    for name, (put, initial) in TORCH.items():
        value = before.get(name, initial)
        if value is not None and getattr(torch, name)() != value:
            getattr(torch, put)(value if value != "float32" else torch.float32)


def _put_back(state: list[Value]) -> None:
    for get, put, before in state:
        if get() != before:
            put(before)


def _closed() -> set[int]:
    """Which of stdin, stdout and stderr are."""
    closed = set()
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
    return closed


def _reopen(before: set[int]) -> None:
    """Those that the plugin closed lead nowhere then; the command line's own output has another number."""
    for descriptor in sorted(_closed() - before):
        lead(descriptor, to=2 if descriptor == 1 else None)


def _folder() -> str | None:
    with suppress(OSError):  # it was deleted
        return str(Path.cwd())
    return None


def _go_to(folder: str | None) -> None:
    with suppress(OSError):
        if folder is not None:
            os.chdir(folder)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in os.environ if name.startswith("RR_")}


def _set_environment(before: dict[str, str]) -> None:
    for name in _environment():
        del os.environ[name]
    os.environ.update(before)


def _error_filters() -> list[Any]:
    return [one for one in warnings.filters if one[0] == "error"]


def _drop_error_filters(before: list[Any]) -> None:
    """Whatever else a plugin says of warnings stays: what it silences would be noise."""
    warnings.filters = [one for one in warnings.filters if one[0] != "error" or one in before]


def _alarm() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _stop_alarm(running: bool) -> None:
    if not running:
        signal.setitimer(signal.ITIMER_REAL, 0)
