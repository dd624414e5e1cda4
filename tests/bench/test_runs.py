"""Runs: what a bench leaves behind is all that it found out, and is found, compared, exported and run again."""

from __future__ import annotations

import csv
import json
import logging
import multiprocessing
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import rr
from rr.errors import RerankError
from rr.files import home
from rr_bench.evaluate.results import BenchResult
from rr_bench.registry import load_registry
from rr_bench.runs import database
from rr_bench.runs.compare import compare
from rr_bench.runs.packing import Blobs, packed, rebuilt, unpacked
from rr_bench.runs.recording import command
from rr_bench.runs.rerun import rerun
from tests.conftest import Rr

NAMES = ["first-stage", "random", "bm25"]


@pytest.fixture
def result(small_registry: Path) -> BenchResult:
    return rr.bench(NAMES, registry=small_registry)


def edited(registry: Path, before: str, after: str) -> None:
    text = registry.read_text(encoding="utf-8")
    assert before in text
    registry.write_text(text.replace(before, after), encoding="utf-8")


def with_candidates(registry: Path, plan: str) -> None:
    edited(registry, "reader: jsonl", f"reader: jsonl\n        {plan}")


def test_a_run_is_the_whole_result(result: BenchResult, small_registry: Path) -> None:
    (run,) = database.all_runs()
    assert run.result == result
    about = run.about
    assert about["command"] == "rr bench first-stage random bm25"
    assert (about["profile"], about["registry_source"]) == ("small", str(small_registry))
    assert run.json(about["registry"])["rerankers"]["random"] == {"reranker": "random"}
    rows = about["rows"]["rooms"]
    assert list(rows) == NAMES
    assert rows["random"]["settings"] == {"seed": 0}
    assert rows["bm25"]["component"] == "rr_baselines.bm25:Bm25Scorer"
    assert {"code", "versions", "device", "entry", "weights"} <= set(rows["bm25"])
    assert about["result"]["datasets"][0]["fingerprint"] == result.datasets[0].fingerprint
    for label, row in rows.items():
        (one,) = row["runs"]
        lists, scores = run.json(one["candidates"]), run.numbers(one["scores"])
        assert [query for query, _ in lists] == list(result.datasets[0].query_ids), label
        assert sum(len(ids) for _, ids in lists) == len(scores)


def test_ids_sort_by_time(result: BenchResult, small_registry: Path) -> None:
    for _ in range(3):
        rr.bench(["random"], registry=small_registry)
    ids = [run.id for run in database.all_runs()]
    assert len(ids) == 4
    assert ids == sorted(ids, reverse=True)
    assert all(re.fullmatch(r"\d{8}-\d{9}-[0-9a-f]{4}", id_) for id_ in ids)
    assert [database.find(name).id for name in ("latest", "latest~1", "latest~3")] == [ids[0], ids[1], ids[3]]
    assert database.find(ids[2][-4:]).id == ids[2] or len({one[-4:] for one in ids}) < 4
    assert database.find(ids[2]).id == ids[2]


def test_equal_lists_are_kept_once(result: BenchResult, small_registry: Path) -> None:
    with closing(sqlite3.connect(database.path())) as connection:
        before = connection.execute("SELECT count(*) FROM blobs").fetchone()
    rr.bench(NAMES, registry=small_registry)
    with closing(sqlite3.connect(database.path())) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == before


def test_folds_and_failures_and_protocol_oracle_are_recorded(small_registry: Path) -> None:
    folds = rr.bench(["random"], registry=small_registry, folds=3)
    assert database.find("latest").result == folds
    assert len(database.find("latest").about["rows"]["rooms"]["random"]["runs"]) == 3
    text = small_registry.read_text(encoding="utf-8")
    oracle = text.replace("reader: jsonl", "reader: jsonl\n        candidates: {protocol: oracle}")
    small_registry.write_text(
        f"{oracle}  broken: {{scorer: bi_encoder, settings: {{model: nowhere}}}}\n", encoding="utf-8"
    )
    failed = rr.bench(["broken", "first-stage", "random"], registry=small_registry)
    assert failed.failed
    assert database.find("latest").result == failed
    assert list(database.find("latest").about["rows"]["rooms"]) == ["random"]


def test_long_lists_are_packed_and_come_back() -> None:
    value = {
        "numbers": [0.5, float("inf"), -0.0] * 10,
        "texts": ["một", "hai\u2028"] * 20,
        "mixed": [1, 2.5, "x", None, True] * 10,
        "whole": list(range(40)),
        "short": [0.25],
        "deep": {"rows": [{"values": [1.5] * 40}] * 2},
    }
    blobs: Blobs = {}
    stored = json.loads(json.dumps(packed(value, blobs)))
    assert len(blobs) == 3, "equal lists are one"
    assert unpacked(stored, blobs.__getitem__) == value


def test_a_record_of_another_release_is_read(result: BenchResult) -> None:
    stored = json.loads(json.dumps(asdict(result)))
    stored["datasets"][0]["rows"][0]["of the future"] = 3
    del stored["datasets"][0]["rows"][0]["notes"]
    found = rebuilt(BenchResult, stored)
    first, *others = result.datasets[0].rows
    assert found.datasets[0].rows == (replace(first, notes=()), *others)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "rr bench --all"),
        ({"names": ["a", "b c"], "datasets": ["x", "y"]}, "rr bench a 'b c' --dataset x --dataset y"),
        ({"folds": 3, "fresh": True, "baseline": None}, "rr bench --all --folds 3 --fresh"),
    ],
)
def test_the_command_is_written_as_a_shell_takes_it(arguments: dict[str, object], text: str) -> None:
    assert command(arguments) == text


# what cannot be written, or read


def test_a_result_is_not_lost_for_its_record(small_registry: Path, rr_command: Rr) -> None:
    home().mkdir()
    (home() / "runs").write_text("no folder", encoding="utf-8")
    ended = rr_command("bench", "random", "--registry", small_registry)
    assert ended.returncode == 0
    assert "nDCG@10" in ended.stdout
    (line,) = [line for line in ended.stderr.splitlines() if "could not be recorded" in line]
    assert "its result stands" in line


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"garbage" * 1000),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a page of zeros": lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(4096) + path.read_bytes()[8192:]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("nothing")),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "another database": lambda path: changed(path, "PRAGMA user_version = 9"),
}


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_is_put_aside_and_never_overwritten(
    result: BenchResult, small_registry: Path, damage: Callable[[Path], object], rr_command: Rr
) -> None:
    for _ in range(2):
        changed(database.path(), "PRAGMA wal_checkpoint(TRUNCATE)")
        damage(database.path())
        ended = rr_command("runs", "list")
        assert ended.returncode == 2
        (line,) = ended.stderr.splitlines()
        assert "is damaged" in line
        assert ".recover" in line
        ended = rr_command("bench", "random", "--registry", small_registry)
        assert ended.returncode == 0
        (line,) = [line for line in ended.stderr.splitlines() if "is damaged" in line]
        assert "it was moved to" in line
        assert len(database.all_runs()) == 1
    there = database.path().parent
    aside = {*there.glob("runs.damaged-*.sqlite"), *(path for path in there.iterdir() if path.is_symlink())}
    assert len(aside) == 2


def test_a_changed_record_is_told_and_the_others_stand(
    result: BenchResult, small_registry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rr.bench(["random"], registry=small_registry)
    newest = "SELECT max(id) FROM runs"
    changed(database.path(), f"UPDATE runs SET about = replace(about, 'random', 'rondom') WHERE id = ({newest})")
    caplog.set_level(logging.WARNING, "rr")
    (run,) = database.all_runs()
    assert run.result == result
    (told,) = caplog.messages
    assert "is not what was written" in told
    with pytest.raises(RerankError, match="is not what was written"):
        database.find("latest")


def test_a_changed_part_is_told_and_mended_by_a_run_that_holds_the_same(
    result: BenchResult, small_registry: Path
) -> None:
    changed(database.path(), "UPDATE blobs SET content = x'00'")
    with pytest.raises(RerankError, match=r"a part of run .* is not what was written"):
        database.find("latest").json(database.find("latest").about["registry"])
    rr.bench(NAMES, registry=small_registry)
    for run in database.all_runs():
        assert run.result.datasets[0].rows[2].per_query == result.datasets[0].rows[2].per_query


def test_nothing_is_there_yet(rr_command: Rr) -> None:
    assert rr_command("runs", "list").stdout == "no runs yet; 'rr bench' leaves one\n"
    assert rr_command("runs", "list", "--json").stdout == "[]\n"
    ended = rr_command("runs", "show", "latest")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there are 0" in ended.stderr
    assert not database.path().exists()


def _add(number: int) -> None:
    blobs: Blobs = {}
    for count in range(10):
        database.add({"result": packed({"own": [number + count / 7] * 99, "all": ["x"] * 99}, blobs)}, blobs)


def test_processes_that_write_at_once_lose_nothing() -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_add, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    runs = database.all_runs()
    assert len(runs) == 40
    for run in runs:
        assert unpacked(run.about["result"], run.blob)["all"] == ["x"] * 99


def test_a_run_that_is_deleted_takes_what_no_other_holds(result: BenchResult, small_registry: Path) -> None:
    other = rr.bench(["random"], registry=small_registry)
    database.delete([database.find("latest~1").id])
    (run,) = database.all_runs()
    assert run.result == other
    database.delete([run.id])
    with closing(sqlite3.connect(database.path())) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (0,)


# the commands


def test_list_and_show(result: BenchResult, small_registry: Path, rr_command: Rr) -> None:
    rr.bench(["random"], registry=small_registry)
    listed = json.loads(rr_command("runs", "list", "--json").stdout)
    assert [{*line["rerankers"]} for line in listed] == [{"random"}, {*NAMES}]
    assert listed[1]["best"]["metric"] == "nDCG@10"
    assert len(json.loads(rr_command("runs", "list", "--json", "--reranker", "bm25").stdout)) == 1
    assert json.loads(rr_command("runs", "list", "--json", "--dataset", "other").stdout) == []
    table = rr_command("runs", "list").stdout
    assert all(line["id"] in table for line in listed)
    shown = rr_command("runs", "show", "latest~1")
    assert shown.returncode == 0
    for text in ("rr bench first-stage random bm25", "rr_baselines.bm25:Bm25Scorer", "nDCG@10", "rooms: 6 documents"):
        assert text in shown.stdout
    stored = json.loads(rr_command("runs", "show", "latest~1", "--json").stdout)
    assert rebuilt(BenchResult, stored["result"]) == result


def test_a_run_that_is_not_there(result: BenchResult, rr_command: Rr) -> None:
    absent = {name: f"no run is called {name!r}" for name in ("nope", "", "../x", "%")}
    for name, told in {**absent, "latest~7": "there is 1 run", "latest~999999999999": "there is 1 run"}.items():
        ended = rr_command("runs", "show", name)
        assert ended.returncode == 2
        assert told in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_several_runs_of_one_beginning(result: BenchResult, small_registry: Path, rr_command: Rr) -> None:
    rr.bench(["random"], registry=small_registry)
    ended = rr_command("runs", "show", "2")
    assert ended.returncode == 2
    assert "begins the ids of 2 runs" in ended.stderr


def test_what_is_exported_judges_to_the_figures_of_the_table(
    small_registry: Path, rr_command: Rr, tmp_path: Path
) -> None:
    with_candidates(small_registry, "candidates: {protocol: oracle}")
    for folds in (None, 2):
        result = rr.bench(["random", "bm25"], registry=small_registry, folds=folds)
        out = tmp_path / f"out {folds}"
        assert rr_command("runs", "export", "latest", "--out", out).returncode == 0
        assert json.loads((out / "bench.json").read_text(encoding="utf-8")) == json.loads(json.dumps(asdict(result)))
        rows = list(csv.DictReader((out / "per_query.csv").read_text(encoding="utf-8").splitlines()))
        (dataset,) = result.datasets
        assert len(rows) == 2 * 2 * len(dataset.query_ids)
        for row in dataset.rows:
            judged = rr_command(
                *("eval", out / "runs" / "rooms" / f"{row.reranker}.trec", out / "qrels" / "rooms.qrels"),
                *("--metrics", "nDCG@10,MRR@10", "--json", "--per-query"),
            )
            (told,) = json.loads(judged.stdout)["runs"]
            for metric, values in row.per_query.items():
                assert [told["per_query"][metric][query] for query in dataset.query_ids] == list(values)


def test_an_id_with_blanks_is_exported_as_one_column(small_registry: Path, rr_command: Rr, tmp_path: Path) -> None:
    folder = small_registry.parent / "small"
    for name in ("documents", "qrels"):
        path = folder / f"{name}.jsonl"
        path.write_text(path.read_text(encoding="utf-8").replace('"d3"', '"d 3"'), encoding="utf-8")
    rr.bench(["random"], registry=small_registry)
    rr_command("runs", "export", "latest", "--out", tmp_path / "out")
    lines = (tmp_path / "out" / "runs" / "rooms" / "random.trec").read_text(encoding="utf-8").splitlines()
    assert all(len(line.split()) == 6 for line in lines)
    assert any(line.split()[2] == "d%203" for line in lines)


# comparing


def test_nothing_changed(result: BenchResult, small_registry: Path, rr_command: Rr) -> None:
    ended = rr_command("runs", "rerun", "latest")
    assert ended.returncode == 0
    assert "what went in: the same" in ended.stdout
    assert "equal to the bit, 3 of 3 rows" in ended.stdout
    assert "3 of 3 rows from the store" in ended.stdout
    ended = rr_command("runs", "rerun", "latest", "--fresh")
    assert ended.returncode == 0
    assert "computed anew" in ended.stdout
    assert "equal to the bit, 3 of 3 rows" in ended.stdout
    assert len(database.all_runs()) == 3


def test_a_run_is_rerun_as_it_was_recorded(result: BenchResult, small_registry: Path) -> None:
    """Whatever became of its registry, and from wherever."""
    small_registry.unlink()
    assert compare(database.find("latest"), rerun(database.find("latest"))).equal


def test_relative_paths_mean_what_they_meant(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(small_registry.parent)
    text = small_registry.read_text(encoding="utf-8").replace(f"{small_registry.parent}/small", "small")
    small_registry.write_text(text, encoding="utf-8")
    monkeypatch.setenv("RR_HOME", "home")
    rr.bench(["random"], registry="small.yaml")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("RR_HOME", "../home")
    assert compare(database.find("latest"), rerun(database.find("latest"))).equal
    assert len(database.all_runs()) == 2


def test_other_data_are_told(result: BenchResult, small_registry: Path, rr_command: Rr) -> None:
    path = small_registry.parent / "small" / "documents.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("phòng rẻ", "căn hộ mini"), encoding="utf-8")
    ended = rr_command("runs", "rerun", "latest")
    assert ended.returncode == 1
    assert "rooms: fingerprint" in ended.stdout
    assert re.search(r"rooms, bm25: nDCG@10 .* → .* queries moved|scores differ, and no figure moved", ended.stdout)


def test_another_setting_is_told_with_the_queries_that_moved(
    small_registry: Path, rr_command: Rr, result: BenchResult
) -> None:
    edited(small_registry, "{reranker: random}", "{reranker: random, settings: {seed: 5}}")
    other = rr.bench(NAMES, registry=small_registry)
    ended = rr_command("runs", "diff", "latest~1", "latest")
    assert ended.returncode == 0
    assert "rooms, random: settings.seed 0 → 5" in ended.stdout
    assert "2 of 3 rows are equal to the bit" in ended.stdout
    old, new = (
        next(row for row in one.datasets[0].rows if row.reranker == "random").per_query["nDCG@10"]
        for one in (result, other)
    )
    moved = sum(a != b for a, b in zip(old, new, strict=True))
    assert moved
    assert f"{moved} of {len(old)} queries moved" in ended.stdout
    found = json.loads(rr_command("runs", "diff", "latest~1", "latest", "--json").stdout)
    assert not found["equal"]
    (figure,) = [one for one in found["figures"] if one["metric"] == "nDCG@10"]
    assert (figure["moved"], figure["queries"]) == (moved, len(old))
    assert figure["difference"]["mean"] == pytest.approx(sum(new) / len(new) - sum(old) / len(old))


def test_other_queries_are_compared_where_both_have_them(small_registry: Path, rr_command: Rr) -> None:
    rr.bench(["random"], registry=small_registry)
    with_candidates(small_registry, "split: {test: 0.5}")
    rr.bench(["random", "bm25"], registry=small_registry)
    said = rr_command("runs", "diff", "latest~1", "latest").stdout
    assert re.search(r"nDCG@10 over \d → \d queries, \d of them in both", said)
    assert "rooms, bm25: only in" in said
    assert "rooms: split.test – → 0.5" in said


def test_other_code_and_versions_are_told(small_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rr.bench(["bm25"], registry=small_registry)
    real = __import__("rr_bench.runs.recording", fromlist=["x"]).component_key
    monkeypatch.setattr(
        "rr_bench.runs.recording.component_key",
        lambda *of: {**(key := real(*of)), "versions": {**key["versions"], "bm25s": "9"}, "code": ["other"]},
    )
    found = compare(database.find("latest"), rerun(database.find("latest")))
    assert found.equal, "what went in is told, whether a figure moved or not"
    assert {change.what for change in found.changes} == {"versions.bm25s", "code"}


def test_a_registry_that_is_given_as_an_object_is_recorded(small_registry: Path) -> None:
    rr.bench(["random"], registry=load_registry(small_registry))
    run = database.find("latest")
    assert run.about["registry_source"] == ""
    assert compare(run, rerun(run)).equal
