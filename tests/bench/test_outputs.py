"""`--out` and `--json`: checked before the work, written before printing, and nothing of the user's is touched."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import warnings
from pathlib import Path

import pytest

import rr_bench.report.files
from rr.errors import RerankError
from rr_bench.cli import main, printing
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.outputs import folder_for, new_path
from rr_bench.report.files import FILES, write_result


@pytest.fixture(autouse=True)
def _streams_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(logging.lastResort, "formatter", None)


def broken_pipe() -> io.FileIO:
    """One that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return io.FileIO(writing, "w")


def run(
    monkeypatch: pytest.MonkeyPatch, *arguments: str | Path, encoding: str = "utf-8", broken: bool = False
) -> tuple[int, str, str]:
    """The command in this process: exit code, stdout and stderr of that encoding."""
    out, err = io.BytesIO(), io.BytesIO()
    raw = io.BufferedWriter(broken_pipe()) if broken else out
    monkeypatch.setattr(sys, "argv", ["rr", *map(str, arguments)])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, write_through=True))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(err, encoding, write_through=True))
    with pytest.raises(SystemExit) as ended:
        main()
    if broken:
        sys.stdout.close()
    return int(ended.value.code or 0), out.getvalue().decode(encoding), err.getvalue().decode(encoding)


def taken(tmp_path: Path, kind: str) -> Path:
    """A place where no folder of results can be."""
    path = tmp_path / kind
    if kind == "file":
        path.write_text("mine")
    elif kind == "below a file":
        path.write_text("mine")
        path /= "out"
    elif kind == "a dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "bench.csv is a folder":
        (path / "bench.csv").mkdir(parents=True)
    elif kind == "no folder can be made":
        path = Path("/proc/rr/out")
    elif kind == "too long":
        path /= "x" * 300
    return path


PLACES = ["file", "below a file", "a dangling link", "bench.csv is a folder", "no folder can be made", "too long"]


@pytest.mark.attack("bad input")
@pytest.mark.parametrize("kind", PLACES)
def test_a_bench_that_cannot_be_written_is_not_begun(
    small_registry: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = taken(tmp_path, kind)
    code, stdout, stderr = run(monkeypatch, "bench", "--all", "--registry", small_registry, "--out", out)
    assert (code, stdout) == (2, "")
    assert len(stderr.splitlines()) == 1
    assert str(out) in stderr
    assert not (tmp_path / "rr-home").exists(), "work was done"


@pytest.mark.attack("bad input")
@pytest.mark.parametrize("kind", [*(kind for kind in PLACES if "csv" not in kind), "folder", "device"])
def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, kind: str) -> None:
    path = {"folder": tmp_path, "device": Path(os.devnull), "file": taken(tmp_path, "file") / "x"}.get(kind)
    with pytest.raises(RerankError) as caught:
        new_path(path or taken(tmp_path, kind), "--out")
    assert "\n" not in str(caught.value)


def test_bias_is_not_begun_where_its_file_cannot_be_written(
    small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, stderr = run(
        monkeypatch, "bias", "bi-encoder", "-d", "rooms", "--registry", small_registry, "--json", tmp_path
    )
    assert code == 2
    assert stderr == f"error: {tmp_path} exists already; delete it, or name another --json\n"
    assert not (tmp_path / "rr-home").exists()


def test_what_can_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bench.csv").write_text("old")
    folder_for(tmp_path, FILES, "--out")
    folder_for(tmp_path / "new" / "out", FILES, "--out")
    new_path(tmp_path / "new" / "file.json", "--json")
    assert [file.name for file in tmp_path.iterdir()] == ["bench.csv"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding_loses_nothing(
    small_registry: Path, tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("bench", "first-stage", "random", "--registry", small_registry, "--out", tmp_path / "out")
    code, stdout, stderr = run(monkeypatch, *arguments, encoding=encoding)
    assert code == 0, stderr
    assert ("Δ nDCG@10" in stdout) == (encoding == "utf-8")
    assert ("\\u0394 nDCG@10" in stdout) == (encoding != "utf-8")
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES)
    assert "Δ" in (tmp_path / "out" / "bench.md").read_text(encoding="utf-8")


def test_json_lines_are_read_back_whole_from_any_encoding(
    small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = tmp_path / "requests.jsonl"
    texts = ["phòng 😀", "\x1b[31m \x9b \u202e", "rẻ"]
    requests.write_text(json.dumps({"query": "phòng Δ", "documents": texts}) + "\n", encoding="utf-8")
    arguments = ("rerank", "bm25", "--registry", small_registry, "--input", requests)
    code, stdout, _ = run(monkeypatch, *arguments, encoding="latin-1")
    assert code == 0
    answer = json.loads(stdout)
    assert answer["query"] == "phòng Δ"
    assert sorted(item["text"] for item in answer["ranking"]) == sorted(texts)
    assert not set("\x1b\x9b\u202e") & set(stdout)


def test_a_pipe_that_breaks_finds_the_files_written(
    small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("bench", "first-stage", "--registry", small_registry, "--out", tmp_path / "out")
    code, _, stderr = run(monkeypatch, *arguments, broken=True)
    assert code == 1
    assert "Traceback" not in stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES)


def test_a_disk_that_fills_up_at_the_end_still_shows_the_table(
    small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rr_bench.report.files, "write_atomic", full)
    arguments = ("bench", "first-stage", "--registry", small_registry, "--out", tmp_path / "out")
    code, stdout, stderr = run(monkeypatch, *arguments)
    assert code == 2
    assert "first-stage" in stdout
    assert "not all results could be written (No space left on device)" in stderr


def result_of(*rows: Row, failure: str = "") -> BenchResult:
    data = DatasetResult("rooms", rows=rows, failure=failure, traceback="of the data")
    return BenchResult("p", "first-stage", ("nDCG@10",), (data,), {"machine": "x"})


def test_a_folder_that_is_used_again_keeps_no_stale_failure(tmp_path: Path) -> None:
    mine = [tmp_path / "failures" / "rooms" / "mine.txt", tmp_path / "failures" / "notes.txt", tmp_path / "mine.md"]
    first = result_of(*(Row(name, failure="x", traceback=name) for name in ("a", "b", "../mine")))
    write_result(first, tmp_path)
    for file in mine:
        file.write_text("mine")
    write_result(result_of(Row("b", failure="x", traceback="anew")), tmp_path)
    assert sorted(file.name for file in (tmp_path / "failures" / "rooms").iterdir()) == ["b.txt", "mine.txt"]
    assert (tmp_path / "failures" / "rooms" / "b.txt").read_text() == "anew"
    write_result(result_of(failure="x"), tmp_path)
    assert sorted(file.name for file in (tmp_path / "failures" / "rooms").iterdir()) == ["data.txt", "mine.txt"]
    for file in mine[:2]:
        assert file.read_text() == "mine"
        file.unlink()
    write_result(result_of(), tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*FILES, "mine.md"])


@pytest.mark.attack("bad input")
@pytest.mark.parametrize("content", ["{", "[]", "null", '{"datasets": 5}', '{"datasets": [{"name": 5}]}', "[" * 10**5])
def test_an_earlier_result_that_cannot_be_read_is_in_nobodys_way(tmp_path: Path, content: str) -> None:
    (tmp_path / "bench.json").write_text(content)
    (tmp_path / "failures").mkdir()
    (tmp_path / "failures" / "mine.txt").write_text("mine")
    write_result(BenchResult("p", "first-stage", ("nDCG@10",), (), {"machine": "x"}), tmp_path)
    assert (tmp_path / "failures" / "mine.txt").read_text() == "mine"
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["datasets"] == []


@pytest.mark.attack("bad input")
@pytest.mark.parametrize("name", ["..", ".", "../../x", "/etc/x", "a\0b", "x" * 300, "ấ" * 200, "a\nb", "C:\\x", "%2F"])
def test_no_name_leads_a_traceback_out_of_its_folder(tmp_path: Path, name: str) -> None:
    rows = (Row(name, failure="x", traceback="of the row"),)
    data = (DatasetResult(name, failure="x", traceback="of the data"), DatasetResult("rooms", failure="x", rows=rows))
    out = tmp_path / "below" / "out"
    written = write_result(BenchResult("p", "first-stage", ("nDCG@10",), data, {"machine": "x"}), out)
    assert all(file.resolve().is_relative_to(out / "failures") for file in written if file.suffix == ".txt")
    assert sorted(file.read_text() for file in written if file.suffix == ".txt") == ["", "of the data", "of the row"]


def test_warnings_and_log_lines_are_one_harmless_line(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True)
    monkeypatch.setattr(sys, "stderr", err)
    printing.prepare()
    assert logging.lastResort is not None
    logging.lastResort.handle(logging.LogRecord("rr", 30, "", 1, "%s", ("\x1b[2J\nerror: Δ",), None))
    assert err.buffer.getvalue() == b"\\x1b[2J error: \\u0394\n"  # type: ignore[attr-defined]
    assert warnings.formatwarning("\x1b\nx", UserWarning, "a.py", 1) == "a.py:1: UserWarning: \\x1b x\n"
