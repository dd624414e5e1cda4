"""Runs, texts and requests as people have them: packed, JSON, ids that are numbers or hold blanks; or one line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from backports import zstd

from rr.data import opened
from rr.errors import DataError
from rr.files import home
from rr_bench.judge.files import read_qrels_file, read_run_file
from rr_bench.stream.requests import read_requests
from rr_bench.stream.runs import read_run, scores
from tests.bench.test_batch import Files, arguments, files, lines, read, registry  # noqa: F401 - fixtures
from tests.bench.test_cli import failed
from tests.conftest import Rr

BLANK = "\u00a0"  # no-break


def ids(path: Path) -> list[tuple[str, list[str]]]:
    return [(one.request.query.id, [document.id for document in one.request.candidates]) for one in read_requests(path)]


# requests


def test_ids_may_be_numbers_or_hold_blanks(tmp_path: Path) -> None:
    rows = [
        {
            "id": 7,
            "query": "a",
            "documents": [{"id": 1, "text": "x"}, {"id": 2.0, "text": "y"}, {"id": "3.0", "text": "z"}],
        },
        {
            "id": f"q{BLANK}1",
            "query": "a",
            "documents": [{"id": f" d{BLANK}1 ", "text": "x"}, {"id": "d 1", "text": "y"}],
        },
        {"id": None, "query": "a", "documents": ["x", {"text": "y"}, {"id": "own", "text": "z"}]},
    ]
    expected = [
        ("7", ["1", "2", "3.0"]),
        (f"q{BLANK}1", [f"d{BLANK}1", "d 1"]),
        ("3", ["0", "1", "own"]),
    ]
    path = lines(tmp_path / "in.jsonl", [json.dumps(row) for row in rows])
    assert ids(path) == expected
    path.write_bytes(zstd.compress(path.read_bytes()))
    assert ids(path) == expected
    whole = lines(tmp_path / "in.json", [json.dumps(rows, indent=1)])
    assert ids(whole) == expected


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"id": 2}, {}], "line 2: line 2 has no 'id', and its number is that of line 1; give it an 'id'"),
        ([{}, {"id": "1"}], "line 2: line 1 has no 'id', and its number is that of line 2; give it an 'id'"),
        ([{"id": 5}, {"id": "5"}], "line 2: 'id' '5' came already in line 1"),
        ([{"id": ""}], "line 1: 'id' is blank; an id is needed"),
        ([{"id": "\u00a0"}], "line 1: 'id' is blank; an id is needed"),
        ([{"id": True}], "line 1: 'id' must be text or a whole number, not True"),
        ([{"id": 1.5}], "line 1: 'id' must be text or a whole number, not 1.5"),
        ([{"id": [1]}], r"line 1: 'id' must be text or a whole number, not \[1\]"),
        (
            [{"documents": [{"id": 0, "text": "x"}, {"id": "0", "text": "y"}]}],
            "line 1: documents.1 is called '0' .its 'id'., as is documents.0",
        ),
        (
            [{"documents": ["x", {"id": 0, "text": "y"}]}],
            "line 1: documents.1 is called '0' .its 'id'., as is documents.0 .its place, for it has no 'id'.",
        ),
        ([{"documents": [{"id": {}, "text": "x"}]}], "line 1: 'documents.0.id' must be text or a whole number"),
        ([{"documents": [{"id": "a"}]}], "line 1: key 'documents.0.object.text' is missing"),
        ([{"documents": [5]}], "line 1: documents.0"),
    ],
)
def test_what_is_no_id_is_one_line_with_its_field(tmp_path: Path, rows: list[dict[str, object]], told: str) -> None:
    whole = [{"query": "a", "documents": ["x"], **row} for row in rows]
    with pytest.raises(DataError, match=told) as caught:
        read_requests(lines(tmp_path / "in.jsonl", [json.dumps(row) for row in whole]))
    assert "\n" not in str(caught.value)
    assert "in.jsonl" in str(caught.value)


def test_a_bad_id_is_told_before_anything_is_scored(rr_command: Rr, registry: Path, tmp_path: Path) -> None:  # noqa: F811
    rows = [{"query": "a", "documents": ["x"]}, {"id": [], "query": "a", "documents": ["x"]}]
    path = lines(tmp_path / "in.jsonl", [json.dumps(row) for row in rows])
    ended = rr_command("rerank", "bm25", "--registry", registry, "--input", path)
    failed(ended, "line 2: 'id' must be text")
    assert ended.stdout == ""


# runs

RUN = {"q1": {f"d{BLANK}1": 2.0, "d2": 1e-3}, "2": {"d2": -1.0}}
FORMS = {
    "TREC": [f"q1 Q0 d{BLANK}1 1 2 t", "q1\tQ0 d2  2 1e-3 t", "2 Q0 d2 1 -1.0 t"],
    "CRLF, a BOM": [f"\ufeffq1 Q0 d{BLANK}1 1 2 t\r", "q1 Q0 d2 2 .001 t\r", "\r", "2 Q0 d2 1 -1 t\r"],
    "JSON": [json.dumps(RUN)],
    "JSON, indented": json.dumps(RUN, indent=1).split("\n"),
    "lines": [
        json.dumps({"id": q, "ranking": [{"id": d, "score": s, "rank": n} for n, (d, s) in enumerate(of.items(), 1)]})
        for q, of in RUN.items()
    ],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pack", [None, gzip.compress, zstd.compress])
def test_a_run_is_read_in_every_form(tmp_path: Path, form: str, pack: object) -> None:
    path = lines(tmp_path / "run", FORMS[form])
    if callable(pack):
        path.write_bytes(pack(path.read_bytes()))
    assert {block[0].id("query"): scores(block) for block in read_run(path)} == RUN
    assert read_run_file(path).scores == RUN
    assert read_run_file(path).warnings == []


def test_tabs_part_the_columns_where_ids_hold_blanks(tmp_path: Path) -> None:
    path = lines(tmp_path / "run", ["q 1\tQ0\td 1\t1\t2\tt"])
    assert read_run_file(path).scores == {"q 1": {"d 1": 2.0}}
    qrels = lines(tmp_path / "qrels", ["q 1\t0\td 1\t1"])
    assert read_qrels_file(qrels)[0] == {"q 1": {"d 1": 1}}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["q 1 Q0 d 1 1 2 t"], "line 1: 8 columns; write 6"),
        (["q1 Q0 d1 12.5 1 t", "q1 Q0 d2 11.5 2 t"], "line 1: the rank must be a whole number, not 12.5"),
        (["q1 Q0 d1 1 t 2"], "line 1: 'score' must be a finite number, not 't'"),
        (["q1 Q0 d1 1 2 t", "q1 Q0 d2 2 1"], "line 2: 5 columns; write 6"),
        (['{"q1": {"d1": "high"}}'], "query 'q1': 'score' must be a finite number"),
        (['{"q1": {"d1": 1}', '"q2": 3}'], "not JSON"),
    ],
)
def test_columns_in_another_order_are_loud(tmp_path: Path, rows: list[str], told: str) -> None:
    path = lines(tmp_path / "run", rows)
    with pytest.raises(DataError, match=told):
        read_run_file(path)
    with pytest.raises(DataError, match=told):
        _ = [scores(block) for block in read_run(path)]


QRELS = {
    "BEIR without a header": ["q1\td1\t2", "q2\td2\t0"],
    "blanks": ["q1 d1 2", "q2 d2 0.0"],
    "other names": ["query_id\tdocid\trelevance", "q1\td1\t2", "q2\td2\t0"],
    "lines under BEIR's names": [
        json.dumps({"query-id": q, "corpus-id": d, "score": s}) for q, d, s in (("q1", "d1", 2), ("q2", "d2", 0))
    ],
}


@pytest.mark.parametrize("form", QRELS)
def test_judgements_in_more_forms(tmp_path: Path, form: str) -> None:
    assert read_qrels_file(lines(tmp_path / "qrels", QRELS[form]))[0] == {"q1": {"d1": 2}, "q2": {"d2": 0}}


# rr rerank --run


def test_packed_texts_and_runs_and_json_give_the_same(
    rr_command: Rr,
    registry: Path,  # noqa: F811
    files: Files,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert rr_command(*arguments(files, registry)).returncode == 0
    expected = files["out"].read_bytes()
    whole = json_run(files["run"])
    for name in ("corpus.jsonl", "queries.jsonl"):
        path = files["data"] / name
        path.with_name(name + ".zst").write_bytes(zstd.compress(path.read_bytes()))
        path.unlink()
    files["out"] = tmp_path / "packed.trec"
    files["run"].write_bytes(gzip.compress(files["run"].read_bytes()))
    ended = rr_command(*arguments(files, registry))
    assert ended.returncode == 0, ended.stderr
    assert files["out"].read_bytes() == expected
    files["run"] = lines(tmp_path / "run.json", [json.dumps(whole)])
    files["out"] = tmp_path / "json.trec"
    assert rr_command(*arguments(files, registry)).returncode == 0
    assert read(files["out"]) == read(tmp_path / "packed.trec")


def json_run(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query, _, document, _, score, _ = line.split()
        found.setdefault(query, {})[document] = float(score)
    return found


def test_texts_are_unpacked_once(tmp_path: Path) -> None:
    from rr_bench.progress import SILENT
    from rr_bench.stream.lookup import Lookup

    path = tmp_path / "corpus.jsonl.gz"
    rows = "".join(json.dumps({"_id": f"d{n}", "text": f"văn bản {n}"}, ensure_ascii=False) + "\n" for n in range(999))
    path.write_bytes(gzip.compress(rows.encode()))
    for _ in range(2):
        lookup = Lookup(path, "document", SILENT)
        assert lookup.document("d777").text == "văn bản 777"
        lookup.close()
    assert len(list((home() / "indexes").glob("*/content"))) == 1


def test_an_id_that_no_run_can_hold_is_told_before_anything_is_scored(
    rr_command: Rr,
    registry: Path,  # noqa: F811
    files: Files,  # noqa: F811
) -> None:
    with (files["data"] / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"_id": "a\tb", "text": "x"}) + "\n")
        file.write(json.dumps({"_id": "a b", "text": "gác lửng"}) + "\n")
    files["run"] = lines(files["run"], [json.dumps({"q1": {"d1": 1.0, "a\tb": 2.0}})])
    failed(rr_command(*arguments(files, registry)), "holds a tab or a line break")
    assert not files["out"].exists()
    lines(files["run"], [json.dumps({"q1": {"d1": 1.0, "a b": 2.0}})])
    assert rr_command(*arguments(files, registry)).returncode == 0
    assert set(read_run_file(files["out"]).scores["q1"]) == {"d1", "a b"}


# packed files


@pytest.mark.parametrize("damage", ["cut off", "other bytes", "something behind it"])
def test_zstd_that_is_not_whole_is_loud(tmp_path: Path, damage: str) -> None:
    """Some readers take what was cut off for a whole file."""
    whole = b"".join(f"line {n * n}\n".encode() for n in range(50_000))
    content = zstd.compress(whole, options={zstd.CompressionParameter.checksum_flag: 1})
    broken = {
        "cut off": content[: len(content) // 2],
        "other bytes": content[:5000] + b"\0" * 9 + content[5009:],
        "something behind it": content + b"{}",
    }
    path = tmp_path / "x.zst"
    path.write_bytes(content + content)  # two frames are one file
    with opened(path) as file:
        assert sum(1 for _ in file) == 100_000
    path.write_bytes(broken[damage])
    with pytest.raises(DataError, match=r"x.zst: cannot be unpacked \(.*\); fetch it again"), opened(path) as file:
        file.read()
