"""Texts of others in each format, against that format's own parser."""

from __future__ import annotations

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rr_bench.report.escape import csv_cell, json_text, markdown, markdown_cell, terminal, visible

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = st.text(st.sampled_from(list("ab1 .\n\r\t\\`*_~[]()!<>|&;:#+-=\"'/\x1b\x9b\u202e\u2028")), max_size=30)
ANY = st.text(st.characters(), max_size=30)


def words(text: str) -> str:
    return " ".join(terminal(text).split())


def shown(inline: Token) -> str:
    """What a reader of the rendered text sees; nothing but text may be in it."""
    assert {child.type for child in inline.children or []} <= {"text", "text_special"}
    return "".join(child.content for child in inline.children or [])


@settings(deadline=None, max_examples=300)
@given(HOSTILE | ANY)
def test_a_line_of_markdown_is_read_as_the_text_that_it_was(text: str) -> None:
    opened, *block, closed = PARSER.parse(f"- x\n- {markdown(text)}\n")
    assert (opened.type, closed.type) == ("bullet_list_open", "bullet_list_close")
    lines = [token for token in block if token.type == "inline"]
    assert {token.type for token in block} <= {
        *("list_item_open", "list_item_close", "paragraph_open", "paragraph_close", "inline"),
    }
    assert [shown(line) for line in lines] == ["x", *([words(text)] if words(text) else [])]


@settings(deadline=None, max_examples=300)
@given(HOSTILE | ANY, HOSTILE)
def test_a_cell_of_markdown_is_read_as_the_text_that_it_was(first: str, second: str) -> None:
    table = f"| a | b |\n| --- | ---: |\n| {markdown_cell(first)} | {markdown_cell(second)} |\n"
    cells = [token for token in PARSER.parse(table) if token.type == "inline"]
    assert [shown(cell) for cell in cells] == ["a", "b", words(first), words(second)]


@pytest.mark.parametrize(
    "text", ["first-stage", "cross-encoder-base", "bge_m3_sparse", "p 0.0001", "tied 0.96; τ -0.066"]
)
def test_usual_texts_look_as_ever(text: str) -> None:
    assert markdown(text) == markdown_cell(text) == terminal(text) == csv_cell(text) == text


@settings(deadline=None)
@given(ANY)
def test_a_terminal_gets_one_line_of_what_can_be_seen(text: str) -> None:
    line = terminal(text)
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(character) in ("Cc", "Cs") and character != "\t" for character in line)
    assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_what_acts_is_spelled_out() -> None:
    assert visible("a\x1b[31m\x9b\x7f\u202e\u2066\ud800\ta\n") == "a\\x1b[31m\\x9b\\x7f\\u202e\\u2066\\ud800\ta\n"
    assert terminal("  one\n  two\r\nthree  ") == "  one two three"
    assert terminal("") == ""


@pytest.mark.parametrize(
    "text", ["=cmd()", "+1+2", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "-x", "＝1", "-", "=-0.5"]
)
def test_a_spreadsheet_calculates_nothing(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [-0.5, 1, 0, "-0.5", "+1e-3", "-12", "a=b", " = ", ""])
def test_numbers_stay_numbers(value: object) -> None:
    assert csv_cell(value) == value


@settings(deadline=None)
@given(st.lists(HOSTILE, min_size=1))
def test_a_line_of_csv_has_its_cells(texts: list[str]) -> None:
    out = io.StringIO()
    csv.writer(out).writerow(map(csv_cell, texts))
    (row,) = csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True)
    assert [cell.removeprefix("'") for cell in row] == [visible(text).removeprefix("'") for text in texts]


@settings(deadline=None)
@given(st.recursive(ANY, lambda one: st.lists(one) | st.dictionaries(ANY, one), max_leaves=5))
def test_json_reads_back_exactly_and_obeys_nothing(value: object) -> None:
    text = json_text(value, indent=1)
    assert json.loads(text) == value
    assert visible(text) == text
    text.encode()
