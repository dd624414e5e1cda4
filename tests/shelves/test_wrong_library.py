"""The shelf of wrong readers, retrievers and commands: `tests/dist/rr_wrong_library`, really installed.

A data set whose reader or retriever is wrong is FAILED and says what is wrong; the others stand. A command that is
wrong is one line; one that nobody could call is listed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Install, Rr

READERS = {
    "gives_none": "gave NoneType, not rr.data.Collection",
    "raises": "RuntimeError: raised in read",
    "exits": "SystemExit: 0",
    "files_are_none": "files gave NoneType, not a list of paths",
    "files_are_one_text": "files gave str, not a list of paths",
    "files_are_numbers": "files gave int among its paths",
    "document_under_another_id": "document 'one' stands under the id 'd1'",
    "query_under_another_id": "query 'one' stands under the id 'q1'",
    "document_is_text": "document 'd1' is str, not rr.Document",
    "blank_id": "an id is a text that is not blank",
    "number_as_id": "a document is called 7",
    "grade_is_text": "query 'q1' judges document 'd1' '1'; give a whole number",
    "grade_is_a_share": "query 'q1' judges document 'd1' 0.5; give a whole number",
    "grade_is_true": "query 'q1' judges document 'd1' True; give a whole number",
    "history_of_ids": "the history of query 'q1' holds something else than rr.Document",
    "run_is_nan": "the run of query 'q1' scores document 'd1' nan, which is no finite number",
    "run_is_text": "the run of query 'q1' scores document 'd1' '1.0'",
    "weight_is_nan": "as a hard negative; give rr.HardNegative",
    "negative_is_an_id": "query 'q1' has 'd2' as a hard negative",
    "group_is_a_number": "query 'q1' is of group 1; give a text",
    "notes_are_text": "notes are 'two lines were left out'; give a tuple of texts",
    "goes_around_the_checks": "a judgement names query 'nobody', which does not exist",
    "qrels_are_a_list": "a judgement is list, not a mapping by id",
}
RETRIEVERS = {
    "fits_nothing": "fit: TypeError",
    "finds_nothing_known": "found document 'nothing', which does not exist",
    "gives_nan": "scores document 'd1' nan, which is no finite number",
    "gives_text": "scores document 'd1' '1.0', which is no finite number",
    "gives_true": "which is no finite number",
    "gives_a_list": "is list, not a mapping by id",
    "gives_a_score_for_none": "is called None; an id is a text",
    "exits_in_fit": "fit: SystemExit: 0",
    "exits_in_scores": "scores: SystemExit: 0",
    "edits_documents": "changed data that it was only shown (Document 'd0'",
    "edits_the_query": "changed data that it was only shown (Query ",
}
UNREACHABLE = {
    "list": "'rr list' is rr's own",
    "data list": "'rr data list' is rr's own",
    "bench deeply": "'rr bench' is rr's own",
    "shelf": "others' names begin with it",
}
Library = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def library(installed: Install, rr_command: Rr, tmp_path: Path) -> Library:
    datasets: dict[str, Any] = {name: {"reader": name, "candidates": {"depth": 4}} for name in ("right", *READERS)}
    datasets |= {name: {"reader": "right", "candidates": {"retriever": name, "depth": 4}} for name in RETRIEVERS}
    content = {
        "version": 1,
        "default_profile": "mine",
        "profiles": {"mine": {"suite": "mine"}},
        "suites": {"mine": {"datasets": datasets}},
        "rerankers": {"first-stage": {"reranker": "first_stage"}, "random": {"reranker": "random"}},
    }
    (tmp_path / "wrong.yaml").write_text(json.dumps(content), encoding="utf-8")
    path = str(installed("rr_wrong_library"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return rr_command(*arguments, PYTHONPATH=path, RR_REGISTRY=str(tmp_path / "wrong.yaml"))

    return run


@pytest.mark.attack("wrong plugin")
def test_each_data_set_says_what_is_wrong_and_the_others_stand(library: Library, tmp_path: Path) -> None:
    ended = library("bench", "--all", "--out", "out")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    found = {one["name"]: one for one in json.loads((tmp_path / "out" / "bench.json").read_text())["datasets"]}
    for name, reason in {**READERS, **RETRIEVERS}.items():
        assert reason in found[name]["failure"], found[name]["failure"]
        assert name in found[name]["failure"] or "judgement" in reason
        assert found[name]["rows"] == []
    assert [row["failure"] for row in found["right"]["rows"]] == ["", ""]


def test_a_retriever_that_does_not_say_whether_it_learns(library: Library, tmp_path: Path) -> None:
    text = (tmp_path / "wrong.yaml").read_text(encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(text.replace('"gives_nan"', '"learns_is_missing"'), encoding="utf-8")
    ended = library("bench", "random", "-d", "learns_is_missing", "--folds", "2")
    assert ended.returncode == 1
    assert "learns is None; it must be True or False" in " ".join(ended.stdout.split())


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize(
    ("arguments", "told", "said"),
    [
        (("exits",), "", "rr exits broke: SystemExit: 0"),
        (("breaks",), "the first line\n", "rr breaks broke: RuntimeError: after the first line"),
        (("numbers",), "", "rr numbers gave int, not lines of text"),
        (("typed",), "", "rr typed has parameters that cannot be read"),
    ],
)
def test_a_command_that_breaks_is_one_line(library: Library, arguments: tuple[str, ...], told: str, said: str) -> None:
    ended = library(*arguments)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, told, 1), ended.stderr
    assert said in ended.stderr


@pytest.mark.attack("wrong plugin")
def test_a_command_that_nobody_can_call_is_listed(library: Library) -> None:
    listed = library("list", "--json")
    assert listed.returncode == 1
    rows = {row["name"]: row["failure"] for row in json.loads(listed.stdout)}
    for name, reason in UNREACHABLE.items():
        assert rows[name].startswith(f"command {name!r} of rr-wrong-library cannot be called: ")
        assert reason in rows[name]
    assert not {"exits", "shelf count"} & set(rows)
    assert "not what 'rr list' is" not in listed.stdout
    assert library("shelf", "count").stdout == "one\n"


@pytest.mark.attack("wrong plugin")
def test_lines_are_told_as_they_come(library: Library, installed: Install, tmp_path: Path) -> None:
    """A command without an end is cut off by `head`, and by Ctrl-C, as any other program is."""
    code = "from rr_bench.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "endless"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed("rr_wrong_library")), "RR_REGISTRY": str(tmp_path / "wrong.yaml")},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert [int(process.stdout.readline()) for _ in range(3)] == [0, 1, 2]
        process.stdout.close()
        assert process.wait(30) in (1, 2)
        assert process.stderr.read() == b""
