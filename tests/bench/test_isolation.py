"""The border to a plugin's code: what is raised, printed and changed beyond it in any thread; what takes too long."""

from __future__ import annotations

import io
import logging
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy
import pytest

import rr
from rr.errors import PluginError, RerankError, summary
from rr.registry.plugins import discover
from rr.rerank.gate import score_all
from rr_bench.border.isolation import plugin_code
from rr_bench.border.patience import in_time


class Own(BaseException):
    pass


@pytest.mark.parametrize(
    "error",
    [Own("x"), SystemExit(), SystemExit(0), GeneratorExit(), KeyboardInterrupt(), StopIteration(1), MemoryError()],
    ids=repr,
)
def test_whatever_is_raised_is_a_plugin_error_with_its_cause(error: BaseException) -> None:
    with pytest.raises(PluginError) as caught, plugin_code("it failed"):
        raise error
    assert caught.value.__cause__ is error
    assert str(caught.value) == f"it failed: {summary(error)}"


def test_errors_of_ours_pass_unchanged() -> None:
    ours = RerankError("a line of its own")
    with pytest.raises(RerankError) as caught, plugin_code("outer"), plugin_code("inner"):
        raise ours
    assert caught.value is ours
    with pytest.raises(PluginError, match=r"^inner: ValueError: x$"), plugin_code("outer"), plugin_code("inner"):
        raise ValueError("x")


def test_errors_that_are_chained_in_a_circle_come_to_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    with pytest.raises(PluginError, match="one"), plugin_code("x"):
        raise one


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)


def wrap_ctrl_c() -> None:
    try:
        press_ctrl_c()
    except BaseException as error:
        raise RuntimeError("I was busy") from error


def exit_on_ctrl_c() -> None:
    try:
        press_ctrl_c()
    except KeyboardInterrupt:
        sys.exit(1)


@pytest.mark.parametrize("code", [press_ctrl_c, wrap_ctrl_c, exit_on_ctrl_c])
def test_the_users_ctrl_c_passes_whatever_the_plugin_makes_of_it(code: Callable[[], None]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), plugin_code("x"), plugin_code("y"):
            code()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_the_callers_own_signal_handler_raises_passes() -> None:
    def stop(number: int, frame: Any) -> None:
        sys.exit(7)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(SystemExit, match="7"), plugin_code("x"):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_nothing_is_printed_on_stdout_by_any_of_several_threads(capsys: pytest.CaptureFixture[str]) -> None:
    inside, leave = threading.Barrier(3), threading.Event()

    def work() -> None:
        with plugin_code("x"):
            inside.wait(10)
            leave.wait(10)
            print("from a thread")  # noqa: T201

    threads = [threading.Thread(target=work) for _ in range(2)]
    out, err = sys.stdout, sys.stderr
    for thread in threads:
        thread.start()
    inside.wait(10)
    with plugin_code("x"), plugin_code("y"):
        print("nested")  # noqa: T201
    leave.set()
    for thread in threads:
        thread.join()
    assert (sys.stdout, sys.stderr) == (out, err)
    print("ours")  # noqa: T201
    printed = capsys.readouterr()
    assert printed.out == "ours\n"
    assert sorted(printed.err.splitlines()) == ["from a thread", "from a thread", "nested"]


def test_a_log_handler_that_a_plugin_made_still_writes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with plugin_code("x"):
        handler = logging.StreamHandler(sys.stdout)
    logger = logging.Logger("theirs")
    logger.addHandler(handler)
    logger.warning("later")
    assert capsys.readouterr() == ("", "later\n")


def test_streams_survive_what_is_done_to_them(capsys: pytest.CaptureFixture[str]) -> None:
    with plugin_code("x"):
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        wrapped = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        wrapped.write("wrapped\n")
        wrapped.close()
        sys.stderr.close()
        sys.stdout = None  # type: ignore[assignment]
    print("out")  # noqa: T201
    print("err", file=sys.stderr)  # noqa: T201
    assert capsys.readouterr() == ("out\n", "wrapped\nerr\n")


def make_itself_at_home(folder: Path) -> None:
    import torch

    os.chdir(folder)
    os.environ["RR_STRICT"] = "1"
    os.environ["RR_REGISTRY"] = "theirs.yaml"
    sys.setrecursionlimit(sys.getrecursionlimit() - 1)
    warnings.simplefilter("error", UserWarning)
    logging.disable(logging.CRITICAL)
    numpy.seterr(all="raise")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 30)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(torch.get_num_threads() + 1)
    os.close(0)
    raise Own


def test_the_process_is_put_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("RR_STRICT", "0")
    folder, limit, errors = Path.cwd(), sys.getrecursionlimit(), numpy.geterr()
    filters, handler = list(warnings.filters), signal.getsignal(signal.SIGTERM)
    threads = torch.get_num_threads()
    with pytest.raises(PluginError), plugin_code("x"):
        make_itself_at_home(tmp_path)
    assert Path.cwd() == folder
    assert os.environ["RR_STRICT"] == "0"
    assert "RR_REGISTRY" not in os.environ
    assert sys.getrecursionlimit() == limit
    assert warnings.filters == filters
    assert logging.root.manager.disable == 0
    assert numpy.geterr() == errors
    assert signal.getsignal(signal.SIGTERM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert (torch.get_default_dtype(), torch.get_num_threads()) == (torch.float32, threads)
    assert torch.is_grad_enabled()
    os.fstat(0)


def test_a_raised_recursion_limit_and_silenced_warnings_stay() -> None:
    limit = sys.getrecursionlimit()
    with warnings.catch_warnings():
        with plugin_code("x"):
            sys.setrecursionlimit(limit + 1)
            warnings.simplefilter("ignore", FutureWarning)
        assert sys.getrecursionlimit() == limit + 1
        warnings.warn("nobody hears it", FutureWarning, stacklevel=1)
    sys.setrecursionlimit(limit)


def loop() -> None:
    """Ends at last, for where it is left behind in a thread."""
    end = time.monotonic() + 8
    while time.monotonic() < end:
        pass


def accept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        server.accept()


def wait_for_a_lock() -> None:
    lock = threading.Lock()
    with lock:
        lock.acquire(timeout=30)


HANGS = {
    "loop": loop,
    "accept": accept,
    "lock": wait_for_a_lock,
    "sleep": lambda: time.sleep(30),
    "event": lambda: threading.Event().wait(30),
}


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_what_hangs_is_given_up_and_no_alarm_left(hang: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_PLUGIN_TIMEOUT", "0.2")
    started, handler = time.monotonic(), signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError, match=r"not done after 0.2 s, given up; RR_PLUGIN_TIMEOUT allows more"):
        in_time("x", hang)
    assert time.monotonic() - started < 5
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_what_hangs_is_given_up_in_any_thread(hang: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_PLUGIN_TIMEOUT", "0.2")
    found = in_thread(lambda: in_time("x", hang))
    assert isinstance(found, TimeoutError)
    assert "given up" in str(found)


def test_in_any_thread_the_result_or_the_error_comes_back() -> None:
    def fail() -> None:
        raise Own("x")

    assert in_thread(lambda: in_time("x", lambda: 3)) == 3
    assert isinstance(in_thread(lambda: in_time("x", fail)), Own)


def in_thread(call: Callable[[], object]) -> object:
    """What the call gives or raises in a thread of its own."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:  # noqa: BLE001 - it is what is asked for
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return found[0]


def test_an_alarm_of_the_callers_goes_on() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        assert in_time("x", lambda: time.sleep(0.01)) is None
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < 0.3
        in_time("x", lambda: time.sleep(0.5))  # it is due meanwhile, and rings at once
        time.sleep(0.1)
        assert rung == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Lazy:
    """Answers that print and break only when they are read."""

    info = rr.ModelInfo(scale="rank")

    def score(self, requests: Any) -> Any:
        print("reading")  # noqa: T201
        yield (value for value in self.values())

    def values(self) -> Any:
        print("and on")  # noqa: T201
        yield 1.0
        raise SystemExit


def test_answers_are_read_on_the_plugins_side(capsys: pytest.CaptureFixture[str]) -> None:
    request = rr.Request(rr.Query("q", "x"), (rr.Document("a", "x"), rr.Document("b", "y")))
    with pytest.raises(PluginError, match=r"^score failed: SystemExit$"):
        score_all(Lazy(), [request])
    assert capsys.readouterr() == ("", "reading\nand on\n")


PLUGIN = """
import rr
class Plugin:
    @rr.hookimpl
    def rr_register_scorers(self):
        return [rr.Component("by_instance", "rr_baselines.scorers:Bm25", "Registered by an instance")]
plugin = Plugin()
nothing = None
"""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("its_plugin:plugin", ""),
        ("its_plugin", "registers nothing: its_plugin has no function marked"),
        ("its_plugin:nothing", "registers nothing: NoneType has no function marked"),
        ("its_plugin:missing", "import failed: AttributeError"),
        ("its plugin", "its entry point 'its plugin' is not 'module' or 'module:object'"),
    ],
)
def test_what_an_entry_point_may_name(value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "its_plugin.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = discover([EntryPoint("one", value, "rr.plugins")])
    assert [one.component.name for one in found.components] == ([] if said else ["by_instance"])
    assert all(said in one.reason for one in found.failures)
    assert len(found.failures) == bool(said)


def test_a_name_twice_in_a_distribution_is_said_of_the_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "its_plugin.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = discover([EntryPoint(name, "its_plugin:plugin", "rr.plugins") for name in ("one", "two")])
    assert [one.plugin for one in found.components] == ["one"]
    assert found.failures[0].reason == (
        "scorer 'by_instance' of unknown is already that of its plugin 'one'; rename one of them"
    )
    assert found.failures[0].traceback
