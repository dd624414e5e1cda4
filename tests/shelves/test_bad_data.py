"""Bad input, the data's share: what once gave a figure that looked right, lost a row, or hung.

Each case is a member of a kind, written to disk as a user would have it. Right is either the right data set, with a
note that counts what was odd, or one line that names the place.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import unicodedata
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from rr.data.files import read_json, read_jsonl
from rr.errors import DataError, RerankError
from rr.measures import evaluate, metric
from rr.protocols import ModelInfo
from rr.training.negatives import hard_negatives, random_negatives
from rr.types import Dataset, Document, Query, Ranking, Request
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.evaluate.position import position_bias
from rr_bench.progress import SILENT
from rr_bench.registry import DatasetEntry
from rr_bench.schema import RerankerEntry
from rr_bench.stream.lookup import Lookup
from rr_bench.stream.requests import read_requests
from rr_bench.stream.runs import read_run, run_lines
from rr_data.weight_survey import survey
from rr_data.weights import read_weight_config
from tests.preparing import read

pytestmark = pytest.mark.attack("bad input")

NFC, NFD = "tài-liệu-é", unicodedata.normalize("NFD", "tài-liệu-é")


def lines(path: Path, rows: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def entry(
    folder: Path, documents: Mapping[str, str], queries: Sequence[object], qrels: Any, **keys: Any
) -> DatasetEntry:
    """A data set of reader jsonl. `queries`: rows, or texts of q0, q1 …; `qrels`: (query, document, grade) triples."""
    rows = [query if isinstance(query, dict) else {"id": f"q{n}", "text": query} for n, query in enumerate(queries)]
    options = {
        "documents": lines(folder / "d.jsonl", [{"id": id_, "text": text} for id_, text in documents.items()]),
        "queries": lines(folder / "q.jsonl", rows),
        "qrels": lines(folder / "r.jsonl", [{"query": q, "document": d, "grade": g} for q, d, g in qrels]),
    }
    return DatasetEntry.model_validate(
        {"reader": "jsonl", "options": {name: str(path) for name, path in options.items()}, **keys}
    )


def rooms(folder: Path, **keys: Any) -> DatasetEntry:
    """Twelve queries, each with its own document."""
    documents = {f"d{n}": f"phòng số {n} ở đường {n}" for n in range(12)}
    return entry(
        folder, documents, [f"phòng {n}" for n in range(12)], [(f"q{n}", f"d{n}", 1) for n in range(12)], **keys
    )


def split_of(dataset: Dataset) -> dict[str, str]:
    return {query_id: name for name, query_ids in dataset.splits.items() for query_id in query_ids}


def fails(match: str) -> Any:
    return pytest.raises(DataError, match=f"^[^\n]*{match}[^\n]*$")


# 12. equal texts under several ids

SPELLINGS: dict[str, Callable[[str], str]] = {
    "the same": lambda text: text,
    "two blanks": lambda text: text.replace(" ", "  "),
    "a no-break space": lambda text: text.replace(" ", "\u00a0"),
    "a tab and a newline": lambda text: text.replace(" ", "\t\n", 1),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("folds", [False, True])
def test_queries_that_ask_the_same_stay_together(tmp_path: Path, spelled: Callable[[str], str], folds: bool) -> None:
    asked = [f"tìm phòng {n}" for n in range(12)]
    queries = [text if copy == 0 else spelled(text) for copy in range(3) for text in asked]
    documents = {f"d{n}": f"phòng {n} đẹp" for n in range(36)}
    made = entry(tmp_path, documents, queries, [(f"q{n}", f"d{n}", 1) for n in range(36)])
    for dataset in load_folds("rooms", made, 3) if folds else [load_dataset("rooms", made)]:
        split = split_of(dataset)
        assert all(split[f"q{n}"] == split[f"q{n + 12}"] == split[f"q{n + 24}"] for n in range(12))
        assert all(dataset.splits.values())
        assert dataset.groups["q0"] == dataset.groups["q12"] == dataset.groups["q24"] != dataset.groups["q1"]


def test_equal_queries_join_the_groups_that_they_stand_in(tmp_path: Path) -> None:
    rows = [{"id": f"q{n}", "text": f"phòng {n}", "group": f"g{n // 2}"} for n in range(20)]
    rows[2]["text"] = rows[1]["text"]
    documents = {f"d{n}": f"phòng {n}" for n in range(20)}
    made = entry(tmp_path, documents, rows, [(f"q{n}", f"d{n}", 1) for n in range(20)])
    split = split_of(load_dataset("rooms", made))
    assert len({split[f"q{n}"] for n in range(4)}) == 1  # g0 and g1, by q1 and q2


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_what_test_asks_is_left_out_of_given_train_and_dev(tmp_path: Path, spelled: Callable[[str], str]) -> None:
    rows = [{"id": f"q{n}", "text": f"tìm phòng {n}", "split": ("train", "dev", "test")[n % 3]} for n in range(12)]
    rows[0]["text"], rows[1]["text"] = spelled(str(rows[2]["text"])), spelled(str(rows[5]["text"]))
    documents = {f"d{n}": f"phòng {n}" for n in range(12)}
    made = entry(tmp_path, documents, rows, [(f"q{n}", f"d{n}", 1) for n in range(12)])
    dataset = load_dataset("rooms", made)
    assert dataset.splits == {
        "train": ("q3", "q6", "q9"),
        "dev": ("q4", "q7", "q10"),
        "test": ("q2", "q5", "q8", "q11"),
    }
    assert "1 train queries that dev or test asks too, under other ids, left out: q0" in dataset.notes
    assert "1 dev queries that test asks too, under other ids, left out: q1" in dataset.notes


def test_users_with_the_same_text_and_other_histories_do_not_ask_the_same(tmp_path: Path) -> None:
    rows = [{"id": f"q{n}", "text": "phim nào?", "history": [f"d{n}"]} for n in range(12)]
    documents = {f"d{n}": f"phim {n}" for n in range(13)}
    dataset = load_dataset("films", entry(tmp_path, documents, rows, [(f"q{n}", "d12", 1) for n in range(12)]))
    assert all(dataset.splits.values())


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_no_text_is_relevant_and_a_negative(tmp_path: Path, spelled: Callable[[str], str]) -> None:
    """Neither a copy of what is relevant, nor what is relevant to a query that asks the same."""
    documents = {f"d{n}": f"phòng đẹp {n}" for n in range(12)}
    documents |= {f"copy{n}": spelled(documents[f"d{n}"]) for n in range(12)}
    queries = [f"phòng đẹp {n // 2}" for n in range(12)]
    dataset = load_dataset("rooms", entry(tmp_path, documents, queries, [(f"q{n}", f"d{n}", 1) for n in range(12)]))
    for query_id in dataset.queries:
        pair = [f"q{int(query_id[1:]) // 2 * 2 + place}" for place in (0, 1)]
        texts = {dataset.documents[id_].content.split()[-1] for q in pair for id_ in dataset.relevant(q)}
        assert len(texts) == 2
        found = [n.document_id for n in hard_negatives(dataset, query_id, 50)]
        found += random_negatives(dataset, query_id, 50, random.Random(0))
        numbers = [dataset.documents[id_].content.split()[-1] for id_ in found]
        assert not texts & set(numbers)
        assert set(numbers) == {str(n) for n in range(12)} - texts


def test_unjudged_copies_among_the_candidates_are_counted(tmp_path: Path) -> None:
    documents = {f"d{n}": f"phòng đẹp {n}" for n in range(12)} | {"copy": "phòng  đẹp 3"}
    made = entry(tmp_path, documents, [f"phòng đẹp {n}" for n in range(12)], [(f"q{n}", f"d{n}", 1) for n in range(12)],
                 split={"test": 0.8})  # fmt: skip
    dataset = load_dataset("rooms", made)
    told = [note for note in dataset.notes if "have the text of a relevant document" in note]
    assert bool(told) == ("q3" in dataset.splits["test"])
    made = made.model_copy(update={"split": made.split.model_copy(update={"seed": 1})})
    notes = [*dataset.notes, *load_dataset("rooms", made).notes]
    assert any(note.startswith("1 candidates of 1 test queries have the text of a relevant document") for note in notes)


def test_a_relevant_text_that_train_knows_under_another_id_is_counted(tmp_path: Path) -> None:
    rows = [{"id": f"q{n}", "text": f"phòng {n}", "split": ("train", "test")[n % 2]} for n in range(8)]
    rows.append({"id": "q8", "text": "phòng 8", "split": "dev"})
    documents = {f"d{n}": f"phòng đẹp {n // 2}" for n in range(9)}
    dataset = load_dataset("rooms", entry(tmp_path, documents, rows, [(f"q{n}", f"d{n}", 1) for n in range(9)]))
    assert "4 test queries have a relevant text that train has as relevant too, under another id" in dataset.notes


@pytest.mark.parametrize("blank", ["  ", "\u00a0", "\u2003"])
def test_blanks_make_no_second_document_of_rental_and_squad(tmp_path: Path, blank: str) -> None:
    rows = [{"query": "tìm phòng", "pos": "phòng rẻ", "hard_neg": []},
            {"query": f"tìm{blank}phòng", "pos": f"phòng{blank}rẻ", "hard_neg": []}]  # fmt: skip
    rental = read("rental", rows=lines(tmp_path / "rows.jsonl", rows))
    assert (len(rental.documents), len(rental.queries)) == (1, 1)
    paragraphs = [{"context": text, "qas": [{"id": f"q{n}", "question": f"hỏi {n}"}]}
                  for n, text in enumerate(("phòng rẻ", f"phòng{blank}rẻ"))]  # fmt: skip
    squad = read("xquad", path=lines(tmp_path / "squad.json", [{"data": [{"paragraphs": paragraphs}]}]))
    assert len(squad.documents) == 1
    assert squad.groups["q0"] == squad.groups["q1"]


# 13. questions without an answer


@pytest.mark.parametrize(
    "question",
    [
        {"is_impossible": True, "answers": [], "plausible_answers": [{"text": "P"}]},
        {"is_impossible": True, "answers": [{"text": "P", "answer_start": 0}]},
        {"is_impossible": True},
        {"is_impossible": "true", "answers": []},
        {"is_impossible": " True "},
        {"is_impossible": 1},
        {"is_impossible": False, "answers": []},
        {"answers": []},
        {"answers": None},
        {"answers": [{"text": " "}]},
        {"answers": [{"text": None}]},
        {"answers": {"text": [], "answer_start": []}},
        {"answers": {"text": [""], "answer_start": [0]}},
    ],
    ids=str,
)
def test_a_question_without_an_answer_is_counted_and_never_relevant(tmp_path: Path, question: dict[str, Any]) -> None:
    qas = [{"id": "a", "question": "có?", "answers": [{"text": "P"}]}, {"id": "b", "question": "không?", **question}]
    path = lines(tmp_path / "squad.json", [{"data": [{"paragraphs": [{"context": "P", "qas": qas}]}]}])
    found = read("xquad", path=path)
    assert found.qrels == {"a": {"p001": 1}, "b": {"p001": 0}}
    assert found.groups["a"] == found.groups["b"]
    assert found.notes == ("questions that their paragraph does not answer: 1 of 2",)


@pytest.mark.parametrize(
    "question",
    [
        {"is_impossible": False, "answers": [{"text": "P"}]},
        {"is_impossible": "false"},
        {"is_impossible": 0},
        {"is_impossible": None},
        {"answers": {"text": ["P"], "answer_start": [0]}},
        {"answers": [{"text": ""}, {"text": "P"}]},
    ],
    ids=str,
)
def test_a_question_with_an_answer_is_relevant(tmp_path: Path, question: dict[str, Any]) -> None:
    qas = [{"id": "b", "question": "có?", **question}]
    path = lines(tmp_path / "squad.json", [{"data": [{"paragraphs": [{"context": "P", "qas": qas}]}]}])
    assert read("xquad", path=path).qrels == {"b": {"p001": 1}}


def test_a_file_without_any_answer_and_a_flag_that_is_none_are_refused(tmp_path: Path) -> None:
    for question, match in (({"is_impossible": True}, "none of its 1 questions has an answer"),
                            ({"is_impossible": "maybe"}, "qas 1: 'is_impossible' must be true or false, not 'maybe'"),
                            ({"answers": "P"}, "'answers' must be a list, not str")):  # fmt: skip
        qas = [{"id": "b", "question": "có?", **question}]
        path = lines(tmp_path / "squad.json", [{"data": [{"paragraphs": [{"context": "P", "qas": qas}]}]}])
        with fails(match):
            read("xquad", path=path)


# 14. template text left unfilled

PLACEHOLDERS = ["{pos}", "{{title}}", "{{ page.title }}", "${text}", "{}", "{0}", "%s", "%(pos)s", "{a} {b}, {c}.",
                "{% block %}", "<%= name %>", "${{ x }}"]  # fmt: skip


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_text_that_is_a_placeholder_is_named_counted_and_skipped(tmp_path: Path, text: str) -> None:
    documents = {f"d{n}": f"phòng {n}" for n in range(12)} | {"bad": text}
    qrels = [(f"q{n}", f"d{n}", 1) for n in range(10)] + [("q10", "bad", 1), ("q11", "bad", 1), ("q1", "bad", 1)]
    queries = [f"phòng {n}" for n in range(12)]
    dataset = load_dataset("rooms", entry(tmp_path, documents, queries, qrels))
    assert "bad" not in dataset.documents
    assert set(dataset.queries) == {f"q{n}" for n in range(10)}
    assert dataset.qrels["q1"] == {"d1": 1}
    (note,) = [note for note in dataset.notes if "unfilled" in note]
    assert note == (
        f"template text left unfilled: 1 documents, such as {text!r} (bad, relevant to 3 queries); "
        "left out, with what they were judged"
    )
    kept = load_dataset("rooms", entry(tmp_path, documents, queries, qrels, unfilled="keep"))
    assert "bad" in kept.documents
    assert any("kept, as the entry's `unfilled` says" in note for note in kept.notes)
    with fails("template text left unfilled: 1 documents, such as .*set `unfilled: skip` or `keep`"):
        load_dataset("rooms", entry(tmp_path, documents, queries, qrels, unfilled="error"))


def test_a_placeholder_goes_from_queries_histories_and_negatives_too(tmp_path: Path) -> None:
    rows: list[object] = [{"id": f"q{n}", "text": f"phim {n}", "history": ["bad", f"d{n}"]} for n in range(12)]
    rows.append({"id": "tpl", "text": "{query}"})
    documents = {f"d{n}": f"phim {n}" for n in range(13)} | {"bad": "{{title}}"}
    qrels = [*((f"q{n}", "d12", 1) for n in range(12)), ("tpl", "d1", 1)]
    dataset = load_dataset("films", entry(tmp_path, documents, rows, qrels))
    assert "tpl" not in dataset.queries
    assert all([d.id for d in q.history] == [f"d{q.id[1:]}"] for q in dataset.queries.values())
    listings = [{"query": f"phòng {n}", "pos": f"phòng đẹp {n}",
                 "hard_neg": [{"text": "{pos_modified}", "type": [], "weight": 1.0}]} for n in range(12)]  # fmt: skip
    path = lines(tmp_path / "rows.jsonl", listings)
    made = DatasetEntry.model_validate({"reader": "rental", "options": {"rows": str(path)}})
    assert load_dataset("rental", made).hard_negatives == {}


@pytest.mark.parametrize("text", ["phòng {pos_area} đẹp", "nan", "None", "N/A", "#REF!", "Lorem ipsum dolor sit amet",
                                  "[TITLE]", "<pos>", "giá ${price} nhé", "TODO"])  # fmt: skip
def test_what_may_be_a_placeholder_is_kept_and_said(tmp_path: Path, text: str) -> None:
    documents = {f"d{n}": f"phòng {n}" for n in range(12)} | {"odd": text}
    qrels = [(f"q{n}", f"d{n}", 1) for n in range(12)]
    dataset = load_dataset("rooms", entry(tmp_path, documents, [f"phòng {n}" for n in range(12)], qrels))
    assert dataset.documents["odd"].text == text
    assert any("it seems, kept: 1 documents, such as" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "text", ["f(x) = {1, 2}", "100 % sạch", "a < b > c", "{ color: red; }", "giá 5$ {", "$5", "{1, 2}"]
)
def test_what_only_looks_a_little_like_one_is_text(tmp_path: Path, text: str) -> None:
    documents = {f"d{n}": f"phòng {n}" for n in range(50)} | {"code": text}
    qrels = [(f"q{n}", f"d{n}", 1) for n in range(50)]
    dataset = load_dataset("rooms", entry(tmp_path, documents, [f"phòng {n}" for n in range(50)], qrels))
    assert "code" in dataset.documents
    assert dataset.notes == ()


def test_a_document_that_is_relevant_to_very_many_queries_is_said(tmp_path: Path) -> None:
    documents = {f"d{n}": f"phòng {n}" for n in range(50)} | {"all": "phòng nào cũng được"}
    queries = [f"phòng {n}" for n in range(50)]
    qrels = [(f"q{n}", "all" if n < 15 else f"d{n}", 1) for n in range(50)]
    note = "document 'all' ('phòng nào cũng được') is relevant to 15 of 50 queries"
    assert note in load_dataset("rooms", entry(tmp_path, documents, queries, qrels)).notes
    few = [(f"q{n}", "all" if n < 5 else f"d{n}", 1) for n in range(50)]
    assert load_dataset("rooms", entry(tmp_path, documents, queries, few)).notes == ()


# 15. judgements, spreadsheets, numbers


def missed(folder: Path, **keys: Any) -> Dataset:
    """Every query has one document in the corpus and one that is missing (q0 … q5) or blank (q6 … q11)."""
    documents = {f"d{n}": f"phòng {n}" for n in range(12)} | {f"blank{n}": " " for n in range(6, 12)}
    gone = [(f"q{n}", f"{'gone' if n < 6 else 'blank'}{n}", 1) for n in range(12)]
    qrels = [*((f"q{n}", f"d{n}", 1) for n in range(12)), *gone]
    return load_dataset("rooms", entry(folder, documents, [f"phòng {n}" for n in range(12)], qrels, **keys))


@pytest.mark.parametrize("protocol", ["end-to-end", "oracle"])
def test_a_judged_document_without_text_is_missed_and_counted(tmp_path: Path, protocol: str) -> None:
    dataset = missed(tmp_path, candidates={"protocol": protocol})
    assert dataset.recall_ceiling("test") == 0.5
    ideal = {q: {id_: float(id_ in dataset.relevant(q)) for id_ in ids} for q, ids in dataset.candidates.items()}
    for name, value in (("Recall", 0.5), ("MAP", 0.5), ("nDCG@10", 1 / (1 + 1 / 1.584962500721156))):
        values = evaluate(ideal, dataset.qrels, dataset.splits["test"], metric(name))
        assert values == pytest.approx([value] * len(values))
    assert (
        "6 of 24 relevant documents are not in the corpus and count as missed, first 'gone0' of 'q0'" in dataset.notes
    )
    assert any(n.startswith("6 of 24 relevant documents have no text and count as missed") for n in dataset.notes)
    for query_id in dataset.queries:  # nobody stumbles over them
        assert dataset.relevant(query_id) == {f"d{query_id[1:]}"}
        assert hard_negatives(dataset, query_id, 5)
    assert missed(tmp_path, candidates={"protocol": protocol}) == dataset  # as the store has it


def test_a_query_with_nothing_to_read_is_tested_and_not_learnt_from(tmp_path: Path) -> None:
    rows = [{"id": f"q{n}", "text": f"phòng {n}", "split": ("train", "dev", "test")[n % 3]} for n in range(12)]
    documents = {f"d{n}": f"phòng {n}" for n in range(12)}
    qrels = [(f"q{n}", f"d{n}" if n > 2 else "gone", 1) for n in range(12)]
    dataset = load_dataset("rooms", entry(tmp_path, documents, rows, qrels))
    assert split_of(dataset).keys() == {f"q{n}" for n in range(2, 12)}
    assert dataset.recall_ceiling("test") == 0.75
    assert "3 queries without a relevant document to read are only tested, not learnt from: q0, q1, q2" in dataset.notes


@pytest.mark.parametrize("reader", ["beir", "trec", "jsonl", "cranfield"])
def test_judgements_of_what_does_not_exist_in_every_format(tmp_path: Path, reader: str) -> None:
    """An unknown document stays and is missed; an unknown query is left out; neither is an error, both are counted."""
    corpus = [{"_id": "1", "id": "1", "text": "một"}, {"_id": "2", "id": "2", "text": "hai"}]
    topics = [{"_id": "1", "id": "1", "text": "hỏi một"}]
    triples = [("1", "1"), ("1", "99"), ("77", "1")]
    options: dict[str, Any]
    if reader == "beir":
        lines(tmp_path / "corpus.jsonl", corpus)
        lines(tmp_path / "queries.jsonl", topics)
        lines(tmp_path / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *(f"{q}\t{d}\t1" for q, d in triples)])
        options = {"folder": tmp_path}
    elif reader == "cranfield":
        lines(tmp_path / "cran.all.1400", [".I 1", ".T", "một", ".W", "một hai", ".I 2", ".T", "hai", ".W", "hai ba"])
        lines(tmp_path / "cran.qry", [".I 001", ".W", "hỏi một"])
        lines(tmp_path / "cranqrel", [f"{q} {d} 4" for q, d in triples])
        options = {"folder": tmp_path}
    else:
        qrels = [f"{q} 0 {d} 1" for q, d in triples]
        rows: list[object] = [{"query": q, "document": d} for q, d in triples]
        options = {
            "documents": lines(tmp_path / "d.jsonl", corpus),
            ("topics" if reader == "trec" else "queries"): lines(tmp_path / "q.jsonl", topics),
            "qrels": lines(tmp_path / "qrels", list(qrels) if reader == "trec" else rows),
        }
    found = read(reader, **options)
    assert found.qrels == {"1": {"1": 1, "99": 1}}
    assert any(re.match(r"judgements of a \w+ that does not exist, left out: 1, first .* '77'", n) for n in found.notes)


def test_judgements_that_fit_to_nothing_are_refused(tmp_path: Path) -> None:
    made = entry(tmp_path, {"d1": "phòng"}, ["phòng"], [("q0", "D1", 1), ("q0", "D2", 1)])
    with fails("none of the 2 documents judged relevant exists, first 'D1'"):
        load_dataset("rooms", made)


def sheet(path: Path, dimension: str | None, rows: int = 10) -> Path:
    """A workbook of labelled queries whose file says of itself what `dimension` says."""
    workbook = openpyxl.Workbook()
    workbook.active.append(["Query", "Ground truth document"])
    for number in range(rows):
        workbook.active.append([f"Câu {number}", "1"])
    workbook.save(path)
    if dimension is not None:
        parts = {}
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                if name == "xl/worksheets/sheet1.xml":
                    content = re.sub(rb"<dimension [^>]*/>", dimension.encode(), content)
                archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "dimension",
    [None, '<dimension ref="A1:B4"/>', '<dimension ref="A1"/>', '<dimension ref="A1:A11"/>', "",
     '<dimension ref="A1:XFD1048576"/>', '<dimension ref="B3:B4"/>'],
)  # fmt: skip
def test_a_sheet_is_read_whole_whatever_it_says_of_its_extent(tmp_path: Path, dimension: str | None) -> None:
    corpus = lines(tmp_path / "c.csv", ["STT,Văn bản", "1,Một"])
    found = read("proptit", corpus=corpus, queries=sheet(tmp_path / "q.xlsx", dimension))
    assert found.qrels == {f"q{row}": {"1": 1} for row in range(2, 12)}


def test_workbooks_that_are_none_are_refused(tmp_path: Path) -> None:
    corpus = lines(tmp_path / "c.csv", ["STT,Văn bản", "1,Một"])
    good = sheet(tmp_path / "good.xlsx", None).read_bytes()
    bomb, other = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(3):
            archive.writestr(f"xl/{number}.xml", bytes(100_000_000))
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "x")
    for content, match in (
        (b"PK\x03\x04", "not an XLSX"),
        (good[:-40], "not an XLSX"),
        (other.getvalue(), "not an XLSX"),
        (b"a,b\n1,2\n", "not an XLSX"),
        (bomb.getvalue(), "unpacks to 300,000,000 bytes"),
    ):
        (tmp_path / "bad.xlsx").write_bytes(content)
        with fails(match):
            read("proptit", corpus=corpus, queries=tmp_path / "bad.xlsx")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"cap": 0}, "'cap' must be above 0, not 0"),
        ({"cap": -4.0}, "'cap' must be above 0, not -4"),
        ({"increment_ratio": -0.3}, "'increment_ratio' must not be negative, but is -0.3"),
        ({"cap": True}, "'cap' must be a finite number"),
        ({"cap": "much"}, "'cap' must be a finite number"),
    ],
)
def test_a_rule_that_gives_impossible_weights_is_refused(tmp_path: Path, rule: dict[str, Any], problem: str) -> None:
    path = lines(tmp_path / "w.json", [{"price": 2.0, "other": 0.5, "_metadata": rule}])
    with fails(f"w.json, _metadata: {problem}"):
        read_weight_config(path)


WRONG_JSON = [
    ('{"id": "a", "id": "b"}', "key 'id' comes twice in one object"),
    ('{"id": "a", "metadata": {"x": 1, "y": 2, "x": 3}}', "key 'x' comes twice"),
    ('{"id": "a", "\\u0069d": "b"}', "key 'id' comes twice"),
    (json.dumps({NFC: 1, NFD: 2}, ensure_ascii=False), "a key comes twice, in two Unicode forms"),
    ('{"id": "a", "x": NaN}', "NaN is no finite number"),
    ('{"id": "a", "x": [1, -Infinity]}', "-Infinity is no finite number"),
    ('{"id": "a", "x": 1e400}', "1e400 is no finite number"),
    ('{"id": "a", "x": {"y": -1E+999}}', r"-1E\+999 is no finite number"),
    ('{"id": "a", "x": ' + "1" * 5000 + "}", "holds a number of thousands of digits"),
    ('{"id": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested more than 100 deep; flatten it"),
]


@pytest.mark.parametrize(("line", "problem"), WRONG_JSON, ids=[problem for _, problem in WRONG_JSON])
def test_json_that_would_lose_or_invent_a_value_is_refused_with_its_line(
    tmp_path: Path, line: str, problem: str
) -> None:
    good = '{"id": "NaN", "text": "id: 1e400 \\" {"}'
    with fails(f"rows.jsonl, line 3: {problem}"):
        list(read_jsonl(lines(tmp_path / "rows.jsonl", [good, good.replace("NaN", "b"), line])))


def test_a_key_that_comes_twice_is_found_by_line_in_a_whole_file(tmp_path: Path) -> None:
    text = '{"a": [{"id": "x:", "t": "}"},\n {"id": 2}],\n "b": {"c": 1,\n "c": 2}}'
    with fails("rows.json, line 4: key 'c' comes twice"):
        read_json(lines(tmp_path / "rows.json", [text]))
    with fails("rows.json, line 2: NaN is no finite number"):
        read_json(lines(tmp_path / "rows.json", ['{"a": "NaN",\n "b": NaN}']))
    with fails("weights.json, line 1: key 'price' comes twice"):
        read_weight_config(lines(tmp_path / "weights.json", ['{"price": 2, "other": 1, "price": 3}']))
    with fails("rows.json, line 1: key 'pos' comes twice"):
        survey(lines(tmp_path / "rows.json", ['[{"query": "q", "pos": "a", "pos": "b", "hard_neg": []}]']), None)
    with fails("requests.jsonl, line 1: NaN is no finite number"):
        read_requests(
            lines(
                tmp_path / "requests.jsonl",
                ['{"query": "q", "documents": [{"id": "d", "text": "t", "metadata": {"x": NaN}}]}'],
            )
        )


@pytest.mark.parametrize("grade", ["1_0", 2**31, -(2**31) - 1, 10**400, True, "high", 0.5, None, [1], ""])
def test_a_grade_that_is_none_is_refused(tmp_path: Path, grade: object) -> None:
    with fails("r.jsonl, line 1: .*(grade|None)"):
        load_dataset("rooms", entry(tmp_path, {"d": "phòng"}, ["phòng"], [("q0", "d", grade)]))


@pytest.mark.parametrize(
    ("corpus", "label", "means"),
    [
        (["1", "2"], "1.0", "1"),
        (["1.0", "2.0"], "1", "1.0"),
        (["1.0", "2.0"], "1.0", "1.0"),
        (["1", "1.0"], "1.0", "1.0"),
        (["1", "1.0"], "1", "1"),
        (["v1", "v1.0"], "v1.0", "v1.0"),
        (["v1", "2"], "v1.0", None),
        (["1", "1.0"], "1.00", None),
        (["10", "2"], "1.0", None),
    ],
)
def test_ids_with_the_point_of_a_spreadsheet(tmp_path: Path, corpus: list[str], label: str, means: str | None) -> None:
    """`1.0` is taken for `1` only where it does not exist itself, and where only one id is meant; never are two one."""
    path = lines(tmp_path / "c.csv", ["STT,Văn bản", *(f"{id_},chữ {id_}" for id_ in corpus)])
    workbook = openpyxl.Workbook()
    for row in (["Query", "Ground truth document"], ["Câu", label]):
        workbook.active.append(row)
    workbook.save(tmp_path / "q.xlsx")
    if means is None:
        with fails(f"'{label}' is not a document of the corpus"):
            read("proptit", corpus=path, queries=tmp_path / "q.xlsx")
        return
    assert read("proptit", corpus=path, queries=tmp_path / "q.xlsx").qrels == {"q2": {means: 1}}


def test_long_numbers_keep_their_last_digit(tmp_path: Path) -> None:
    """A float of 17 digits has lost it, and two films would be one."""
    ids = [9007199254740992, 9007199254740993]
    movies = ["movieId,title,genres", *(f"{id_},Phim {id_},x" for id_ in [*ids, 1, 2])]
    lines(tmp_path / "movies.csv", movies)
    lines(
        tmp_path / "ratings.csv", ["userId,movieId,timestamp", *(f"1,{id_},{n}" for n, id_ in enumerate([*ids, 1, 2]))]
    )
    found = read("movielens", folder=tmp_path, core=1)
    assert set(found.documents) == {*map(str, ids), "1", "2"}


# 16. ids as they came


def test_ids_stay_as_the_source_spells_them(tmp_path: Path) -> None:
    documents = {NFD: "một", "\u00a0x": "hai", "Ａ": "ba"}
    made = entry(tmp_path, documents, [{"id": NFD, "text": "một"}], [(NFD, NFD, 1)], split={"test": 0.8})
    dataset = load_dataset("rooms", made)
    assert list(dataset.documents) == [NFD, "\u00a0x", "Ａ"]
    assert dataset.qrels == {NFD: {NFD: 1}}


@pytest.mark.parametrize(("stands", "asked"), [(NFC, NFD), (NFD, NFC), ("7", "7.0"), ("7.0", "7")])
def test_an_id_in_another_form_finds_its_document_and_is_counted(tmp_path: Path, stands: str, asked: str) -> None:
    made = entry(tmp_path, {stands: "một", "other": "hai"}, [{"id": stands, "text": "một"}], [(asked, asked, 1)])
    found = load_dataset("rooms", made)
    assert found.qrels == {stands: {stands: 1}}
    assert any(note.startswith("ids of judgements that are spelled otherwise") for note in found.notes)
    path = lines(tmp_path / "corpus.jsonl", [{"id": stands, "text": "một"}, {"id": "other", "text": "hai"}])
    lookup = Lookup(path, "document", SILENT)
    assert lookup.find(asked) == stands
    assert lookup.document(asked) == Document(asked, "một")  # under the name that it is asked for
    lookup.close()


def test_two_ids_that_differ_in_form_are_two(tmp_path: Path) -> None:
    made = entry(tmp_path, {NFC: "một", NFD: "hai"}, [{"id": "q", "text": "hai"}], [("q", NFD, 1)])
    assert load_dataset("rooms", made).qrels == {"q": {NFD: 1}}
    path = lines(tmp_path / "corpus.jsonl", [{"id": NFC, "text": "một"}, {"id": NFD, "text": "hai"}])
    lookup = Lookup(path, "document", SILENT)
    assert [lookup.document(id_).text for id_ in (NFC, NFD)] == ["một", "hai"]
    lookup.close()


@pytest.mark.parametrize("id_", [NFD, NFC, "a\u00a0b", "x\u2028y", "\u3000z"])
def test_a_run_is_written_with_the_ids_that_it_was_read_with(tmp_path: Path, id_: str) -> None:
    (block,) = read_run(lines(tmp_path / "run", [f"{id_} Q0 {id_} 1 2.5 tag"]))
    assert (block[0].id("query"), block[0].id("document")) == (id_, id_)
    request = Request(Query(id_, "hỏi"), (Document(id_, "một"),))
    written = run_lines(Ranking.from_scores(request, [2.5]), "tag")
    assert written.encode() == f"{id_} Q0 {id_} 1 2.5 tag\n".encode()


# 28. what is not read is not looked at, and impossible numbers are refused at once


def beir(folder: Path) -> DatasetEntry:
    lines(folder / "corpus.jsonl", [{"_id": f"d{n}", "text": f"phòng {n}"} for n in range(12)])
    lines(folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"phòng {n}"} for n in range(12)])
    for split, numbers in (("train", range(6)), ("dev", range(6, 8)), ("test", range(8, 12))):
        rows = ["query-id\tcorpus-id\tscore", *(f"q{n}\td{n}\t1" for n in numbers)]
        lines(folder / "qrels" / f"{split}.tsv", rows)
    return DatasetEntry.model_validate({"reader": "beir", "options": {"folder": str(folder)}})


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


STRANGERS: dict[str, Callable[[Path], object]] = {
    "a sparse terabyte": lambda folder: _sparse(folder / "huge.bin"),
    "a FIFO": lambda folder: os.mkfifo(folder / "fifo"),
    "a loop of links": lambda folder: (folder / "loop").symlink_to(folder),
    "a link to itself": lambda folder: (folder / "self").symlink_to(folder / "self"),
    "a device": lambda folder: (folder / "zero").symlink_to("/dev/zero"),
    "an unreadable file": lambda folder: (folder / "secret").touch(mode=0),
    "another change": lambda folder: (folder / "notes.txt").write_text("x"),
}


@pytest.mark.parametrize("put", STRANGERS.values(), ids=STRANGERS)
def test_what_else_lies_in_a_folder_is_not_looked_at(tmp_path: Path, put: Callable[[Path], object]) -> None:
    folder = tmp_path / "beir"
    made = beir(folder)
    first = load_dataset("rooms", made)
    put(folder)
    assert load_dataset("rooms", made) == first
    assert len(list((tmp_path / "rr-home" / "data").iterdir())) == 1  # and it is not taken for another source


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_an_input_that_is_no_file_is_refused_at_once(tmp_path: Path, name: str, kind: str) -> None:
    made, path = beir(tmp_path), tmp_path / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with fails(f"{path.name}: not a file; give the path of the file itself"):
        load_dataset("rooms", made)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "qrels/train.tsv"])
def test_every_file_that_is_read_counts(tmp_path: Path, name: str) -> None:
    made = beir(tmp_path)
    load_dataset("rooms", made)
    path = tmp_path / name
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    load_dataset("rooms", made)
    assert len(list((tmp_path / "rr-home" / "data").iterdir())) == 2


@pytest.mark.parametrize("folds", [13, 1000, 2**63, 10**29])
def test_more_folds_than_queries_are_refused_at_once(tmp_path: Path, folds: int) -> None:
    with fails(f"{folds} folds need as many groups of queries, and there are 12; ask for fewer"):
        load_folds("rooms", rooms(tmp_path), folds)


class Listwise:
    """As much of a scorer as is asked before any order is drawn."""

    info = ModelInfo("logit", listwise=True)

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[0.0] * len(request.candidates) for request in requests]


@pytest.mark.parametrize("shuffles", [1001, 10**29])
def test_more_orders_than_can_be_asked_about_are_refused_at_once(tmp_path: Path, shuffles: int) -> None:
    dataset = load_dataset("rooms", rooms(tmp_path))
    with pytest.raises(RerankError, match=f"{shuffles} shuffles would never end; ask for at most 1000"):
        position_bias(Listwise(), dataset, shuffles)
    with pytest.raises(ValueError, match="permutations"):
        RerankerEntry.model_validate({"scorer": "letters", "permutations": shuffles})


@pytest.mark.parametrize(
    "keys",
    [
        {"split": {"max_train": 10**29, "max_dev": 10**29, "max_test": 10**29}},
        {"split": {"seed": 10**29}},
        {"candidates": {"depth": 10**29}},
        {"candidates": {"depth": 10**29, "protocol": "oracle"}},
        {"candidates": {"seed": -(10**29)}},
    ],
    ids=str,
)
def test_huge_numbers_are_only_numbers(tmp_path: Path, keys: dict[str, Any]) -> None:
    dataset = load_dataset("rooms", rooms(tmp_path, **keys))
    assert sum(map(len, dataset.splits.values())) == 12
