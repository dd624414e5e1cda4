"""`rr report`: what was kept is shown again, in every format; and the page, as a parser and as a browser see it."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import rr
from rr.files import home
from rr.files.kept import with_checksum
from rr_bench.doctor.as_html import COLOURS
from rr_bench.evaluate.results import BenchResult, DatasetResult, Group, Row, SuiteMean, Weights
from rr_bench.evaluate.significance import Difference, Interval
from rr_bench.report import answers, compact
from rr_bench.report.files import csv_text, markdown, write_result
from rr_bench.report.html import page as page_module
from rr_bench.report.html.page import html_page
from rr_bench.report.latex import latex
from rr_bench.report.latex import text as tex
from rr_bench.report.stored import Stored, stored
from rr_bench.runs import database
from rr_bench.train.checkpoints import open_checkpoint
from tests.bench.pages import Page, parsed
from tests.conftest import ROOT, Rr

NAMES = ["first-stage", "random", "bm25"]
LIMIT = 3_000_000


@pytest.fixture
def result(small_registry: Path) -> BenchResult:
    return rr.bench(NAMES, registry=small_registry)


@pytest.fixture
def kept(result: BenchResult) -> Stored:
    return stored("latest")


def wide_result(rows: int = 12, queries: int = 40) -> BenchResult:
    """One with everything that a page shows: letters, a fault, a failure, one skipped, groups of none, long names."""

    def row(number: int) -> Row:
        mean = 1 - number / (rows + 1)
        values = tuple((mean + place / queries) % 1 for place in range(queries))
        return Row(
            f"reranker-with-a-name-{number:02}",
            state="trained" if number % 2 else "pretrained",
            metrics={name: Interval(mean, mean - 0.05, mean + 0.05) for name in ("nDCG@10", "MAP", "Recall@10")},
            difference=Difference(mean - 0.5, mean - 0.6, mean - 0.4, 0.01, p_holm=0.02) if number else None,
            ms_per_query=10.0 ** (number % 4 - 1),
            ms_p95=10.0,
            timed_queries=50,
            pairs_per_second=1e4,
            parameters=10**number,
            per_query={"nDCG@10": values},
            verdict="fault" if number == 3 else "ok",
            findings=({"verdict": "fault", "check": "c", "evidence": "e", "meaning": "", "command": ""},),
            best=("nDCG@10",) if number == 0 else (),
            pareto=number in (0, 4),
            letters="ab",
            weights=(Weights("gone", "f" * 64, "data", "e" * 64),) if number == 1 else (),
        )

    data = DatasetResult(
        "nhà trọ",
        fingerprint="0" * 64,
        query_ids=tuple(f"q{place}" for place in range(queries)),
        queries={"test": queries},
        protocol="end-to-end",
        retriever="bm25",
        baseline="reranker-with-a-name-00",
        groups=tuple(
            Group("length", f"{value} < &", {"nDCG@10": 7, "MAP": 7, "Recall@10": 7}, {"x": row(0).metrics}, "few")
            for value in range(30)
        ),
        rows=(*map(row, range(rows)), Row("broken", failure="it broke & burned"), Row("other", skipped="not here")),
    )
    suite = (
        SuiteMean("a", Interval(0.5, 0.4, 0.6), 1, 1, 2),
        SuiteMean("b", Interval(0.4, 0.3, 0.5), 2, 1, 2),
        SuiteMean("broken", missing=("lost",)),
    )
    failed = DatasetResult("lost", failure="DataError: no such file")
    return BenchResult("p", data.baseline, ("nDCG@10", "MAP", "Recall@10"), (data, failed), {"machine": "x <y>"}, suite)


def probable(pairs: int) -> dict[str, object]:
    """A table as `rr_bench.evaluate.probabilities` makes it; one bin is empty."""
    empty = {"low": 0.0, "high": 0.5, "count": 0, "mean": 0.0, "relevant": 0.0}
    full = {"low": 0.5, "high": 1.0, "count": pairs, "mean": 0.75, "relevant": 0.5}
    return {"of": "the <score>", "pairs": pairs, "positives": 5, "brier": 0.25, "ece": 0.125, "bins": [empty, full]}


def test_scores_as_probabilities_are_drawn_where_there_are_some() -> None:
    result = wide_result()
    assert "Scores as probabilities" not in html_page(Stored(result, None))
    (data, failed) = result.datasets
    one = replace(data.rows[0], calibration={"raw": probable(10), "calibrated": probable(10)})
    other = replace(data.rows[1], calibration={"raw": probable(0)})
    shown = html_page(Stored(replace(result, datasets=(replace(data, rows=(one, other)), failed)), None))
    drawn = shown.partition("Scores as probabilities")[2].partition("<h3>")[0]
    assert drawn.count("<figure") == 2
    assert f"{one.reranker}, calibrated" in drawn
    assert "ECE .125, Brier .250, of 10 pairs; the &lt;score&gt;" in drawn
    assert drawn.count("<circle") == 2  # no point for an empty bin
    parsed(shown)


def test_a_row_with_faults_of_its_own_is_marked_like_one_of_the_doctors() -> None:
    result = wide_result()
    data = result.datasets[0]
    faulty = replace(data.rows[0], faults=("constant: 20% of the test queries",))
    marked = replace(result, datasets=(replace(data, rows=(faulty, *data.rows[1:])), result.datasets[1]))
    assert compact.cells(faulty, marked)["state"] == "pretrained !!"
    assert f"| {faulty.reranker} | ⚠ pretrained |" in markdown(marked)
    assert "constant: 20%" in html_page(Stored(marked, None)).partition("<details")[0]
    assert "!!" in latex(marked)


# --- what is read


def test_a_file_a_folder_and_a_run_are_the_same_result(result: BenchResult, tmp_path: Path) -> None:
    write_result(result, tmp_path / "out")
    (run,) = database.all_runs()
    for name in (tmp_path / "out", tmp_path / "out" / "bench.json", run.id, "latest"):
        found = stored(str(name))
        assert found.result == result
        assert found.run == run
    database.delete([run.id])
    assert stored(str(tmp_path / "out")) == Stored(result, None)


def test_what_is_no_result_is_refused_in_one_line(rr_command: Rr, result: BenchResult, tmp_path: Path) -> None:
    write_result(result, tmp_path / "out")
    good = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    unlike = json.loads(json.dumps(good))
    unlike["datasets"][0]["rows"][0]["metrics"].pop("MRR@10")
    short = json.loads(json.dumps(good))
    short["datasets"][0]["rows"][0]["per_query"]["MRR@10"].pop()
    found = json.loads(json.dumps(good))
    found["datasets"][0]["rows"][0]["findings"] = [{}]
    timed = json.loads(json.dumps(good))
    timed["datasets"][0]["rows"][0]["timed_on"] = {"threads": "1"}
    (tmp_path / "empty").mkdir()
    bad = {
        "text.json": "hello",
        "list.json": "[]",
        "other.json": "{}",
        "wrong.json": json.dumps({**good, "metrics": 7}),
        "none.json": json.dumps({**good, "metrics": []}),
        "unlike.json": json.dumps(unlike),
        "short.json": json.dumps(short),
        "found.json": json.dumps(found),
        "timed.json": json.dumps(timed),
    }
    for name, content in bad.items():
        (tmp_path / name).write_text(content)
    for name in (*bad, "no.json", "no/such", "empty", "nobody"):
        asked = rr_command("report", name, "--html", "page.html")
        assert asked.returncode == 2, name
        assert asked.stderr.startswith("error: "), asked.stderr
        assert len(asked.stderr.splitlines()) == 1
        assert not (tmp_path / "page.html").exists()


# --- what is written


def test_every_format_is_written_from_a_kept_result(rr_command: Rr, result: BenchResult, tmp_path: Path) -> None:
    options = ("--html", "a.html", "--latex", "a.tex", "--markdown", "a.md", "--csv", "a.csv", "--trec", "trec")
    asked = rr_command("report", "latest", *options)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout == ""
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == markdown(result)
    assert (tmp_path / "a.csv").read_bytes() == csv_text(result).encode()
    assert (tmp_path / "a.tex").read_text(encoding="utf-8") == latex(result)
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == html_page(stored("latest"))
    runs = {file.stem for file in (tmp_path / "trec" / "runs" / "rooms").iterdir()}
    assert runs == set(NAMES)
    judged = rr_command("eval", "trec/runs/rooms/bm25.trec", "trec/qrels/rooms.qrels")
    (row,) = [row for row in result.datasets[0].rows if row.reranker == "bm25"]
    assert f"{row.metrics['nDCG@10'].mean:.3f}" in judged.stdout
    again = rr_command("report", "latest", "--html", "a.html")
    assert again.returncode == 2
    assert "a.html exists already" in again.stderr
    twice = rr_command("report", "latest", "--html", "b", "--csv", "b")
    assert twice.returncode == 2
    assert not (tmp_path / "b").exists()


def test_without_a_format_the_table_is_shown(rr_command: Rr, result: BenchResult) -> None:
    asked = rr_command("report", "latest")
    assert asked.returncode == 0
    shown = rr_command("runs", "show", "latest")
    assert asked.stdout.strip() in shown.stdout
    assert rr_command("runs", "show", "latest", "--wide").returncode == 0


def test_trec_runs_need_the_run(rr_command: Rr, result: BenchResult, tmp_path: Path) -> None:
    write_result(result, tmp_path / "out")
    database.delete([database.find("latest").id])
    asked = rr_command("report", "out", "--trec", "trec")
    assert asked.returncode == 2
    assert "--trec needs one" in asked.stderr
    assert not (tmp_path / "trec").exists()


# --- LaTeX


def test_latex_has_a_table_with_marks_and_failures() -> None:
    shown = latex(wide_result())
    tabular = shown.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    assert len(tabular) == 14
    assert all(line.endswith(" \\\\") for line in tabular)
    columns = len(re.search(r"\\begin{tabular}{([lr]+)}", shown)[1])  # type: ignore[index]
    assert {line.count(" & ") + 1 for line in tabular[:12]} == {columns}
    assert "\\textbf{1.000 $\\pm$.05}\\textsuperscript{ab}" in tabular[0]
    assert f"broken & \\multicolumn{{{columns - 1}}}{{l}}{{\\textit{{FAILED: it broke \\& burned}}}}" in shown
    assert "\\textit{skipped: not here}" in shown
    assert "\\textbf{lost: FAILED}" in shown
    assert "$-$.35*" in shown or "$-$." in shown
    for name in ("toprule", "midrule", "bottomrule", "begin{table}", "end{table}"):
        assert shown.count(f"\\{name}") == 1 + 30 + 1, "that of the data set, of each group, and of the suite"


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        ("a&b%c$d#e_f{g}", "a\\&b\\%c\\$d\\#e\\_f\\{g\\}"),
        ("~^\\", "\\textasciitilde{}\\textasciicircum{}\\textbackslash{}"),
        ("x\ny", "x y"),
        ("phòng trọ", "phòng trọ"),
        ("a--b", "a-{}-b"),
        ("^^41", "\\textasciicircum{}\\textasciicircum{}41"),
        ("\x1b[1m", "\\textbackslash{}x1b[1m"),
    ],
)
def test_latex_spells_what_would_act(value: str, spelled: str) -> None:
    assert tex(value) == spelled


ENGINE = next(filter(shutil.which, ("tectonic", "xelatex", "pdflatex")), None)


@pytest.mark.skipif(ENGINE is None, reason="no LaTeX here")
def test_latex_compiles(tmp_path: Path) -> None:
    name = "a&b%c$d#e_f{g}~h^i\\j<k>l|m`n'o\"p--q"
    (data, failed) = wide_result().datasets
    rows = (replace(data.rows[0], reranker=name), Row("[x]", failure=name), Row("*", skipped=name), *data.rows[1:])
    result = replace(wide_result(), datasets=(replace(data, name="rooms", rows=rows), failed))
    (tmp_path / "table.tex").write_text(latex(result), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{table}\\end{document}"
    )
    command = ["tectonic"] if ENGINE == "tectonic" else [str(ENGINE), "-halt-on-error"]
    subprocess.run([*command, "paper.tex"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "paper.pdf").stat().st_size > 5000


# --- the page


def page_of(shown: Stored | BenchResult) -> Page:
    return parsed(html_page(shown if isinstance(shown, Stored) else Stored(shown, None)))


def table_of(page: str) -> list[list[str]]:
    body = page.partition('class="sortable"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    return [[re.sub("<[^>]+>", "", cell) for cell in re.split("</t[hd]>", row)] for row in body.split("<tr>")[1:]]


def test_the_page_needs_nothing_else(kept: Stored) -> None:
    for shown in (kept, wide_result()):
        page = page_of(shown)
        assert not {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "embed", "base", "form"}
        for tag, attributes in page.attributes:
            assert not {"src", "srcset", "style", "action"} & attributes.keys()
            assert attributes.get("href", "#").startswith("#"), tag
            assert not any(name.startswith("on") for name in attributes)
        text = html_page(kept)
        assert not re.search(r"https?:|url\(|@import", text)
        assert "default-src 'none'" in text
        ids = [attributes["id"] for _, attributes in page.attributes if "id" in attributes]
        assert len(ids) == len(set(ids))


def test_all_is_there_without_a_script(kept: Stored) -> None:
    text = html_page(kept)
    page = parsed(re.sub("<script>.*</script>", "", text, flags=re.DOTALL))
    (data,) = kept.result.datasets
    rows = table_of(text)
    assert [row[0] for row in rows] == [row.reranker for row in data.rows], "best first, as the result has them"
    for row, shown in zip(data.rows, rows, strict=True):
        found = compact.cells(row, kept.result)
        assert shown[2] == found["nDCG@10"]
    assert "Worst queries by nDCG@10" in page.text
    assert not any(tag == "button" for tag, _ in page.elements), "a button that does nothing is none"


def test_the_page_can_be_heard() -> None:
    page = page_of(wide_result())
    tables = [tag for tag, _ in page.elements if tag == "table"]
    assert tables
    assert len(tables) == sum(tag == "caption" for tag, _ in page.elements)
    for tag, attributes in page.attributes:
        assert tag != "th" or attributes["scope"] in ("col", "row")
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
    assert ("html", {"lang": "en"}) in page.attributes
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_failures_faults_and_what_is_gone_are_told() -> None:
    text = html_page(Stored(wide_result(), None))
    page = parsed(text)
    for told in (
        "it broke & burned",
        "not here",
        "DataError: no such file",
        "its checkpoint gone is not in this store",
    ):
        assert told in page.text
    assert text.count('<span class="badge FAILED">') == 2
    assert '<span class="badge fault">fault</span>' in text
    assert "Its run is not in this store" in page.text
    assert "x <y>" in page.text
    assert "length 23 < &: 7 queries" in page.text
    assert "6 more groups are left out" in page.text
    assert "no figures on lost" in page.text


def test_the_pictures_are_drawn_within_their_frames() -> None:
    page = page_of(wide_result(rows=12, queries=1000))
    widths = {float(a["viewbox"].split()[2]) for tag, a in page.attributes if tag == "svg"}
    assert widths == {380.0, 270.0}
    for tag, attributes in page.attributes:
        if tag in ("circle", "line"):
            for name, value in attributes.items():
                if name in ("cx", "x1", "x2", "cy", "y1", "y2"):
                    assert 0 <= float(value) <= 2000
                    assert not name.startswith(("cx", "x")) or float(value) <= 380
    assert sum(tag == "circle" for tag, _ in page.elements) == 12 + 12
    assert "200 of 1000 queries, at even distances" in page.text
    assert page.text.count("better on ") == 11


def test_the_worst_queries_have_their_candidates_with_the_truth_marked(kept: Stored) -> None:
    (data,) = kept.result.datasets
    run = kept.run
    assert run is not None
    for row in data.rows:
        values = row.per_query["nDCG@10"]
        found = answers.Answers(run).worst(data, row, "nDCG@10")
        assert [one.value for one in found] == sorted(values)[: answers.WORST]
        for one in found:
            assert one.text
            assert all(candidate.text for candidate in one.candidates)
            ranks = [candidate.rank for candidate in one.candidates]
            assert ranks == sorted(ranks)
            truths = [candidate.rank for candidate in one.candidates if candidate.grade > 0]
            assert (min(truths, default=0) == 1) == (one.value == 1) or len(truths) > 1
    text = html_page(kept)
    assert "✓ relevant" in text


@pytest.mark.parametrize("kind", ["folds", "oracle"])
def test_folds_and_protocol_oracle_have_their_candidates_too(small_registry: Path, kind: str) -> None:
    if kind == "oracle":
        text = small_registry.read_text(encoding="utf-8")
        plan = "reader: jsonl\n        candidates: {protocol: oracle}"
        small_registry.write_text(text.replace("reader: jsonl", plan), encoding="utf-8")
    rr.bench(["random", "bm25"], registry=small_registry, folds=3 if kind == "folds" else None)
    found = stored("latest")
    (data,) = found.result.datasets
    for row in data.rows:
        for one in answers.Answers(found.run).worst(data, row, "nDCG@10"):
            assert one.text.startswith("phòng") or one.text
            assert all(candidate.text for candidate in one.candidates)
            truths = [candidate.rank for candidate in one.candidates if candidate.grade > 0]
            assert truths or one.value == 0
            assert one.value != 1 or truths[0] == 1
    assert page_of(found)


def test_a_trained_row_has_its_losses_while_its_checkpoint_is_the_same() -> None:
    folder = home() / "checkpoints" / "mine"
    folder.mkdir(parents=True)
    events = [
        {"step": n, "total": 9, "loss": 1 / (n + 1), "dev": None, "metric": None, "trained": 5}
        | {"figures": {"chance": 1.6}, "seconds": 0.1}
        for n in range(9)
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    sums = {"events.jsonl": hashlib.sha256((folder / "events.jsonl").read_bytes()).hexdigest()}
    record = {
        "files": {},
        "events": sums,
        "finished": "now",
        "seconds": 1.0,
        "notes": [],
        "data": {"name": "d", "fingerprint": "e"},
    }
    (folder / "training_info.json").write_text(json.dumps(with_checksum(record)), encoding="utf-8")
    (data, _) = wide_result().datasets
    weights = Weights("mine", open_checkpoint(folder).fingerprint(), "data", "e" * 64)

    def shown(weights: Weights) -> Page:
        return page_of(
            replace(wide_result(), datasets=(replace(data, rows=(replace(data.rows[0], weights=(weights,)),)),))
        )

    lines = [attributes for tag, attributes in shown(weights).attributes if tag == "polyline"]
    assert len(lines) == 2
    assert sum("stroke-dasharray" in line for line in lines) == 1, "the chance level"
    other = shown(replace(weights, fingerprint="0" * 64))
    assert "checkpoint mine has been trained again since" in other.text
    (folder / "events.jsonl").write_text("{}\n", encoding="utf-8")
    assert "damaged checkpoint" in shown(weights).text
    assert "is not in this store" in shown(replace(weights, checkpoint="../mine")).text


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's ratio of two colours `#rgb` or `#rrggbb`."""

    def light(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
        parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_letters_can_be_read_by_day_and_by_night() -> None:
    day, night = (dict(re.findall(r"--(\w+):(#\w+)", part)) for part in COLOURS.split("@media"))
    assert day.keys() == night.keys()
    for colours in (day, night):
        for name in ("text", "quiet", "first", "second", "third", "good", "bad", "care"):
            assert contrast(colours[name], colours["ground"]) >= 4.5, name
        assert min(contrast(colours["text"], colours[name]) for name in ("fault", "warning")) >= 4.5


def test_without_the_data_set_there_are_ids(kept: Stored) -> None:
    (data,) = kept.result.datasets
    shutil.rmtree(home() / "data")
    found = answers.Answers(kept.run).worst(data, data.rows[0], "nDCG@10")
    assert all(one.candidates and not one.text and not one.candidates[0].text for one in found)
    assert all(one.query in data.query_ids for one in found)
    (none,) = answers.Answers(None).worst(data, data.rows[0], "nDCG@10", 1)
    assert not none.candidates
    assert page_of(kept)


@pytest.mark.parametrize(("rows", "queries"), [(0, 1), (1, 1), (2, 2), (60, 300)])
def test_a_page_of_any_size_is_whole_and_not_too_large(rows: int, queries: int) -> None:
    text = html_page(Stored(wide_result(rows, queries), None))
    assert parsed(text)
    assert len(text.encode()) <= LIMIT
    assert not re.search(r"\b(nan|inf)\b", text)


def test_long_notes_are_cut_and_it_says_so() -> None:
    (data, _) = wide_result().datasets
    row = replace(data.rows[0], notes=tuple(f"note {number}" for number in range(1000)))
    text = html_page(Stored(replace(wide_result(), datasets=(replace(data, rows=(row,)),)), None))
    assert f"{1001 - page_module.MOST_NOTES} more left out" in text


# --- in a browser


@pytest.fixture(scope="module")
def browser() -> ModuleType:
    spec = importlib.util.spec_from_file_location("screenshot", ROOT / "benchmarks" / "screenshot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.CHROMIUM is None:
        pytest.skip("no chromium here")
    return module


def test_a_browser_finds_nothing_wrong(browser: ModuleType, kept: Stored, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(html_page(kept), encoding="utf-8")
    found = browser.chromium(file.as_uri(), "--dump-dom", "--virtual-time-budget=3000")
    assert "CONSOLE" not in found.stderr
    assert '<button type="button">' in found.stdout, "its own script may run"
    evil = file.read_text(encoding="utf-8").replace("</footer>", "<script>document.title='owned'</script></footer>")
    file.write_text(evil, encoding="utf-8")
    found = browser.chromium(file.as_uri(), "--dump-dom", "--virtual-time-budget=3000")
    assert "<title>owned" not in found.stdout, "another script may not"
    assert "CONSOLE" in found.stderr


@pytest.mark.parametrize("width", [390, 1280])
def test_a_phone_shows_it_without_scrolling_sideways(browser: ModuleType, width: int, tmp_path: Path) -> None:
    text = html_page(Stored(wide_result(), None)).replace("<details>", "<details open>")
    said = browser.told(text, width, "say(page.documentElement.scrollWidth+' '+page.defaultView.innerWidth)")
    scroll, inner = map(int, said.split())
    assert inner == width
    assert scroll <= inner
    browser.screenshot(text, width, 900, tmp_path / "page.png")
    content = (tmp_path / "page.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") == width


def test_a_click_sorts_a_column(browser: ModuleType) -> None:
    script = """
    const table=page.querySelector('table.sortable'), heads=[...table.tHead.rows[0].cells];
    const names=()=>[...table.tBodies[0].rows].map(row=>row.cells[0].textContent).join(' ');
    const click=text=>heads.find(head=>head.textContent===text).firstElementChild.click();
    for (const column of ['MAP','MAP','ms','reranker']) { click(column); say(names()); }
    say(heads.map(head=>head.getAttribute('aria-sort')).join());
    """
    result = wide_result(rows=5)
    said = browser.told(html_page(Stored(result, None)), 1280, script).splitlines()
    (data, _) = result.datasets
    rows = [row for row in data.rows if row.metrics]

    def by(*names: str) -> str:
        return " ".join((*names, "broken", "other"))

    assert said[0] == by(*(row.reranker for row in sorted(rows, key=lambda row: -row.metrics["MAP"].mean)))
    assert said[1] == by(*(row.reranker for row in sorted(rows, key=lambda row: row.metrics["MAP"].mean)))
    times = [next(row for row in rows if row.reranker == name).ms_per_query for name in said[2].split()[:5]]
    assert times == sorted(times, reverse=True)
    assert said[3].split() == sorted(said[3].split())
    assert said[4].startswith("ascending,")


def test_csv_has_a_line_a_row_of_a_kept_result(kept: Stored) -> None:
    lines = list(csv.DictReader(io.StringIO(csv_text(kept.result))))
    assert [line["reranker"] for line in lines] == [row.reranker for row in kept.result.datasets[0].rows]
    assert asdict(kept.result)["metrics"][0] in lines[0]
