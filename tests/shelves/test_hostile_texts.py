"""Attack shelf: texts that would act, in every place that a plugin, a registry, data or an error can put them, in every
format that they are shown in."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from rr_bench.cli import main
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row, Weights
from rr_bench.evaluate.significance import Interval
from rr_bench.report import escape
from rr_bench.report.files import FILES, csv_text, markdown, write_result
from rr_bench.report.html.page import html_page
from rr_bench.report.latex import COMMANDS, latex
from rr_bench.report.latex import text as tex
from rr_bench.report.stored import Stored
from rr_bench.report.table import header
from rr_bench.report.terminal import print_result
from tests.bench.pages import parsed
from tests.bench.test_store_and_report import csv_rows

TEXTS = {
    "formula": "=cmd|'/C calc'!A0",
    "plus": "+1+cmd()",
    "minus": "-2+3+cmd()",
    "at": "@SUM(1+9)*cmd()",
    "tab": "\t=1+1",
    "carriage return": "\r=1+1",
    "wide equals": "＝1+1",
    "script": "<script>alert(1)</script>",
    "image with handler": "<img src=x onerror=alert(1)>",
    "entity": "&lt;b&gt;",
    "link": "[click](javascript:alert(1))",
    "image": "![x](http://example.invalid/p.png)",
    "reference": "[x]: http://example.invalid",
    "code": "`rm -rf`",
    "fence": "```\n# heading",
    "table": "a | b |\n| --- |",
    "escaped pipe": "a\\|b\\",
    "emphasis": "**FAILED** __x__ ~~y~~",
    "list": "- [ ] 1. # x",
    "colour": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "clears the screen": "\x1b[2J\x1b[H",
    "8-bit escape": "\x9b31m",
    "bell and backspace": "\x07\x08\x08",
    "override": "abc\u202etxt.exe",
    "isolate": "\u2066x\u2069",
    "null": "a\0b",
    "line of its own": "x\nwrote nothing\r\nnote: all is well",
    "line separator": "x\u2028note: all is well",
    "markup of rich": "[bold red]x[/] :smile:",
    "half a surrogate pair": "a\ud800b",
}
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ACTS = escape.UNSEEN


def result_with(text: str) -> BenchResult:
    """It stands wherever a text can come from others, next to an ordinary row."""
    figures = {"nDCG@10": Interval(-0.5, 0.25, 0.75)}
    bad = Row(
        text,
        state=text,
        notes=(text, text),
        metrics=figures,
        diagnostics={text: 0.5, "tied": 0.25},
        weights=(Weights(text, "f" * 64, text, "e" * 64),),
    )
    data = DatasetResult(
        text,
        fingerprint="0" * 64,
        documents=3,
        queries={text: 1},
        retriever=text,
        protocol=text,
        notes=(text,),
        query_ids=("q",),
        populations={text: ("q",)},
        rows=(Row("ordinary", metrics=figures), bad, Row("broken", failure=text, traceback=text)),
    )
    failed = DatasetResult("failed", failure=text, traceback=text)
    return BenchResult(text, text, ("nDCG@10",), (data, failed), {"machine": text})


hostile = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


@pytest.mark.attack("bad input")
@hostile
def test_csv(text: str) -> None:
    result = result_with(text)
    names, *rows = csv_rows(result)
    assert [len(row) for row in rows] == [len(names)] * 4
    for cell in (cell for row in (names, *rows) for cell in row):
        assert not ACTS.search(cell)
        assert not cell.startswith(escape.FORMULA) or escape.NUMBER.fullmatch(cell)
    bad = dict(zip(names, rows[1], strict=True))
    assert bad["reranker"].removeprefix("'") == escape.visible(text)
    assert float(bad["nDCG@10"]) == -0.5, "a number stays one"
    assert csv_text(result).encode().decode()


@pytest.mark.attack("bad input")
@hostile
def test_markdown(text: str) -> None:
    tokens = PARSER.parse(markdown(result_with(text)))
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds <= {*("paragraph", "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item", "inline")}
    inside = {child.type for token in tokens for child in token.children or []}
    assert inside <= {"text", "text_special", "strong_open", "strong_close"}  # the names of the data sets are bold
    rows = [token for token in tokens if token.type == "tr_open"]
    cells = [token for token in tokens if token.type in ("th_open", "td_open")]
    result = result_with(text)
    assert (len(rows), len(cells)) == (4, 4 * len(header(result, result.datasets[0])))
    assert not ACTS.search(markdown(result_with(text)))


@pytest.mark.attack("bad input")
@pytest.mark.parametrize("width", [80, 400])
@hostile
def test_terminal(text: str, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_result(result_with(text), console)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert not ACTS.search(printed)
    assert not any(line.strip() in ("wrote nothing", "note: all is well") for line in printed.split("\n"))
    assert "ordinary" in printed


@pytest.mark.attack("bad input")
@hostile
def test_html(text: str) -> None:
    shown = html_page(Stored(result_with(text), None))
    assert not ACTS.search(shown)
    page, plain = parsed(shown), parsed(html_page(Stored(result_with("plain"), None)))
    assert page.elements == plain.elements, "the text makes no element and no attribute"
    assert " ".join(escape.visible(text).split()) in " ".join(page.text.split())


@pytest.mark.attack("bad input")
@hostile
def test_latex(text: str) -> None:
    shown = latex(result_with(text))
    assert not ACTS.search(shown)
    assert structure(shown) == structure(latex(result_with("plain"))), "the text commands nothing"
    assert not re.search(r"^[\[*]", shown, flags=re.MULTILINE), "no line is an argument of the one before"
    spelled = {*COMMANDS.values(), "-{}", "{}"}
    bare = re.sub("|".join(map(re.escape, sorted(spelled, key=len, reverse=True))), "", tex(text))
    assert not re.search(r"[\\{}%$&#_^~]", bare), "what is not spelled out is harmless"


def structure(shown: str) -> list[str]:
    """The commands, columns and lines, without those that spell a letter."""
    for spelled in sorted(COMMANDS.values(), key=len, reverse=True):
        shown = shown.replace(spelled, "")
    return re.findall(r"\\\\$|\\[a-zA-Z]+|&|%", shown.replace("-{}", "-"), flags=re.MULTILINE)


@pytest.mark.attack("bad input")
@hostile
def test_json_and_files(text: str, tmp_path: Path) -> None:
    result = replace(result_with(text), environment={"machine": "x"})
    write_result(result, tmp_path / "out")
    content = (tmp_path / "out" / "bench.json").read_text(encoding="utf-8")
    assert json.loads(content) == json.loads(json.dumps(asdict(result))), "JSON stays exact"
    assert not ACTS.search(content)
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            assert not ACTS.search(file.read_text(encoding="utf-8")), file
            assert not ACTS.search(file.name)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*FILES, "failures"}


SPECIAL = "=+-@|<>&\"'`*_~#%$^{}[]()!\\\\/.,;: \t\r\n\0\x1b\x9b\x85\u2028\u202e\u2066\ud800＝Δ±ọaZ09"


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from(SPECIAL), min_size=1, max_size=24).filter(lambda text: text.strip(" '\t\r\n") == text))
def test_any_text_is_harmless_in_every_format(text: str) -> None:
    for test in (test_csv, test_markdown, test_html, test_latex):
        test(text)
    for width in (80, 400):
        test_terminal(text, width)


def quoted(text: str) -> str:
    return json.dumps(text)  # which YAML reads too, half a surrogate pair excepted


@pytest.fixture
def hostile_registry(small_registry: Path, tmp_path: Path) -> Path:
    """Summaries, names, documents and ids that would act."""
    text = small_registry.read_text(encoding="utf-8")
    acts = [text for text in TEXTS.values() if "\ud800" not in text]
    entries = [f"  hostile-{n}: {{reranker: random, summary: {quoted(one)}}}" for n, one in enumerate(acts)]
    small_registry.write_text(text + "\n".join(entries) + "\n", encoding="utf-8")
    documents = [{"id": f"d{n}", "text": f"phòng {one}"} for n, one in enumerate(acts)]
    queries = [{"id": f"q{n}", "text": one} for n, one in enumerate(acts)]
    lines = {"documents": documents, "queries": queries}
    lines["qrels"] = [{"query": f"q{n}", "document": f"d{n}"} for n in range(len(acts))]
    for name, rows in lines.items():
        (tmp_path / "small" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return small_registry


@pytest.mark.attack("bad input")
@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["info", "hostile-19"],
        ["info", "hostile-24"],
        ["info", "\x1b[31m"],
        ["data", "list"],
        ["data", "show", "rooms"],
        ["data", "show", "\x1b[31m\nrooms"],
        ["rerank", "bm25", "-q", "\x1b[2J", "a \x1b[31m b", "c\nd\u202e"],
        ["bench", "hostile-19", "first-stage"],
        ["bench", "\x1b]0;x\x07"],
        ["bench", "random", "--baseline", "\x9b31m"],
        ["train", "\x1b[31m", "-d", "rooms"],
    ],
    ids=lambda arguments: ascii(" ".join(arguments)),
)
def test_commands(
    hostile_registry: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["rr", *arguments, "--registry", str(hostile_registry)])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr()
    assert told.out or told.err
    assert not ACTS.search(told.out + told.err)
    if "--json" in arguments:
        summaries = {item["summary"] for item in json.loads(told.out)}
        assert {text for text in TEXTS.values() if "\ud800" not in text} <= summaries
    assert "Traceback" not in told.err
