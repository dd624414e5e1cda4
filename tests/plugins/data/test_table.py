"""Reader `table`: tables of one's own in any format, apart and joined, and their damaged twins."""

from __future__ import annotations

import datetime
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rr.errors import DataError
from rr_data.readers.table import Table
from tests.plugins.data.wild import FORMATS, PACKED, delimited, fails, jsonl, packed, pq, skipping, text, xlsx
from tests.preparing import component, read

DOCUMENTS = [
    {"STT": 1, "Văn bản": "Đường Lê Lợi; số 5, tầng | hai"},
    {"STT": 2, "Văn bản": 'Nhà "mới"'},
    {"STT": 15, "Văn bản": "Phòng\ttrọ"},
]
QUERIES = [
    {"Câu hỏi": "nhà nào mới?", "Ground truth document": "2", "Độ khó": "dễ"},
    {"Câu hỏi": "phòng, nhà?", "Ground truth document": "15, 2", "Độ khó": "khó"},
]
QRELS = {"q1": {"2": 1}, "q2": {"15": 1, "2": 1}}


@pytest.mark.parametrize("form", FORMATS)
def test_documents_and_queries_apart(tmp_path: Path, form: str) -> None:
    documents, queries = (FORMATS[form](tmp_path / name, rows) for name, rows in (("d", DOCUMENTS), ("q", QUERIES)))
    found = read("table", documents=documents, queries=queries, separator=",")
    assert {id_: one.text for id_, one in found.documents.items()} == {
        str(row["STT"]): row["Văn bản"] for row in DOCUMENTS
    }
    assert [query.text for query in found.queries.values()] == ["nhà nào mới?", "phòng, nhà?"]
    assert found.qrels == QRELS
    assert found.facets == {"Độ khó": {"q1": "dễ", "q2": "khó"}}


@pytest.mark.parametrize("packer", PACKED)
@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "parquet"])
def test_packed_files_are_unpacked(tmp_path: Path, form: str, packer: str) -> None:
    documents, queries = (
        packed(FORMATS[form](tmp_path / name, rows), packer) for name, rows in (("d", DOCUMENTS), ("q", QUERIES))
    )
    assert read("table", documents=documents, queries=queries, separator=",").qrels == QRELS


def test_a_csv_and_an_xlsx_with_named_columns(tmp_path: Path) -> None:
    found = read(
        "table",
        documents=delimited(tmp_path / "d.csv", [{"mã": "a", "chữ": "một"}, {"mã": "b", "chữ": "hai"}]),
        queries=xlsx(tmp_path / "q.xlsx", [{"hỏi gì": 2024, "đúng": "b"}], sheet="Hỏi", before="Ghi chú"),
        columns={"document_id": ("mã", "đúng"), "document": "chữ", "query": "hỏi gì"},
        sheet="Hỏi",
    )
    assert found.queries["q1"].text == "2024"  # a spreadsheet takes it for a number
    assert found.qrels == {"q1": {"b": 1}}


# the layout of delimited text


def test_a_delimiter_that_the_name_does_not_promise_is_noted(tmp_path: Path) -> None:
    rows = [{"question": "a, b?", "context": "một; hai"}, {"question": "c?", "context": "ba"}]
    found = read("table", rows=delimited(tmp_path / "rows.csv", rows, ";"))
    assert [one.text for one in found.documents.values()] == ["một; hai", "ba"]
    assert found.notes == ("rows.csv: cells are taken to stand between ';', as its first rows do",)
    said = read("table", rows=tmp_path / "rows.csv", delimiter=";")
    assert said.notes == ()
    with fails("column 'query' is missing; there are: question;context"):
        read("table", rows=tmp_path / "rows.csv", delimiter=",")


def test_quotes_in_a_tsv_enclose_cells_only_where_all_do(tmp_path: Path) -> None:
    plain = text(tmp_path / "plain.tsv", "query\tpassage", '"a\t"b" is a letter', 'c\t"d"')
    assert [one.text for one in read("table", rows=plain).documents.values()] == ['"b" is a letter', '"d"']
    written = text(tmp_path / "quoted.tsv", "query\tpassage", 'a\t"say ""b"""')
    assert [one.text for one in read("table", rows=written).documents.values()] == ['say "b"']


def test_a_mark_of_byte_order_and_decomposed_names_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\ufeff" + unicodedata.normalize("NFD", "Câu hỏi,Văn bản\r\nmột?,Đoạn\r\n"), encoding="utf-8")
    found = read("table", rows=path, columns={"query": "Câu hỏi"})
    assert (found.queries["q1"].text, found.documents["d1"].text) == ("một?", "Đoạn")


# joined


def test_rows_of_query_and_document(tmp_path: Path) -> None:
    rows = [
        {"question": "a?", "context": "x", "label": 2, "split": "train", "topic": "t"},
        {"question": "a?", "context": "y", "label": 0, "split": "train", "topic": "t"},
        {"question": "b?", "context": "x ", "label": 1, "split": "validation", "topic": "u"},
        {"question": "a?", "context": "y", "label": 1, "split": "test", "topic": "u"},
    ]
    for form in FORMATS:
        found = read("table", rows=FORMATS[form](tmp_path / "rows", rows))
        assert {id_: one.text for id_, one in found.documents.items()} == {"d1": "x", "d2": "y"}
        assert found.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": 1}, "q3": {"d2": 1}}
        assert found.splits == {"train": ["q1"], "dev": ["q2"], "test": ["q3"]}  # one question, asked in two splits
        assert found.facets == {"topic": {"q1": "t", "q2": "u", "q3": "u"}}


def test_rows_with_ids_of_their_own(tmp_path: Path) -> None:
    rows = [
        {"qid": 7, "query": "a", "pid": "p1", "passage": "x", "title": "T"},
        {"qid": 7, "query": "a", "pid": "p2", "passage": "x", "title": ""},
    ]
    found = read("table", rows=jsonl(tmp_path / "rows.jsonl", rows))
    assert list(found.documents) == ["p1", "p2"]
    assert found.documents["p1"].title == "T"
    assert found.qrels == {"7": {"p1": 1, "p2": 1}}
    damaged = [*rows, {"qid": 7, "query": "b", "pid": "p3", "passage": "z"}]
    damaged += [{"qid": 8, "query": "c", "pid": "p1", "passage": "other"}, {"qid": 9, "query": "d", "passage": "z"}]
    with fails("3 rows cannot be used") as caught:
        read("table", rows=jsonl(tmp_path / "rows.jsonl", damaged))
    for part in (
        "line 3: query '7' came already with another text",
        "line 4: document 'p1' has another text here than before",
        "line 5: 'pid' is blank",
    ):
        assert part in str(caught.value)
    with skipping():
        left = read("table", rows=tmp_path / "rows.jsonl")
    assert (list(left.documents), left.qrels) == (["p1", "p2"], {"7": {"p1": 1, "p2": 1}})
    assert len([note for note in left.notes if note.startswith("left out")]) == 3


def test_rows_that_name_documents_of_a_file(tmp_path: Path) -> None:
    documents = jsonl(tmp_path / "corpus.jsonl", [{"id": "a", "text": "một"}, {"id": "b", "text": "hai", "title": "B"}])
    rows = [{"query": "x", "positive": "hai"}, {"query": "y", "positive": "a"}, {"query": "z", "positive": "B\nhai"}]
    found = read("table", documents=documents, rows=jsonl(tmp_path / "rows.jsonl", rows))
    assert found.qrels == {"q1": {"b": 1}, "q2": {"a": 1}, "q3": {"b": 1}}
    assert list(found.documents) == ["a", "b"]


def test_lists_in_cells_and_no_answer(tmp_path: Path) -> None:
    documents = jsonl(tmp_path / "corpus.jsonl", [{"_id": n, "text": f"văn bản {n}"} for n in (1, 2, 3)])
    queries = [{"qid": "a", "question": "x", "relevant": [1, "3"]}, {"qid": "b", "question": "y", "relevant": []}]
    for write in (
        jsonl,
        lambda path, rows: pq(path, [{**row, "relevant": list(map(str, row["relevant"]))} for row in rows]),
    ):
        found = read("table", documents=documents, queries=write(tmp_path / "q", queries))
        assert found.qrels == {"a": {"1": 1, "3": 1}, "b": {}}


# judgements apart


def apart(folder: Path, *qrels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "documents": jsonl(folder / "d.jsonl", [{"id": "1", "text": "một"}, {"id": "2", "text": "hai hai"}]),
        "queries": delimited(folder / "q.csv", [{"id": "10", "text": "x?"}, {"id": "11", "text": "y ?"}]),
        "qrels": jsonl(folder / "r.jsonl", qrels),
        **more,
    }


def test_judgements_in_a_file_of_their_own(tmp_path: Path) -> None:
    judged = [
        {"query-id": "10", "corpus-id": "1", "score": "1"},
        {"query-id": 11.0, "corpus-id": "2.0", "score": 0},  # as a spreadsheet has them
        {"query-id": "11", "corpus-id": "gone", "score": 2},
        {"query-id": "12", "corpus-id": "1", "score": 1},
    ]
    found = read("table", **apart(tmp_path, *judged))
    assert found.qrels == {"10": {"1": 1}, "11": {"2": 0, "gone": 2}}
    assert found.notes[0].startswith("judgements of a query that does not exist, left out: 1")
    assert found.notes[1].startswith("ids that are spelled otherwise")


def test_judgements_may_name_texts(tmp_path: Path) -> None:
    judged = [{"query": "y  ?", "document": "hai  hai", "grade": 1}, {"query": "10", "document": "1", "grade": 3}]
    assert read("table", **apart(tmp_path, *judged)).qrels == {"11": {"2": 1}, "10": {"1": 3}}


def test_files_by_split(tmp_path: Path) -> None:
    documents = delimited(tmp_path / "d.csv", [{"id": n, "text": f"văn bản {n}"} for n in range(4)])
    parts = {
        split: delimited(tmp_path / f"{split}.csv", [{"query": f"{split}?", "docid": n}])
        for n, split in enumerate(("train", "dev", "test"))
    }
    found = read("table", documents=[documents], queries=parts)
    assert found.splits == {"train": ["q1"], "dev": ["q2"], "test": ["q3"]}
    assert found.qrels == {"q1": {"0": 1}, "q2": {"1": 1}, "q3": {"2": 1}}
    judged = {
        split: delimited(tmp_path / f"qrels-{split}.csv", [{"qid": f"{split}", "docid": n}])
        for n, split in enumerate(("train", "test"))
    }
    queries = delimited(tmp_path / "queries.csv", [{"id": split, "text": f"{split}?"} for split in judged])
    found = read("table", documents=documents, queries=queries, qrels=judged)
    assert found.splits == {"train": ["train"], "test": ["test"]}
    judged["test"] = judged["train"]
    with fails("query 'train' stands in split 'train' already"):
        read("table", documents=documents, queries=queries, qrels=judged)


def test_a_label_of_queries_is_no_grade(tmp_path: Path) -> None:
    options = apart(tmp_path, {"qid": "10", "docid": "1"})
    queries = delimited(options["queries"], [{"id": "10", "text": "x?", "label": "easy"}])
    assert read("table", **{**options, "queries": queries}).facets == {"label": {"10": "easy"}}


def test_groups_and_several_files(tmp_path: Path) -> None:
    parts = [
        pq(tmp_path / f"{n}.parquet", [{"question": f"q{n}", "passage": f"p{n}", "group": n % 2}]) for n in range(3)
    ]
    found = read("table", rows=parts)
    assert found.groups == {"q1": "0", "q2": "1", "q3": "0"}
    assert component("reader", "table", rows=parts).files() == parts


# damage


def test_ids_that_a_spreadsheet_has_damaged(tmp_path: Path) -> None:
    documents = xlsx(tmp_path / "d.xlsx", [{"id": n, "text": f"văn bản {n}"} for n in (1, 2, 1234567890123)])
    cells = [
        1.0,
        "2.0",
        datetime.datetime(2093, 4, 2),
        "02/04/1997",
        "1,23E+12",
        1.5,
        True,
        "1, 2",
        "1 + 2",
        None,
        "gone",
    ]
    queries = xlsx(tmp_path / "q.xlsx", [{"query": f"câu {n}", "docid": cell} for n, cell in enumerate(cells, 2)])
    with fails("8 rows cannot be used") as caught:
        read("table", documents=documents, queries=queries)
    for part in (
        "q.xlsx, row 4: 'docid' holds a date ('2093-04-02 00:00:00') where ids were; type them again as text",
        "and 1 more of this kind: row 5",
        "row 6: 'docid' holds a number that was rounded ('1,23E+12')",
        "row 7: 'docid' must be text or a whole number, not 1.5",
        "row 8: 'docid' must be text or a whole number, not True",
        "row 9: 'docid' names 2 documents ('1, 2'); set separator: ','",
        "row 10: 'docid': '1 + 2' is neither the id nor the text of a document",
        "row 11: 'docid' is blank",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    with skipping():
        found = read("table", documents=documents, queries=queries)
    assert found.qrels == {"q1": {"1": 1}, "q2": {"2": 1}, "q3": {"gone": 1}}


def test_zeros_that_a_spreadsheet_has_dropped(tmp_path: Path) -> None:
    documents = text(tmp_path / "d.csv", "id,text", "007,một", "012,hai")
    queries = xlsx(tmp_path / "q.xlsx", [{"query": "x", "docid": 7}, {"query": "y", "docid": "012"}])
    with fails("row 2: 'docid': '7' does not exist, and '007' does; type its zeros, as text"):
        read("table", documents=documents, queries=queries)


def test_cells_of_several_lines(tmp_path: Path) -> None:
    rows = [{"Câu\nhỏi": f"câu {n}", "Văn bản": "dòng một;\n\n" * 30 + f"hết {n}"} for n in range(20)]
    for delimiter in ",;\t":
        path = delimited(tmp_path / "rows.csv", rows, delimiter)
        found = read("table", rows=path, columns={"query": "Câu\nhỏi"})
        assert found.documents["d20"].text == rows[19]["Văn bản"]
        assert found.queries["q20"].text == "câu 19"
    cut = text(tmp_path / "cut.csv", "query,passage", "a,b", 'c,"d')
    with fails(r"cut\.csv, line 3: not CSV .*; mend the quotes"):
        read("table", rows=cut)


DAMAGED: dict[str, tuple[list[str], str]] = {
    "a cell too many": (["query,passage", "a,b", "c,d,e"], r"line 3: 3 cells under 2 columns; check the ',' in it"),
    "a blank query": (["query,passage", "a,b", " ,d"], "line 3: 'query' is blank"),
    "a blank document": (["query,passage", "a,b", "c, "], "line 3: 'passage' is blank"),
    "a grade in words": (
        ["query,passage,grade", "a,b,1", *["a,b,1"] * 60, "c,d,good"],
        "line 63: 'grade' must be a finite",
    ),
    "a blank grade": (["query,passage,grade", "a,b,1", "c,d,"], "line 3: 'grade' is blank; write a grade"),
    "two grades": (
        ["query,passage,grade", "a,b,1", "a,b,2"],
        "line 3: the judgement of query 'q1' .* came already in line 2",
    ),
    "a split of another name": (
        ["query,passage,split", *["a,b,train"] * 60, "c,d,trian"],
        "line 62: 'split' is 'trian'; write train, dev or test",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_rows(tmp_path: Path, name: str) -> None:
    lines, problem = DAMAGED[name]
    path = text(tmp_path / "rows.csv", *lines)
    with fails(problem):
        read("table", rows=path)
    with skipping():
        found = read("table", rows=path)
    assert found.qrels == {"q1": {"d1": 1}}
    assert found.notes[0].startswith("left out, as the entry's `missing: skip` says")


def test_a_document_that_comes_twice(tmp_path: Path) -> None:
    options = apart(tmp_path, {"qid": "10", "docid": "1"})
    jsonl(options["documents"], [{"id": "1", "text": "một"}, {"id": "1", "text": "hai"}])
    with fails(r"d\.jsonl, line 2: document '1' came already in line 1"):
        read("table", **options)
    same = [{"text": "một"}, {"text": "một "}, {"text": " "}]  # without ids, equal texts are one
    queries = jsonl(tmp_path / "q.jsonl", [{"query": "x", "document": "một"}])
    with fails(r"d\.jsonl, line 3: 'text' is blank"):
        read("table", documents=jsonl(options["documents"], same), queries=queries)
    found = read("table", documents=jsonl(options["documents"], same[:2]), queries=queries)
    assert (found.qrels, found.notes) == ({"q1": {"d1": 1}}, ("documents that come again, taken for one: 1",))


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    rows = delimited(tmp_path / "rows.csv", [{"frage": "a", "antwort": "b"}])
    with fails(r"rows\.csv: column 'query' is missing; there are: antwort, frage; name yours under columns\.query"):
        read("table", rows=rows)
    with fails("columns.query: column 'fragen' is missing; there are: antwort, frage; did you mean 'frage'"):
        read("table", rows=rows, columns={"query": "fragen", "document": "antwort"})
    with fails("column 'score' seems to hold grades, and holds '0.5'"):
        read("table", rows=text(tmp_path / "scored.csv", "query,passage,score", "a,b,0.5"))
    found = read("table", rows=tmp_path / "scored.csv", columns={"grade": None})
    assert found.qrels == {"q1": {"d1": 1}}
    with fails("names documents by id, and no file holds any; give `documents`"):
        read("table", rows=text(tmp_path / "ids.csv", "query,docid", "a,1"))
    book = xlsx(tmp_path / "q.xlsx", [{"query": "a", "passage": "b"}])
    with fails("has no sheet 'Sheet2'; did you mean 'Sheet1'"):
        read("table", rows=book, sheet="Sheet2")
    with fails("has 1 sheets, and no sheet 2; they are Sheet1"):
        read("table", rows=book, sheet=2)
    (tmp_path / "cut.parquet").write_bytes(pq(tmp_path / "p", [{"query": "a", "passage": "b"}]).read_bytes()[:-9])
    with fails(r"cut\.parquet: not whole Parquet"):
        read("table", rows=tmp_path / "cut.parquet")
    with fails(r"odd\.json: expected a JSON list of objects"):
        read("table", rows=text(tmp_path / "odd.json", "{", '"a": 1', "}"))
    with pytest.raises(ValidationError, match="give `rows`, or `documents` and `queries`"):
        component("reader", "table", documents=rows)


def test_a_key_that_only_the_last_objects_have_is_seen(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"query": f"câu {n}", "passage": "x"} for n in range(60)]
    found = read("table", rows=jsonl(tmp_path / "r.jsonl", [*rows, {"query": "z", "passage": "y", "title": "T"}]))
    assert found.documents["d2"].title == "T"


# what `rr data add` asks


def test_it_recognises_tables_of_usual_form(tmp_path: Path) -> None:
    corpus = delimited(tmp_path / "corpus.csv", DOCUMENTS)
    sheet = xlsx(tmp_path / "questions.xlsx", QUERIES)
    options = Table.recognise([sheet, corpus])
    assert options == {
        "documents": str(corpus),
        "queries": str(sheet),
        "columns": {"document": "Văn bản", "document_id": ["STT", "Ground truth document"], "query": "Câu hỏi"},
        "separator": ",",
    }
    assert read("table", **options).qrels == QRELS


def test_it_tells_documents_from_queries_by_names_and_lengths(tmp_path: Path) -> None:
    texts = [{"id": n, "text": "một đoạn văn dài hơn câu hỏi"} for n in range(3)]
    paths = [
        jsonl(tmp_path / "a.jsonl", [{"id": f"q{n}", "text": "hỏi?"} for n in range(3)]),
        jsonl(tmp_path / "b.jsonl", texts),
        delimited(tmp_path / "c.csv", [{"query-id": "q1", "corpus-id": 1, "score": 1}]),
    ]
    options = Table.recognise(paths)
    assert options is not None
    assert [options[kind] for kind in ("queries", "documents", "qrels")] == list(map(str, paths))
    assert read("table", **options).qrels == {"q1": {"1": 1}}


def test_it_recognises_files_by_split_and_a_folder(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        pq(tmp_path / f"{split}-00000-of-00001.parquet", [{"question": f"{split}?", "context": "x"}])
    text(tmp_path / "README.md", "# About", "it")
    options = Table.recognise([tmp_path])
    assert options is not None
    assert list(options["rows"]) == ["test", "train", "dev"]
    assert read("table", **options).splits == {"test": ["q1"], "train": ["q2"], "dev": ["q3"]}


@pytest.mark.parametrize("lines", [["1 0 d1 2", "1 0 d2 1"], ["{"], ["userId,movieId", "1,2"], ["just text"]])
def test_it_does_not_recognise_what_it_cannot_read(tmp_path: Path, lines: list[str]) -> None:
    assert Table.recognise([text(tmp_path / "file", *lines)]) is None
    assert Table.recognise([tmp_path / "nowhere"]) is None


@pytest.mark.real
def test_the_real_proptit_is_a_table(shared_data: Path) -> None:
    files = [shared_data / "proptit" / "CLB_PROPTIT.csv", shared_data / "proptit" / "train_data_proptit.xlsx"]
    options = Table.recognise(files)
    assert options is not None
    found, own = read("table", **options), read("proptit", corpus=files[0], queries=files[1])
    assert found.qrels == own.qrels or len(found.qrels) == len(own.qrels)
    assert (len(found.documents), len(found.queries)) == (len(own.documents), len(own.queries))


def test_data_errors_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read("table", rows=text(tmp_path / "r.csv", "query,passage", *["a,b,c"] * 2000))
    assert str(caught.value).startswith("2000 rows cannot be used")
    assert len(str(caught.value)) < 600
