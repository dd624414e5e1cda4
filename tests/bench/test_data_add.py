"""`rr data add`: from files of one's own to a bench with a trained cross-encoder, in two commands."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from rr.errors import DataError, RegistryError, RerankError
from rr.registry.plugins import installed_plugins
from rr_bench.own.edited import with_entry
from rr_bench.own.recognise import recognised
from rr_bench.registry import load_registry
from rr_bench.strict_yaml import read_yaml
from rr_data.readers.jsonl import Jsonl
from rr_data.readers.proptit import ProPtit
from rr_data.readers.table import Table
from tests.conftest import ROOT, Rr

ANSWERS = ["phòng có gác lửng", "phòng gần chợ", "phòng có ban công", "nhà rẻ", "căn hộ rộng", "nơi ở yên tĩnh"]
QUESTIONS = 12


def by_suffix(**suffixes: str) -> Any:
    """A `recognise` that goes by the names of files."""

    def recognise(cls: type, paths: Sequence[Path]) -> dict[str, Any] | None:
        found = {key: path for key, suffix in suffixes.items() for path in paths if path.name.endswith(suffix)}
        return found if len(found) == len(suffixes) == len(paths) else None

    return classmethod(recognise)


@pytest.fixture
def spreadsheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A CSV of documents and an XLSX of labelled questions, and a reader that knows them."""
    monkeypatch.setattr(ProPtit, "recognise", by_suffix(corpus=".csv", queries=".xlsx"), raising=False)
    monkeypatch.setattr(Jsonl, "recognise", by_suffix(documents="d.jsonl", queries="q.jsonl", qrels="r.jsonl"), False)
    corpus, questions = tmp_path / "notes.csv", tmp_path / "questions.xlsx"
    with corpus.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["STT", "Văn bản"], *enumerate(ANSWERS, 1)])
    book = openpyxl.Workbook()
    book.active.append(["Query", "Ground truth document"])
    for number in range(QUESTIONS):
        place = number % len(ANSWERS)
        book.active.append([f"tìm {ANSWERS[place]} số {number}", str(place + 1)])
    book.save(questions)
    return corpus, questions


def test_a_csv_and_an_xlsx_become_a_bench_with_a_trained_cross_encoder_in_two_commands(
    rr_command: Rr, spreadsheets: tuple[Path, Path], tmp_path: Path
) -> None:
    documented = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
    add, bench = [line.split()[1:] for line in documented.strip().split("\n")]
    assert add == ["data", "add", "notes", "notes.csv", "questions.xlsx"]
    added = rr_command(*add)
    assert added.returncode == 0, added.stderr
    assert "reader proptit:" in added.stdout
    assert added.stdout.count("sample query") == 3
    assert "damage: none" in added.stdout
    assert "wrote registry.yaml; next: rr bench --all" in added.stderr
    benched = rr_command(*bench, "--out", "out")
    assert benched.returncode == 0, benched.stderr
    result = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    (dataset,) = result["datasets"]
    rows = {row["reranker"]: row for row in dataset["rows"]}
    assert [name for name, row in rows.items() if row["failure"] or row["skipped"]] == []
    assert {"first-stage", "bm25", "bi-encoder", "cross-encoder", "head"} <= rows.keys()
    # each row names its checkpoint, and what that was trained on
    for name in ("cross-encoder", "head"):
        (weights,) = rows[name]["weights"]
        assert (weights["dataset"], weights["data_fingerprint"]) == ("notes", dataset["fingerprint"])
        assert weights["checkpoint"].startswith(f"{name}-notes-")
    assert rows["bm25"]["weights"] == []
    with (tmp_path / "out" / "bench.csv").open(encoding="utf-8") as file:
        lines = {line["reranker"]: line for line in csv.DictReader(file)}
    assert lines["cross-encoder"]["trained_on"] == "notes"
    assert lines["bm25"]["trained_on"] == ""
    assert lines["cross-encoder"]["checkpoint"] == rows["cross-encoder"]["weights"][0]["checkpoint"]
    assert "trained on notes" in (tmp_path / "out" / "bench.md").read_text(encoding="utf-8")


def test_a_csv_and_an_xlsx_of_any_columns_become_a_bench_with_table(rr_command: Rr, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("id,text\n" + "".join(f"{n},{a}\n" for n, a in enumerate(ANSWERS)), "utf-8")
    book = openpyxl.Workbook()
    book.active.append(["question", "relevant"])
    for number in range(QUESTIONS):
        book.active.append([f"tìm {ANSWERS[number % 6]} số {number}", str(number % 6)])
    book.save(tmp_path / "q.xlsx")
    added = rr_command("data", "add", "mine", "d.csv", "q.xlsx", "--yes")
    assert added.returncode == 0, added.stderr
    assert load_registry(tmp_path / "registry.yaml").dataset("mine").reader == "table"
    assert rr_command("bench", "cross-encoder", "first-stage").returncode == 0


def test_a_second_data_set_joins_the_first_and_nothing_else_of_the_file_changes(
    rr_command: Rr, spreadsheets: tuple[Path, Path], tmp_path: Path
) -> None:
    assert rr_command("data", "add", "notes", *spreadsheets).returncode == 0
    registry = tmp_path / "registry.yaml"
    mine = registry.read_text(encoding="utf-8") + "\n# mine\nrerankers:\n  bm25:  # quicker\n    settings: {}\n"
    registry.write_bytes(mine.replace("\n", "\r\n").encode())
    again = rr_command("data", "add", "notes", *spreadsheets)
    assert (again.returncode, again.stdout) == (2, "")
    assert "suite 'own' has a data set 'notes' already; choose another name" in again.stderr
    assert rr_command("data", "add", "more", *spreadsheets).returncode == 0
    text = registry.read_bytes().decode()
    assert "\r\n" in text
    assert "\n" not in text.replace("\r\n", "")
    lines, old = text.split("\r\n"), mine.split("\n")
    assert [line for line in lines if line not in ("      more:",)] != lines
    assert [line for line in old if line not in lines] == []
    assert lines[-len(old[old.index("# mine") :]) :] == old[old.index("# mine") :]
    found = load_registry(registry)
    assert list(found.suites["own"].datasets) == ["notes", "more"]
    assert found.dataset("notes").options == found.dataset("more").options == {"corpus": "notes.csv", **XLSX}


XLSX = {"queries": "questions.xlsx"}


def test_paths_start_from_the_folder_of_the_registry(
    rr_command: Rr, spreadsheets: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    for file in spreadsheets:
        file.rename(tmp_path / "sub" / file.name)
    added = rr_command("data", "add", "notes", "sub/notes.csv", "sub/questions.xlsx", "--registry", "sub/r.yaml")
    assert added.returncode == 0, added.stderr
    assert "next: rr bench --all --registry sub/r.yaml" in added.stderr
    entry = read_yaml((tmp_path / "sub" / "r.yaml").read_text(encoding="utf-8"))["suites"]["own"]["datasets"]["notes"]
    assert entry["options"] == {"corpus": "notes.csv", "queries": "questions.xlsx"}
    assert rr_command("data", "show", "notes", "--registry", "sub/r.yaml").returncode == 0
    (tmp_path / "elsewhere").mkdir()
    outside = rr_command("data", "add", "n", "sub/notes.csv", "sub/questions.xlsx", "--registry", "elsewhere/r.yaml")
    assert outside.returncode == 0, outside.stderr
    entry = read_yaml((tmp_path / "elsewhere" / "r.yaml").read_text(encoding="utf-8"))["suites"]["own"]["datasets"]["n"]
    assert entry["options"]["corpus"] == str(tmp_path / "sub" / "notes.csv")


def test_a_registry_that_extends_nothing_gets_the_suite_and_a_profile_of_what_it_has(
    rr_command: Rr, spreadsheets: tuple[Path, Path], small_registry: Path
) -> None:
    added = rr_command("data", "add", "notes", *spreadsheets, "--registry", small_registry)
    assert added.returncode == 0, added.stderr
    assert "--profile own" in added.stderr
    found = load_registry(small_registry)
    assert found.default_profile == "small"
    assert found.profile("own").rerankers == ("first-stage", "random", "bm25", "bi-encoder")
    assert list(found.suite("own").datasets) == ["notes"]


def test_what_cannot_be_added_leaves_no_file(
    rr_command: Rr, spreadsheets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: str | Path) -> str:
        before = set(tmp_path.iterdir())
        done = rr_command("data", "add", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert {path.name for path in set(tmp_path.iterdir()) - before} <= {"rr-home"}
        return done.stderr

    assert "gone.csv: no such file or folder" in refused("notes", "gone.csv")
    assert "no reader knows" in refused("notes", spreadsheets[0])
    assert "--reader" in refused("notes", spreadsheets[0])
    assert "did you mean 'proptit'" in refused("notes", *spreadsheets, "--reader", "proptt")
    assert "unknown key 'corpsu'; did you mean 'corpus'?" in refused("n", *spreadsheets, "--option", "corpsu=x")
    assert "is no KEY=VALUE" in refused("n", *spreadsheets, "--option", "corpus")
    assert "is none of fail, skip" in refused("n", *spreadsheets, "--missing", "drop")
    assert "there is no folder" in refused("n", *spreadsheets, "--registry", "gone/registry.yaml")
    assert "data set 'helpdesk' already" in refused("helpdesk", *spreadsheets)
    assert "name the files" in refused("n")
    monkeypatch.setattr(Jsonl, "recognise", by_suffix(documents=".csv", queries=".xlsx"), raising=False)
    assert "several readers know" in refused("n", *spreadsheets)
    assert "jsonl, proptit; say which by --reader NAME" in refused("n", *spreadsheets)


def test_a_specific_reader_goes_before_a_general_one(
    spreadsheets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jsonl, "recognise", by_suffix(documents=".csv", queries=".xlsx"), raising=False)
    monkeypatch.setattr(Jsonl, "general", True, raising=False)
    monkeypatch.setattr(Table, "recognise", by_suffix(documents=".nothing"))  # it is a general one, too
    assert recognised(installed_plugins(), spreadsheets)[0] == "proptit"
    monkeypatch.setattr(ProPtit, "recognise", by_suffix(corpus=".nothing"), raising=False)
    assert recognised(installed_plugins(), spreadsheets)[0] == "jsonl"


def test_a_recognition_that_breaks_does_not_stand_before_the_others(
    spreadsheets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(cls: type, paths: Sequence[Path]) -> Any:
        raise ValueError("a fault of the plugin's")

    monkeypatch.setattr(Jsonl, "recognise", classmethod(broken), raising=False)
    assert recognised(installed_plugins(), spreadsheets)[0] == "proptit"
    with pytest.raises(RerankError, match=r"no reader knows .*a fault of the plugin's"):
        recognised(installed_plugins(), spreadsheets[:1])


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-16", "looks like UTF-16, not UTF-8; save it as UTF-8"), ("cp1252", "line 2: byte 0xe0 is not UTF-8")],
)
def test_an_encoding_is_named_where_nothing_is_recognised(encoding: str, told: str, tmp_path: Path) -> None:
    """Excel writes the one as "Unicode text", and the other as CSV."""
    path = tmp_path / "faq.csv"
    path.write_bytes("question,answer\nlà gì,gì là\n".encode(encoding))
    with pytest.raises(DataError, match=rf"faq.csv.*{told}"):
        recognised(installed_plugins(), [path])


def test_damage_is_told_in_one_line_and_left_out_where_that_is_asked(rr_command: Rr, tmp_path: Path) -> None:
    for name, rows in {
        "d": [{"id": f"d{n}", "text": answer} for n, answer in enumerate(ANSWERS)] + [{"id": "d0", "text": "again"}],
        "q": [{"id": f"q{n}", "text": f"tìm {ANSWERS[n % 6]}", "history": []} for n in range(QUESTIONS)],
        "r": [{"query": f"q{n}", "document": f"d{n % 6}"} for n in range(QUESTIONS)],
    }.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = ["data", "add", "n", "--reader", "jsonl"]
    command += [
        f"--option={key}={name}.jsonl" for key, name in {"documents": "d", "queries": "q", "qrels": "r"}.items()
    ]
    told = rr_command(*command)
    assert told.returncode == 2
    assert "'d0' came already in line 1" in told.stderr
    assert not (tmp_path / "registry.yaml").exists()


# the text of a registry with an entry more


BLOCKS = """\
# head
version: 1
suites:
  a:  # first
    metrics: [MAP]
    datasets:
      x: {reader: y}  # of x
      # behind x

  # before b
  b:
    datasets: {z: {reader: y}}
tail: |
  text
  # no comment
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("suites", "a", "datasets"), "      new:"),
        (("suites", "a"), "    new:"),
        (("suites",), "  new:"),
        (("other", "deep"), "other:"),
    ],
)
def test_an_entry_is_added_and_every_line_stays(place: tuple[str, ...], line: str) -> None:
    value = {"reader": "tệp", "options": {"path": "a b.csv", "n": 1, "t": "yes"}}
    found = with_entry(BLOCKS, place, "new", value, "r.yaml")
    lines = found.split("\n")
    assert [one for one in BLOCKS.split("\n") if one not in lines] == []
    assert line in lines
    inner = read_yaml(found)
    for key in place:
        inner = inner[key]
    assert inner["new"] == value


@pytest.mark.parametrize(
    "text", [BLOCKS, "a: 1\nsuites:\n  b: &b\n    datasets: {q: 1}\n", "{suites: {b: {}}}", "- 1\n"]
)
def test_what_cannot_be_added_to_is_told_with_what_to_write(text: str) -> None:
    with pytest.raises(RegistryError) as caught:
        with_entry(text, ("suites", "b", "datasets"), "new", {"reader": "x"}, "r.yaml")
    assert "write by hand, under suites.b.datasets: {new: {reader: x}}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_alias_is_not_added_to() -> None:
    text = "suites:\n  a: &a\n    datasets:\n      x: 1\n  b: *a\n"
    with pytest.raises(RegistryError, match="without a change of something else"):
        with_entry(text, ("suites", "b", "datasets"), "new", 1, "r.yaml")


def test_a_question_that_nobody_answers_changes_nothing(tmp_path: Path) -> None:
    """The end of input at a terminal."""
    (tmp_path / "rows.csv").write_text(
        "query,document\n" + "".join(f"q {n},d {n}\n" for n in range(20)), encoding="utf-8"
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from rr_bench.cli import main; main()", "data", "add", "rows", "rows.csv"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stderr=subprocess.PIPE, encoding="utf-8") as process:
        os.close(theirs)
        os.write(ours, b"\x04")
        _, said = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == 1, said
    assert said.endswith("error: no answer, so nothing was done; --yes goes on without a question\n")
    assert not (tmp_path / "registry.yaml").exists()
