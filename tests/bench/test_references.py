"""What a collection names and is not there: told in one line, or left out and counted; what is odd is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rr.data.collection import Collection
from rr.data.damage import MISSING
from rr.errors import DataError
from rr.types import Document, HardNegative, Query
from rr_bench.data.damage import damage_figures, spreadsheet_ids
from rr_bench.data.load import load_dataset
from rr_bench.data.references import consistent
from rr_bench.registry import DatasetEntry
from tests.bench.test_splits_and_candidates import candidate_plan, jsonl_entry, split_plan
from tests.conftest import Rr
from tests.preparing import prepare

DOCUMENTS = {f"d{n}": Document(f"d{n}", f"phòng {n}") for n in range(4)}
QUERIES = {f"q{n}": Query(f"q{n}", f"tìm phòng {n}") for n in range(12)}
QRELS = {f"q{n}": {f"d{n % 4}": 1} for n in range(12)}


def collection(**values: Any) -> Collection:
    return Collection(**{"documents": DOCUMENTS, "queries": QUERIES, "qrels": QRELS, **values})


def damaged() -> Collection:
    met = Query("q0", "tìm", (DOCUMENTS["d1"], Document("gone", "x")))
    return collection(
        queries={**QUERIES, "q0": met, "blank": Query("blank", " ")},
        qrels={**QRELS, "nobody": {"d0": 1}, "nemo": {"d0": 1}, "blank": {"d0": 1}, "q1": {"d1": 1, "absent": 2}},
        run={"q0": {"d0": 2.0, "gone": 1.0}, "nobody": {"d0": 1.0}},
        hard_negatives={"q0": [HardNegative("d2"), HardNegative("gone"), HardNegative("d2", (), 3.0)]},
        splits={"train": ["q0", "q1", "q2", "nobody"], "dev": ["q3"], "test": ["q4", "q1", "q4", "blank"]},
    )


def test_all_of_it_is_told_in_one_line() -> None:
    with pytest.raises(DataError) as caught:
        consistent(damaged())
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith("8 rows cannot be used; mend them, or leave them out by `missing: skip`: ")
    assert "a judgement names query 'nobody', which does not exist (and 1 more of this kind)" in told
    for part in (
        "a run line of query 'q0' names document 'gone'",
        "a run line names query 'nobody'",
        "a hard negative of query 'q0' names document 'gone'",
        "query 'q0' names a document twice in its hard negatives",
        "a history of query 'q0' names document 'gone'",
        "split 'train' names query 'nobody'",
    ):
        assert part in told


def test_one_alone_is_told_as_it_is() -> None:
    with pytest.raises(DataError, match=r"^a judgement names query 'nobody', which does not exist$"):
        consistent(collection(qrels={**QRELS, "nobody": {"d0": 1}}))


def test_skip_leaves_it_out_and_counts_it() -> None:
    token = MISSING.set("skip")
    try:
        found = consistent(damaged())
    finally:
        MISSING.reset(token)
    assert found.queries.keys() == QUERIES.keys()
    assert [one.id for one in found.queries["q0"].history] == ["d1"]
    assert found.qrels == {**QRELS, "q1": {"d1": 1}}
    assert found.run == {"q0": {"d0": 2.0}}
    assert found.hard_negatives == {"q0": [HardNegative("d2")]}
    assert found.splits == {"train": ["q0", "q2"], "dev": ["q3"], "test": ["q4", "q1"]}
    notes = " | ".join(found.notes)
    assert "1 judgements of documents that are not in the corpus, first 'absent' of 'q1'; left out" in notes
    assert notes.count("left out, as the entry's `missing: skip` says") == 9
    assert "1 queries have no text, first 'blank'; left out" in notes
    assert "1 train queries that test names too, by the same id, left out of train: q1" in notes
    assert "1 queries are named twice in split test, and taken once: q4" in notes


def test_judgements_of_a_published_part_of_a_corpus_count_as_missed_or_are_left_out() -> None:
    part = collection(qrels={"q0": {"d0": 1, "gone": 1}, "q1": {"gone": 2, "d1": 0}, "q2": {"d2": 0, "gone": 0}})
    assert consistent(part) is part
    token = MISSING.set("skip")
    try:
        found = consistent(part)
    finally:
        MISSING.reset(token)
    assert found.qrels == {"q0": {"d0": 1}, "q2": {"d2": 0}}
    (note,) = found.notes
    assert note.startswith("3 judgements of documents that are not in the corpus, first 'gone' of 'q0'; left out")
    assert note.endswith("and with them 1 queries")


def test_what_is_as_it_should_be_is_the_very_same() -> None:
    whole = collection()
    assert consistent(whole) is whole


def test_a_blank_query_is_kept_and_counted() -> None:
    found = consistent(collection(queries={**QUERIES, "q0": Query("q0", " \n")}))
    assert found.notes == ("1 queries have no text, first 'q0'; kept",)
    assert "q0" in found.queries


def test_a_query_without_a_text_but_with_a_history_asks_something() -> None:
    assert consistent(collection(queries={**QUERIES, "q0": Query("q0", "", (DOCUMENTS["d1"],))})).notes == ()


@pytest.mark.parametrize(
    "id_",
    [
        "1.0",
        "12.00",
        "1.2E+10",
        "2024-04-02 00:00:00",
        "2024-04-02T00:00:00",
        "4/2/2024",
        "2-Apr",
        "02-apr-24",
        "Apr-24",
    ],
)
def test_an_id_that_a_spreadsheet_wrote_is_counted(id_: str) -> None:
    documents = {**DOCUMENTS, id_: Document(id_, "x")}
    dataset = prepare("n", collection(documents=documents), split_plan(), candidate_plan(depth=3))
    told = f"1 document ids look like a number or a date that a spreadsheet made of them, first {id_!r}"
    assert any(note.startswith(told) for note in dataset.notes)
    assert damage_figures(dataset)["document_ids_like_a_spreadsheet's"] == {"count": 1, "of": 5, "first": id_}


def test_ordinary_ids_are_not() -> None:
    ordinary = [
        "1",
        "d1",
        "1.5",
        "2024",
        "2024-04-02",
        "MED-10",
        "1-2",
        "3.0.1",
        "doc-May",
        "q1.0",
        "B00-Apr-9X",
        "1e5",
    ]
    assert spreadsheet_ids(ordinary) == []


def test_every_kind_of_oddity_has_its_figure() -> None:
    documents = {**DOCUMENTS, "d4": Document("d4", "phòng  0"), "d5": Document("d5", " ")}
    qrels = {**QRELS, "q0": {"absent": 1, "d5": 1, "d0": 1}}
    odd = collection(documents=documents, queries={**QUERIES, "q1": Query("q1", "")}, qrels=qrels)
    dataset = prepare("n", odd, split_plan(), candidate_plan(depth=3))
    assert damage_figures(dataset) == {
        "judged_documents_that_are_absent": {"count": 1, "of": 14, "first": "absent"},
        "judged_documents_without_a_text": {"count": 1, "of": 14, "first": "d5"},
        "documents_without_a_text": {"count": 1, "of": 6, "first": "d5"},
        "documents_with_the_text_of_another": {"count": 2, "of": 6, "first": "d0"},
        "queries_without_a_text": {"count": 1, "of": 12, "first": "q1"},
    }
    assert any(note.startswith("1 of 6 documents have no text, kept, first 'd5'") for note in dataset.notes)


def test_the_entry_says_what_becomes_of_it_and_each_is_prepared_apart(tmp_path: Path, rr_command: Rr) -> None:
    entry = jsonl_entry(tmp_path)
    whole = load_dataset("rooms", entry)
    skipping = DatasetEntry.model_validate({**entry.model_dump(exclude_unset=True), "missing": "skip"})
    assert load_dataset("rooms", skipping) == whole
    assert len(list((tmp_path / "rr-home" / "data").iterdir())) == 2
    assert MISSING.get() == "fail", "it holds while the reader reads alone"


def test_data_show_prints_the_damage(rr_command: Rr, small_registry: Path) -> None:
    folder = small_registry.parent / "small"
    with (folder / "documents.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "2-Apr", "text": "phòng rẻ"}) + "\n")
    shown = rr_command("data", "show", "rooms", "--registry", small_registry)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.split("\n")
    place = lines.index("damage:")
    assert lines[place + 1] == "  documents with the text of another: 2 of 7, first d3"
    assert lines[place + 2] == "  document ids like a spreadsheet's: 1 of 7, first 2-Apr"
    told = json.loads(rr_command("data", "show", "rooms", "--json", "--registry", small_registry).stdout)
    assert told["damage"]["document_ids_like_a_spreadsheet's"] == {"count": 1, "of": 7, "first": "2-Apr"}
    assert told["hints"] == []


ACCENTS = {f"d{n}": f"nhà số{n} phố đẹp" for n in range(60)}


@pytest.fixture
def typed_without_accents(tmp_path: Path) -> Path:
    """Queries whose words meet their document only where accents are folded; and 40 others that all share one word."""
    (tmp_path / "a").mkdir()
    for name, rows in {
        "documents": [{"id": id_, "text": text.replace("số", "số x")} for id_, text in ACCENTS.items()],
        "queries": [{"id": f"q{n}", "text": f"nha so {n} dep"} for n in range(60)],
        "qrels": [{"query": f"q{n}", "document": f"d{n}"} for n in range(60)],
    }.items():
        (tmp_path / "a" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    options = "documents: a/documents.jsonl, queries: a/queries.jsonl, qrels: a/qrels.jsonl"
    path = tmp_path / "r.yaml"
    path.write_text(
        "version: 1\nextends: packaged\nsuites:\n  s:\n    datasets:\n      n: {reader: jsonl, candidates: {depth: 5}, "
        f"options: {{{options}}}}}\n",
        encoding="utf-8",
    )
    return path


def test_a_low_ceiling_is_answered_with_what_would_raise_it(rr_command: Rr, typed_without_accents: Path) -> None:
    told = json.loads(rr_command("data", "show", "n", "--json", "--registry", typed_without_accents).stdout)
    assert told["splits"]["test"]["recall_ceiling"] < 0.9
    assert told["hints"]
    shown = rr_command("data", "show", "n", "--registry", typed_without_accents).stdout
    assert "hint: test: the recall ceiling of" in shown
    assert "fold_accents: true" in shown
    # each hint is what the setting gives
    text = typed_without_accents.read_text(encoding="utf-8")
    for hint in told["hints"]:
        depth, options = hint["candidates"].get("depth", 5), json.dumps(hint["candidates"].get("options", {}))
        other = typed_without_accents.with_name("other.yaml")
        other.write_text(text.replace("{depth: 5}", f"{{depth: {depth}, options: {options}}}"), encoding="utf-8")
        again = json.loads(rr_command("data", "show", "n", "--json", "--no-hints", "--registry", other).stdout)
        assert again["splits"]["test"]["recall_ceiling"] == pytest.approx(hint["ceiling"])
        assert again["hints"] == []
