"""Reading files: every bad input is one DataError that names the file and the line."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from pydantic import ValidationError

from rr.data.files import DataPath, read_columns, read_json, read_jsonl, read_text
from rr.data.rows import ById, Row, as_id
from rr.errors import DataError
from rr.protocols import Settings
from rr_data.records import read_records
from rr_data.tables import read_table


class Options(Settings):
    path: DataPath


def written(folder: Path, content: str | bytes, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_data_path_fills_in_variables_and_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_TEST_FOLDER", "/data")
    monkeypatch.setenv("HOME", "/home/someone")
    assert Options.model_validate({"path": "${RR_TEST_FOLDER}/a.csv"}).path == Path("/data/a.csv")
    assert Options.model_validate({"path": "~/a.csv"}).path == Path("/home/someone/a.csv")
    assert Options(path=Path("/plain")).path == Path("/plain")


def test_data_path_names_the_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RR_TEST_FOLDER", raising=False)
    expected = "environment variable RR_TEST_FOLDER is not set; export RR_TEST_FOLDER=FOLDER"
    with pytest.raises(ValidationError, match=expected):
        Options.model_validate({"path": "${RR_TEST_FOLDER}/a.csv"})


@pytest.mark.parametrize("path", [5, None, "~no-such-user-at-all/a.csv"])
def test_data_path_refuses_what_is_no_path(path: object) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"path": path})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        (" \n\t\n", "the file is empty"),
        (b"\xef\xbb\xbf\n", "the file is empty"),
        ("chào".encode("utf-16"), "looks like UTF-16"),
        ("chào bạn".encode("utf-16-le"), "looks like UTF-16"),
        (b"one\ntw\xe9\n", r"line 2: byte 0xe9 is not UTF-8; save it as UTF-8"),
    ],
)
def test_bad_text_is_explained(tmp_path: Path, content: str | bytes, problem: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=problem) as caught:
        read_text(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.txt: no such file; check the path"):
        read_text(tmp_path / "absent.txt")
    with pytest.raises(DataError, match="not a file; give the path of the file itself"):
        read_text(tmp_path)


def test_byte_order_mark_and_foreign_line_ends_are_dropped(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, b"\xef\xbb\xbfa\r\nb\rc\n")) == "a\nb\nc\n"


def test_jsonl_counts_blank_lines_and_keeps_line_separators_in_strings(tmp_path: Path) -> None:
    rows = list(read_jsonl(written(tmp_path, '{"id": 1}\n\n{"id": "a\u2028b"}\n')))
    assert [row.at for row in rows] == ["line 1", "line 3"]
    assert rows[1].fields["id"] == "a\u2028b"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"id": 1}\n{"id": }\n', r"line 2: not JSON \(Expecting value at column 8\)"),
        ('{"id": 1}\n[1]\n', "line 2: expected a JSON object {…}, found list"),
    ],
)
def test_bad_jsonl_names_the_line(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        list(read_jsonl(written(tmp_path, content)))


def test_bad_json_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: not JSON"):
        read_json(written(tmp_path, '{"a": 1,\n"b": x}'))


def test_records_are_a_list_or_lines(tmp_path: Path) -> None:
    listed = list(read_records(written(tmp_path, '\n[{"a": 1},\n {"a": 2}]')))
    lines = list(read_records(written(tmp_path, '{"a": 1}\n{"a": 2}')))
    assert [row.fields for row in listed] == [row.fields for row in lines] == [{"a": 1}, {"a": 2}]
    assert [listed[1].at, lines[1].at] == ["item 2", "line 2"]


def test_table_rows_know_the_line_they_begin_on(tmp_path: Path) -> None:
    content = '\ufeffid,text,more\n\n1,"two\nlines",x\n2,"a ""quoted"", one",y\n'
    rows = read_table(written(tmp_path, content), ["id", "text"])
    assert [(row.at, row.fields["text"]) for row in rows] == [
        ("line 3", "two\nlines"),
        ("line 5", 'a "quoted", one'),
    ]


def test_table_reads_cells_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    rows = read_table(written(tmp_path, f"id,text\n1,{'x' * 200_000}\n"), ["id", "text"])
    assert len(rows[0].fields["text"]) == 200_000


def test_quotes_are_plain_characters_in_tsv(tmp_path: Path) -> None:
    rows = read_table(written(tmp_path, 'id\ttext\n1\t"half\n'), ["id"], "\t")
    assert rows[0].fields["text"] == '"half'


def test_column_names_are_equal_in_both_unicode_forms(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "STT,Văn bản\n1,Chào bạn\n")
    row = read_table(written(tmp_path, decomposed), ["STT", "Văn bản"])[0]
    assert row.text("Văn bản") == unicodedata.normalize("NFC", "Chào bạn")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("ID,Text\n1,a\n", r"column 'id' is missing; there are: ID, Text; did you mean 'ID'\?$"),
        ("ids,text\n1,a\n", r"column 'id' is missing; there are: ids, text; did you mean 'ids'\?"),
        ("id,id\n1,a\n", "column 'id' comes twice; rename one"),
        ("id,text\n1,a\n2,b,c\n", "line 3: 3 cells under 2 columns; check the ',' in it"),
        ('id,text\n1,"a\n', r"line 2: not CSV \(unexpected end of data\)"),
        ("id,text\n", "no rows below the header"),
    ],
)
def test_bad_tables_are_explained(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read_table(written(tmp_path, content), ["id"])


def test_columns_split_at_blanks_or_at_a_separator(tmp_path: Path) -> None:
    path = written(tmp_path, "1\tone two\n\n2\tthree\n")
    assert [row.fields for row in read_columns(path, ("id", "text"), "\t")] == [
        {"id": "1", "text": "one two"},
        {"id": "2", "text": "three"},
    ]
    with pytest.raises(DataError, match="line 1: 3 columns; write 2: id text"):
        list(read_columns(path, ("id", "text")))


@pytest.mark.parametrize(
    ("value", "id_"), [(5, "5"), (5.0, "5"), (" a ", "a"), ("e\u0301", "e\u0301"), ("\u00a0a\t", "\u00a0a")]
)
def test_ids_become_strings(value: object, id_: str) -> None:
    assert as_id(value) == id_


@pytest.mark.parametrize("value", [None, " ", True, 5.5, float("nan"), float("inf"), ["a"]])
def test_what_cannot_be_an_id(value: object) -> None:
    with pytest.raises(ValueError, match=r"blank|must be text or a whole number"):
        as_id(value)


def test_an_id_comes_once(tmp_path: Path) -> None:
    table: ById[int] = ById("document")
    table.add("a", 1, Row(tmp_path, "line 1", {}))
    with pytest.raises(DataError, match="line 7: document 'a' came already in line 1; keep one of them"):
        table.add("a", 2, Row(tmp_path, "line 7", {}))
    assert table == {"a": 1}


def test_row_checks_what_it_is_asked_for() -> None:
    fields = {"text": " a ", "none": None, "blank": " ", "flag": True, "half": 0.5, "many": [{}, 3]}
    row = Row(Path("f"), "line 1", fields)
    assert (row.text("text"), row.string("blank"), row.string("none", ""), row.string("absent", "")) == (
        "a",
        "",
        "",
        "",
    )
    for wrong, problem in (
        (lambda: row.text("blank"), "f, line 1: 'blank' is blank; fill it in or remove this row"),
        (lambda: row.text("texts"), "key 'texts' is missing; there are: .*; did you mean 'text'?"),
        (lambda: row.either("docno", "id"), "key 'docno' or 'id' is missing"),
        (lambda: row.string("half"), "'half' must be text, not float"),
        (lambda: row.id("none"), "'none' is blank; an id is needed"),
        (lambda: row.number("flag"), "'flag' must be a finite number, not True"),
        (lambda: row.number("text"), "'text' must be a finite number"),
        (lambda: row.integer("half"), "'half' must be a whole number, not 0.5"),
        (lambda: row.reference("text", ById("document"), "document"), "document 'a' does not exist"),
        (lambda: row.children("text"), "'text' must be a list, not str"),
        (lambda: row.children("many"), "line 1, many 2: expected a JSON object"),
    ):
        with pytest.raises(DataError, match=problem):
            wrong()


@pytest.mark.parametrize("form", ["jsonl", "columns"])
def test_rows_can_be_gone_through_twice(tmp_path: Path, form: str) -> None:
    """As the lists that they were: a reader that does it must not find nothing the second time."""
    path = written(tmp_path, '{"id": 1}\n' if form == "jsonl" else "a\tb\n")
    rows = read_jsonl(path) if form == "jsonl" else read_columns(path, ("x", "y"), "\t")
    assert [row.fields for row in rows] == [row.fields for row in rows]
    assert len(list(rows)) == 1
