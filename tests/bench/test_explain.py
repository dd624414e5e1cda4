"""The one net: what is no fault of the code is one line of the command line and a RerankError of the API."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rr
from rr_bench.cli import rerank as command
from rr_bench.explain import explained, explaining
from tests.conftest import INTERRUPTIBLE
from tests.shelves.in_process import runner

REQUESTS = "".join(f'{{"id": "q{n}", "query": "phòng", "documents": ["phòng rẻ", "phòng {n}"]}}\n' for n in range(6))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EIO, errno.EMFILE])
def test_an_error_of_the_system_names_the_file_and_the_mend(number: int) -> None:
    told = str(explained(OSError(number, os.strerror(number), "/data/some/file")))
    assert told.startswith(f"/data/some/file: {os.strerror(number)}; ")
    assert "\n" not in told


def test_what_lies_in_the_home_is_said_to() -> None:
    path = f"{os.environ['RR_HOME']}/scores/part"
    told = explained(OSError(errno.ENOSPC, "No space left on device", path))
    assert str(told) == f"{path}: No space left on device in $RR_HOME; make room there"


@pytest.mark.parametrize(
    "error",
    [
        OSError("a library's\nown words"),
        UnicodeEncodeError("latin-1", "Δ", 0, 1, "ordinal not in range"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
        sqlite3.OperationalError("database or disk is full"),
        rr.DataError("known"),
    ],
)
def test_what_is_no_fault_of_the_code_is_explained_in_one_line(error: Exception) -> None:
    told = explained(error)
    assert str(told)
    assert "\n" not in str(told)


@pytest.mark.parametrize("error", [ValueError("x"), TypeError("x"), KeyError("x"), IndexError(), AssertionError()])
def test_a_fault_of_the_code_comes_out_as_it_is(error: Exception) -> None:
    assert explained(error) is None
    with pytest.raises(type(error)) as caught, explaining():
        raise error
    assert caught.value is error


@pytest.mark.parametrize("call", ["load", "bench"])
def test_the_api_gives_it_as_a_rerank_error_with_its_cause(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object, **__: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "/home/x")

    monkeypatch.setattr(f"rr_bench.{'api' if call == 'load' else 'evaluate.bench'}.installed_plugins", full)
    with pytest.raises(rr.RerankError, match="/home/x: No space left on device; make room there") as caught:
        getattr(rr, call)("bm25" if call == "load" else ["bm25"], registry=small_registry)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("strict", [False, True])
def test_a_fault_of_ours_is_one_line_too_and_its_traceback_to_be_had(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], strict: bool
) -> None:
    def fault(*_: object, **__: object) -> Any:
        raise KeyError("forgotten")

    monkeypatch.setattr("rr_bench.api.load", fault)
    if strict:
        monkeypatch.setenv("RR_STRICT", "1")
    ended = runner(monkeypatch, capsys)("rerank", "bm25", "-q", "a", "b", "--registry", small_registry)
    assert (ended.code, ended.out) == (70, "")
    assert "error: KeyError: 'forgotten'; this is a fault of rr" in ended.said[-1]
    assert ("Traceback" in ended.err) == strict
    assert len(ended.said) == 1 or strict


# streams


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a full device")
@pytest.mark.parametrize("arguments", [["list"], ["rerank", "bm25", "-q", "a", "b"], ["--help"]])
def test_a_full_stdout_is_one_line(small_registry: Path, arguments: list[str]) -> None:
    chosen = [] if arguments == ["--help"] else ["--registry", str(small_registry)]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", INTERRUPTIBLE, *arguments, *chosen],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
        )
    assert ended.returncode == 2
    assert ended.stderr == "error: No space left on device; make room there\n"


def test_a_reader_that_goes_away_is_no_error(small_registry: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTIBLE, "list", "--registry", str(small_registry)],
        stdout=writer,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=60,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_any_encoding_of_the_terminal_gets_all_answers(small_registry: Path, tmp_path: Path, encoding: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(REQUESTS.replace("rẻ", "rẻ 😀 é"), encoding="utf-8")
    command = [sys.executable, "-c", INTERRUPTIBLE, "rerank", "bm25"]
    options = ["--registry", str(small_registry), "--input", str(source)]

    def answered(spoken: str) -> list[Any]:
        environment = {**os.environ, "PYTHONIOENCODING": spoken}
        ended = subprocess.run([*command, *options], capture_output=True, env=environment, timeout=120)
        assert ended.returncode == 0, ended.stderr
        # a stream that claims to be ASCII is taken for one that was not set up, and gets UTF-8
        text = ended.stdout.decode("utf-8" if spoken == "ascii" else spoken)
        return [json.loads(line) for line in text.splitlines()]

    assert answered(encoding) == answered("utf-8")


# rr rerank: answers stay, errors have a place, Ctrl-C says what is true


class Failing:
    """Stands between the loaded reranker and the command: breaks at one query."""

    def __init__(self, reranker: Any, query_id: str, error: BaseException) -> None:
        self._reranker, self._query_id, self._error = reranker, query_id, error
        self.asked: list[str] = []

    @property
    def info(self) -> rr.ModelInfo:
        info: rr.ModelInfo = self._reranker.info
        return info

    def rerank(self, requests: Any) -> Any:
        for request in requests:
            self.asked.append(request.query.id)
            if request.query.id == self._query_id:
                raise self._error
        return self._reranker.rerank(requests)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts the breaking reranker into what `rr.load` gives; None puts none."""
    from dataclasses import replace

    import rr_bench.api

    whole = rr_bench.api.load

    def install(query_id: str, error: BaseException) -> list[Failing]:
        made: list[Failing] = []

        def load(*arguments: Any, **options: Any) -> Any:
            named = whole(*arguments, **options)
            made.append(Failing(named.reranker, query_id, error))
            return replace(named, reranker=made[-1])

        monkeypatch.setattr(rr_bench.api, "load", load)
        return made

    return install


def test_a_scoring_error_has_its_place_and_the_answers_before_it_stay(
    small_registry: Path,
    tmp_path: Path,
    failing: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(REQUESTS, encoding="utf-8")
    run = runner(monkeypatch, capsys)
    arguments = ("rerank", "bm25", "--registry", small_registry, "--input", source)
    whole = run(*arguments).out
    assert whole.count("\n") == 6

    failing("q3", rr.ScoringError("query 'q3': 1 of 2 scores are NaN or infinite"))
    printed = run(*arguments)
    assert printed.code == 2
    assert printed.out == "".join(whole.splitlines(keepends=True)[:3])
    assert printed.said == [f"error: {source}, line 4, query 'q3': 1 of 2 scores are NaN or infinite"]

    written = run(*arguments, "--out", out)
    assert (written.code, written.out) == (2, "")
    assert f"{source}, line 4, query 'q3': 1 of 2" in written.said[0]
    assert f"3 answers before it are kept in {tmp_path}/.out.jsonl.partial" in written.said[0]
    assert not out.exists()
    (made,) = [failing("none", ValueError())]
    assert run(*arguments, "--out", out).code == 0
    assert made[0].asked == ["q3", "q4", "q5"]  # the others are not asked again
    assert out.read_text(encoding="utf-8") == whole
    assert not out.with_name(".out.jsonl.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-q", "phòng", "phòng rẻ"], "interrupted"),
        (["--input", "in.jsonl"], "interrupted; the answers before it are printed"),
        (["--input", "in.jsonl", "--out", "out.jsonl"], f"interrupted; {command.RESUMES}"),
    ],
)
def test_an_interrupt_says_what_is_true_of_the_command(
    small_registry: Path,
    tmp_path: Path,
    failing: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text(REQUESTS, encoding="utf-8")
    failing("query" if "-q" in arguments else "q2", KeyboardInterrupt())
    ended = runner(monkeypatch, capsys)("rerank", "bm25", "--registry", small_registry, *arguments)
    assert (ended.code, ended.said) == (128 + signal.SIGINT, [said])
    assert ended.out.count("\n") == (2 if "printed" in said else 0)


@pytest.mark.parametrize("words", [["list"], ["info", "bm25"], ["data", "list"]])
def test_what_keeps_nothing_promises_nothing(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    def stopped(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("rr_bench.registry.load_registry", stopped)
    ended = runner(monkeypatch, capsys)(*words, "--registry", small_registry)
    assert (ended.code, ended.out, ended.said) == (128 + signal.SIGINT, "", ["interrupted"])
