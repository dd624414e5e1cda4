"""Scores on disk, computed once and resumed where they broke off; and reports in which no failure becomes a figure."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from rr.errors import ScoringError
from rr.protocols import ModelInfo
from rr.rerank.sort import Sort
from rr.types import Document, Query, Ranking, Request, Scores
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import Difference, Interval
from rr_bench.evaluate.store import Scored, score
from rr_bench.parts import PART_PAIRS, parts
from rr_bench.registry import Suite
from rr_bench.report import compact
from rr_bench.report.files import csv_text, markdown, write_result
from rr_bench.report.table import cells, count, header, title
from rr_bench.report.terminal import print_result

# the store


class Counting:
    """A reranker that counts what it ranks, and is interrupted once it is asked for the query `breaks_at`."""

    info = ModelInfo("logit", parameters=7, notes=("một ghi chú", "other"))

    def __init__(self, breaks_at: str = "") -> None:
        self.breaks_at = breaks_at
        self.loads = 0
        self.batches: list[list[str]] = []

    def __call__(self) -> Counting:
        self.loads += 1
        return self

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        ids = [request.query.id for request in requests]
        if self.breaks_at in ids:
            raise KeyboardInterrupt
        self.batches.append(ids)
        return [
            Ranking.from_scores(
                request,
                Scores(
                    tuple(len(request.query.text) / (place + 3) for place in range(len(request.candidates))),
                    {"truncated": 0.25},
                ),
            )
            for request in requests
        ]


def requests_of(sizes: Sequence[int]) -> list[Request]:
    documents = tuple(Document(f"d{place}", "") for place in range(max(sizes, default=0)))
    return [Request(Query(f"q{n}", "câu " * (n + 1)), documents[:size]) for n, size in enumerate(sizes)]


def score_with(reranker: Counting, requests: Sequence[Request], key: object = "key") -> Scored:
    return score(reranker, key, requests, lambda done: None)


def part_files(home: Path) -> list[Path]:
    return sorted(home.glob("scores/*/part-*.json"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "rr-home"  # where conftest.py puts $RR_HOME


THREE_PARTS = [PART_PAIRS // 2] * 6


def test_scores_are_those_of_the_reranker_with_its_info_and_diagnostics() -> None:
    requests = requests_of([3, 0, 2])
    scored = score_with(Counting(), requests)
    assert list(scored.answers) == ["q0", "q1", "q2"]
    for request, ranking in zip(requests, Counting().rerank(requests), strict=True):
        assert scored.answers[request.query.id].scores == ranking.scores
        assert scored.answers[request.query.id].diagnostics == {"truncated": 0.25}
    assert scored.info == Counting.info
    assert not scored.stored


def test_a_second_call_computes_nothing_and_answers_the_same() -> None:
    requests = requests_of(THREE_PARTS)
    first_reranker, second_reranker = Counting(), Counting()
    first, second = score_with(first_reranker, requests), score_with(second_reranker, requests)
    assert first_reranker.loads
    assert (second_reranker.loads, second_reranker.batches) == (0, [])
    assert second == replace(first, stored=True)


def test_each_part_is_scored_once_after_a_warm_up_of_one_query() -> None:
    reranker = Counting()
    score_with(reranker, requests_of(THREE_PARTS))
    assert reranker.batches == [["q0"], ["q0", "q1"], ["q2", "q3"], ["q4", "q5"]]


def test_progress_counts_every_query_stored_or_not() -> None:
    for _ in range(2):
        done: list[int] = []
        score(Counting(), "key", requests_of(THREE_PARTS), done.append)
        assert done == [2, 2, 2]


def test_another_key_is_computed_anew(home: Path) -> None:
    requests = requests_of([2, 2])
    score_with(Counting(), requests, {"weights": "old"})
    retrained = Counting()
    assert not score_with(retrained, requests, {"weights": "new"}).stored
    assert retrained.batches == [["q0"], ["q0", "q1"]]
    assert len(part_files(home)) == 2


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_is_recomputed_alone_and_equal(home: Path, missing: int) -> None:
    requests = requests_of(THREE_PARTS)
    whole = score_with(Counting(), requests)
    files = part_files(home)
    contents = [file.read_bytes() for file in files]
    files[missing].unlink()
    reranker = Counting()
    again = score_with(reranker, requests)
    asked = [f"q{2 * missing}", f"q{2 * missing + 1}"]
    assert reranker.batches == [asked[:1], asked]
    assert again.answers == whole.answers
    assert not again.stored
    assert part_files(home) == files
    assert [file.read_bytes() for n, file in enumerate(files) if n != missing] == [
        content for n, content in enumerate(contents) if n != missing
    ]


def test_an_interrupted_run_resumes_at_the_part_that_is_missing(home: Path) -> None:
    requests = requests_of(THREE_PARTS)
    interrupted = Counting(breaks_at="q3")
    with pytest.raises(KeyboardInterrupt):
        score_with(interrupted, requests)
    assert [file.name for file in part_files(home)] == ["part-00000.json"]
    assert [file for file in home.rglob("*") if file.name.startswith(".")] == []
    resumed = Counting()
    scored = score_with(resumed, requests)
    assert resumed.batches == [["q2"], ["q2", "q3"], ["q4", "q5"]]
    part_files(home)[0].parent.rename(home / "elsewhere")
    assert scored.answers == score_with(Counting(), requests).answers


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 30) | st.integers(0, 2 * PART_PAIRS), max_size=60))
def test_parts_are_the_requests_in_order_cut_when_full(sizes: list[int]) -> None:
    requests = [Request(Query(f"q{n}", ""), DOCUMENTS[:size]) for n, size in enumerate(sizes)]
    cut = list(parts(requests))
    assert [request for part in cut for request in part] == requests
    pairs = [[len(request.candidates) for request in part] for part in cut]
    assert all(part for part in pairs)
    assert all(sum(part) <= PART_PAIRS or len([size for size in part if size]) == 1 for part in pairs)
    for part, following in itertools.pairwise(pairs):
        assert sum(part) + following[0] > PART_PAIRS


DOCUMENTS = tuple(Document(f"d{place}", "") for place in range(2 * PART_PAIRS))


def test_parts_do_not_depend_on_what_follows() -> None:
    requests = requests_of([700] * 9)
    assert list(parts(requests[:4])) == list(parts(requests))[:2]
    assert [len(part) for part in parts(requests)] == [2, 2, 2, 2, 1]


class Answering:
    """A scorer whose every answer is the same."""

    info = ModelInfo("logit")

    def __init__(self, answer: Scores) -> None:
        self._answer = answer

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        return [self._answer for _ in requests]


def test_numbers_of_numpy_are_stored_like_any_others() -> None:
    values: Any = tuple(np.arange(3, dtype=np.float32))
    scorer = Answering(Scores(values, {"truncated": np.float32(0.5)}))  # type: ignore[dict-item]
    scored = score(lambda: Sort(scorer), "key", requests_of([3]), lambda done: None)
    assert scored.answers["q0"].scores == {"d0": 0.0, "d1": 1.0, "d2": 2.0}
    assert scored.answers["q0"].diagnostics == {"truncated": 0.5, "tied": 0.0, "constant": 0.0}


def test_a_diagnostic_that_json_cannot_hold_is_never_stored(home: Path) -> None:
    scorer = Answering(Scores((1.0, 2.0), {"entropy": float("nan")}))
    with pytest.raises(ScoringError, match="diagnostic 'entropy' is NaN"):
        score(lambda: Sort(scorer), "key", requests_of([2]), lambda done: None)
    assert part_files(home) == []


# reports


def measured(reranker: str, mean: float, **values: object) -> Row:
    row = Row(
        reranker,
        state="pretrained",
        metrics={"nDCG@10": Interval(mean, mean - 0.1, mean + 0.1), "MRR@10": Interval(mean / 3, 0.0, 1.0)},
        per_query={"nDCG@10": (mean, mean), "MRR@10": (mean / 3, mean / 3)},
        ms_per_query=1.25,
        pairs_per_second=12345.6,
        timed_on={"machine": "2 CPU [x86]", "threads": "1", "device": "cpu"},
        parameters=22_700_000,
    )
    return replace(row, **values)  # type: ignore[arg-type]


REASON = "OSError: không đọc được, \"weights\" [bold]| hỏng; xem 'a,b'"
RESULT = BenchResult(
    profile="embedded",
    baseline="first-stage",
    metrics=("nDCG@10", "MRR@10"),
    datasets=(
        DatasetResult(
            "phòng trọ",
            fingerprint="0123456789abcdef",
            documents=60,
            queries={"train": 5, "dev": 1, "test": 2},
            retriever="bm25",
            protocol="end-to-end",
            mean_candidates=19.5,
            recall_ceiling=0.875,
            notes=("1 queries left out: a|b",),
            query_ids=("q1", "q2"),
            baseline="first-stage",
            rows=(
                measured("first-stage", 0.5),
                measured(
                    "letters",
                    1 / 3,
                    state="trained",
                    difference=Difference(-1 / 6, -0.3, 0.01, 0.0625, p_holm=0.125),
                    notes=("dấu | và [red]", "second"),
                    diagnostics={"tied": 0.5, "label_mass": 0.0, "truncated": 0.0, "own_figure": 0.125},
                    train_seconds=12.34,
                    trainable=98_304,
                ),
                Row("cross-encoder", failure=REASON, traceback="Traceback …\nOSError: không đọc được"),
            ),
        ),
        DatasetResult("nhà/đất", failure="DataError: thiếu tệp | 'x'", traceback="Traceback of the data"),
    ),
    environment={"machine": "the one that prints"},
)


ABOUT_THE_DATA = (
    "baseline",
    "documents",
    "queries",
    "candidates",
    "retriever",
    "order",
    "protocol",
    "recall_ceiling",
    "dataset_notes",
)


def csv_rows(result: BenchResult) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_text(result), newline=""), strict=True))


def markdown_tables(text: str) -> Iterator[list[list[str]]]:
    """The cells of each table, as a Markdown reader cuts them: at each `|` that is not escaped."""
    table: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if line.startswith("|"):
            table.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif table:
            yield table
            table = []


def test_every_line_of_the_csv_has_the_same_number_of_cells_and_parses_back() -> None:
    first, *rows = csv_rows(RESULT)
    assert {len(row) for row in rows} == {len(first)}
    assert len(set(first)) == len(first)
    table = [dict(zip(first, row, strict=True)) for row in rows]
    assert [(row["dataset"], row["reranker"]) for row in table] == [
        ("phòng trọ", "first-stage"),
        ("phòng trọ", "letters"),
        ("phòng trọ", "cross-encoder"),
        ("nhà/đất", ""),
    ]
    letters = table[1]
    interval = RESULT.datasets[0].rows[1].metrics["nDCG@10"]
    assert [float(letters[f"nDCG@10{part}"]) for part in ("", " low", " high")] == list(asdict(interval).values())
    assert float(letters["MRR@10"]) == 1 / 9  # unrounded
    assert [float(letters[name]) for name in ("delta", "delta low", "delta high")] == [-1 / 6, -0.3, 0.01]
    assert (letters["p"], letters["p_holm"]) == ("0.0625", "0.125")
    assert letters["notes"] == "dấu | và [red]; second"
    assert (letters["train_seconds"], letters["parameters"], letters["trained_parameters"]) == (
        "12.34",
        "22700000",
        "98304",
    )
    assert letters["failure"] == ""
    baseline = table[0]
    assert (baseline["delta"], baseline["p"], baseline["train_seconds"]) == ("", "", "")


def test_the_csv_holds_all_that_the_table_says() -> None:
    """Every number and word of title, cells and notes of the Markdown stands in the row's line."""
    first, *rows = csv_rows(RESULT)
    data = RESULT.datasets[0]
    line = dict(zip(first, rows[1], strict=True))
    assert (line["documents"], line["queries"], line["candidates"]) == ("60", "5 train, 1 dev, 2 test", "19.5")
    assert (line["retriever"], line["protocol"], line["recall_ceiling"]) == ("bm25", "end-to-end", "0.875")
    assert line["dataset_notes"] == "; ".join(data.notes)
    assert line["timed_on"] == "2 CPU [x86], 1 thread, cpu"
    assert line["train_timed_on"] == ""
    for name, value in data.rows[1].diagnostics.items():
        assert float(line[f"diagnostic {name}"]) == value, "unrounded, and even where it is 0"
    assert dict(zip(first, rows[0], strict=True))["diagnostic tied"] == "", "not reported is not 0"
    assert line["scores_from_store"] == "false"
    populations = replace(data, populations={"valid-retrieval": ("q1",)})
    told = csv_rows(replace(RESULT, datasets=(populations,)))
    assert dict(zip(told[0], told[1], strict=True))["populations"] == "valid retrieval: 1 of 2"


def test_every_report_says_that_candidates_were_in_the_retrievers_order() -> None:
    data = RESULT.datasets[0]
    ordered = replace(RESULT, datasets=(replace(data, order="retriever"),))
    said = "19.5 candidates by bm25, in the retriever's order, end-to-end, recall ceiling 0.875"
    assert said in title(ordered.datasets[0])
    assert said in markdown(ordered)
    assert "19.5 candidates by bm25, end-to-end" in markdown(RESULT)
    columns = {order: csv_rows(result) for order, result in (("shuffled", RESULT), ("retriever", ordered))}
    for order, (first, row, *_) in columns.items():
        assert dict(zip(first, row, strict=True))["order"] == order
    assert [asdict(result)["datasets"][0]["order"] for result in (RESULT, ordered)] == ["shuffled", "retriever"]


def test_a_failed_line_of_the_csv_has_a_reason_and_no_figures() -> None:
    first, *rows = csv_rows(RESULT)
    for row, reason in ((rows[2], REASON), (rows[3], RESULT.datasets[1].failure)):
        named = dict(zip(first, row, strict=True))
        assert named.pop("failure") == reason
        for column in ("dataset", "fingerprint", "reranker", "state", *ABOUT_THE_DATA):
            named.pop(column)
        assert set(named.values()) == {""}


@pytest.mark.parametrize("metrics", [("nDCG@10",), ("MRR@10", "nDCG@10")])
def test_columns_follow_the_metrics(metrics: tuple[str, ...]) -> None:
    result = replace(RESULT, metrics=metrics)
    assert csv_rows(result)[0][4 : 4 + 3 * len(metrics)] == [
        f"{name}{part}" for name in metrics for part in ("", " low", " high")
    ]
    for row in result.datasets[0].rows:
        assert len(cells(row, result)) == len(header(result, result.datasets[0])) == 13 + len(metrics) - 1
    assert header(result, result.datasets[0])[2:4] == [
        f"{metrics[0]} [95 % interval]",
        f"Δ {metrics[0]} to first-stage",
    ]


def test_a_reason_with_a_line_break_stays_one_cell() -> None:
    broken = replace(RESULT.datasets[0], rows=(Row("x", failure="first line\r\nsecond, line\n| third"),))
    result = replace(RESULT, datasets=(broken,))
    assert csv_rows(result)[1][-1] == "first line\r\nsecond, line\n| third"
    assert next(markdown_tables(markdown(result)))[2][-1] == "first line second, line | third"


def test_every_row_of_the_markdown_has_the_columns_of_its_header() -> None:
    tables = list(markdown_tables(markdown(RESULT)))
    assert len(tables) == 1
    names, rule, *rows = tables[0]
    assert names == header(RESULT, RESULT.datasets[0])
    assert all(set(cell) <= {"-", ":"} for cell in rule)
    assert {len(row) for row in [rule, *rows]} == {len(names)}
    assert [row[0] for row in rows] == ["first-stage", "letters", "cross-encoder"]
    assert rows[1][2:5] == ["0.333 [0.233, 0.433]", "-0.167 [-0.300, +0.010] p .062, Holm .12", "0.111"]
    assert rows[1][-1] == "dấu | và [red]; second; tied 0.5; label mass 0; truncated 0; own figure 0.12"
    assert rows[1][5:13] == ["12.3", "1.25", "", "12,346", "", "0", "22.7 M", "98.3 K"]


def test_the_notes_say_how_orders_agreed_even_where_they_did_not() -> None:
    for diagnostics, notes in (
        ({"permutations": 4.0, "tau": 0.834, "tournament": 1.0, "tied": 0.0}, "τ 0.83; permutations 4; tournament 1"),
        ({"tournament": 0.0, "tau": 0.0, "permutations": 2.5, "windowed": 1.0}, "τ 0; permutations 2.5; windowed 1"),
        ({"windowed": 0.0}, ""),
    ):
        assert cells(measured("letters", 0.5, diagnostics=diagnostics), RESULT)[-1] == notes


def test_a_failed_row_of_the_markdown_has_a_reason_and_no_figures() -> None:
    failed = next(markdown_tables(markdown(RESULT)))[-1]
    assert failed[:2] == ["cross-encoder", "FAILED"]
    assert failed[-1] == REASON
    assert set(failed[2:-1]) == {""}


def test_the_markdown_says_what_was_compared_and_which_data_set_failed() -> None:
    text = markdown(RESULT)
    assert "**nhà/đất: FAILED** DataError: thiếu tệp | 'x'" in text
    assert "**phòng trọ**: 60 documents, queries 5 train, 1 dev, 2 test; 19.5 candidates by bm25, end-to-end" in text
    assert "recall ceiling 0.875; data 0123456789ab" in text
    assert "- 1 queries left out: a|b" in text
    assert "Times are of 2 CPU [x86], 1 thread, cpu." in text
    assert "the one that prints" not in text


def test_the_json_holds_everything(tmp_path: Path) -> None:
    write_result(RESULT, tmp_path)
    content = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(asdict(RESULT)))
    failed = content["datasets"][0]["rows"][2]
    assert (failed["failure"], failed["metrics"], failed["difference"]) == (REASON, {}, None)
    assert "phòng trọ" in (tmp_path / "bench.json").read_text(encoding="utf-8")


def test_the_files_that_are_written_are_the_ones_that_are_named(tmp_path: Path) -> None:
    written = write_result(RESULT, tmp_path / "new" / "out")
    assert sorted(written) == sorted(file for file in tmp_path.rglob("*") if file.is_file())
    out = tmp_path / "new" / "out"
    assert sorted(str(file.relative_to(out)) for file in written) == [
        "bench.csv",
        "bench.json",
        "bench.md",
        "comparisons.csv",
        "failures/nhà%2Fđất/data.txt",
        "failures/phòng trọ/cross-encoder.txt",
        "groups.csv",
        "suite.csv",
    ]
    assert (out / "failures" / "nhà%2Fđất" / "data.txt").read_text(encoding="utf-8") == "Traceback of the data"
    trace = (out / "failures" / "phòng trọ" / "cross-encoder.txt").read_text(encoding="utf-8")
    assert trace == RESULT.datasets[0].rows[2].traceback
    assert (out / "bench.csv").read_bytes() == csv_text(RESULT).encode()
    assert (out / "bench.md").read_text(encoding="utf-8") == markdown(RESULT)


def test_each_failure_has_a_file_of_its_own(tmp_path: Path) -> None:
    datasets = (
        DatasetResult("a", rows=(Row("b-c", failure="x", traceback="one"), Row("b/c", failure="x", traceback="two"))),
        DatasetResult("a-b", rows=(Row("c", failure="x", traceback="three"),)),
    )
    written = write_result(replace(RESULT, datasets=datasets), tmp_path)
    traces = [file.read_text(encoding="utf-8") for file in written if file.suffix == ".txt"]
    assert sorted(traces) == ["one", "three", "two"]


def printed(result: BenchResult, width: int, wide: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_result(result, console, wide)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_the_terminal_shows_every_reranker_and_every_reason() -> None:
    text = printed(RESULT, 400)
    for row in RESULT.datasets[0].rows:
        line = next(line for line in text.split("\n") if line.strip().startswith(f"{row.reranker} "))
        assert (row.failure or f"{row.metrics['nDCG@10'].mean:.3f} [") in line
        assert ("FAILED" in line) == bool(row.failure)
    assert "nhà/đất: FAILED DataError: thiếu tệp | 'x'" in text
    assert "note: 1 queries left out: a|b" in text
    assert "dấu | và [red]; second" in text  # what looks like markup is text
    assert "Times are of 2 CPU [x86], 1 thread, cpu." in " ".join(text.split())
    assert "the one that prints" not in text


@pytest.mark.parametrize("width", [80, 120, 170])
def test_a_narrow_terminal_has_a_compact_table_and_says_what_it_has_no_room_for(width: int) -> None:
    text = printed(RESULT, width)
    (table,) = printed_tables(text)
    wanted = compact.columns(RESULT, RESULT.datasets[0])
    missing = next((line for line in text.split("\n") if line.startswith("no room for ")), "")
    shown = [
        name for name in wanted if name not in missing.removesuffix("; --wide shows all").split("no room for ")[-1]
    ]
    assert len(table) + (missing.count(",") + 1 if missing else 0) == len(wanted)
    assert len(shown) >= len(table)
    for row in RESULT.datasets[0].rows:
        line = next(line for line in text.split("\n") if line.startswith(f" {row.reranker} "))
        assert ("FAILED" in line) == bool(row.failure)
        found = compact.cells(row, RESULT)
        assert found.get("nDCG@10", "") in line
        notes = cells(row, RESULT)[-1]
        assert (f"\n{row.reranker}: " in text) == bool(notes)
        assert letters(f"{row.reranker}: {notes}") in letters(text)
    assert all(len(line) <= width for line in text.split("\n"))


@pytest.mark.parametrize(("width", "wide"), [(209, False), (210, False), (400, False), (80, True)])
def test_a_wide_terminal_has_all_columns(width: int, wide: bool) -> None:
    (table,) = printed_tables(printed(RESULT, width, wide))
    (dataset, _) = RESULT.datasets
    everything = wide or width >= 210
    assert len(table) == len(header(RESULT, dataset) if everything else compact.columns(RESULT, dataset))


def of_usual_metrics(*names: str) -> BenchResult:
    metrics = Suite.model_fields["metrics"].default
    rows = tuple(
        replace(
            measured(name, 0.5),
            metrics={metric: Interval(0.111 * place, 0.1, 0.9) for place, metric in enumerate(metrics, 1)},
            difference=Difference(-1 / 6, -0.3, 0.01, 1e-5, p_holm=0.00054),
            letters="ab",
            best=metrics[:1],
            pareto=True,
            ms_per_query=1234.5,
        )
        for name in names
    )
    return replace(RESULT, metrics=metrics, datasets=(replace(RESULT.datasets[0], rows=rows),))


def test_five_metrics_and_names_of_twenty_letters_fit_100_columns() -> None:
    names = ("cross-encoder-base-2", "letters-verbalizer-x")
    text = printed(of_usual_metrics(*names), 100)
    for name in names:
        line = next(line for line in text.split("\n") if line.startswith(f" {name} "))
        for figure in (".111 ±.79 ab", "-.17*", ".222", ".333", ".444", ".555", "1,234*"):
            assert figure in line, figure
    narrow = printed(of_usual_metrics(*names), 80)
    assert "no room for Recall@10, Hit@10" in narrow
    assert all(f" {name} " in narrow for name in names)


def test_a_long_name_is_never_broken_while_it_fits() -> None:
    name = "a-reranker-whose-name-is-long-" * 2
    text = printed(of_usual_metrics(name), 80)
    assert f" {name} " in text
    assert letters(name * 3) in letters(printed(of_usual_metrics(name * 3), 80))


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (compact.mean_and_half(Interval(0.648, 0.578, 0.718)), ".648 ±.07"),
        (compact.mean_and_half(Interval(1.0, 0.9, 1.0)), "1.000 ±.10"),
        (compact.mean_and_half(Interval(-0.5, -0.504, -0.496)), "-.500 ±.004"),
        (compact.mean_and_half(Interval(0.5, 0.5, 0.5)), ".500 ±.00"),
        (compact.difference(Difference(0.31, 0.1, 0.5, 0.001, p_holm=0.04)), "+.31*"),
        (compact.difference(Difference(0.31, 0.1, 0.5, 0.001, p_holm=0.06)), "+.31"),
        (compact.difference(Difference(-0.004, -0.1, 0.1, 0.6)), "-.004"),
        (compact.difference(Difference(1.0, 0.9, 1.1, 0.0)), "+1.00*"),
        (compact.milliseconds(0.139), "0.14"),
        (compact.milliseconds(1234.5), "1,234"),
    ],
)
def test_figures_are_short(shown: str, text: str) -> None:
    assert shown == text


def test_faults_are_marked_where_the_row_is() -> None:
    rows = tuple(
        replace(row, verdict=verdict, findings=())
        for row, verdict in zip(
            of_usual_metrics("a", "b", "c").datasets[0].rows, ("ok", "warning", "fault"), strict=True
        )
    )
    result = replace(of_usual_metrics("a"), datasets=(replace(RESULT.datasets[0], rows=rows),))
    assert [compact.cells(row, result)["state"].partition(" !")[1:] for row in rows] == [
        ("", ""),
        (" !", ""),
        (" !", "!"),
    ]
    text = " ".join(printed(result, 100).split())
    assert "!!: fault, see its note; !: warning, see its note" in text
    assert "c: doctor: fault" in text


def letters(text: str) -> str:
    return re.sub(r"[^\w=]", "", text)


def printed_tables(text: str) -> list[list[str]]:
    """What stands in each column of each table, read downwards. At least two blanks stand between columns."""
    tables = []
    for block in re.split(r"\n\s*\n", text):
        if "─" in block:
            lines = [line for line in block.split("\n") if "─" not in line]
            places = range(max(map(len, lines)))
            blank = "".join(" " if all(line[n : n + 1] in ("", " ") for line in lines) else "x" for n in places)
            spans = [found.span() for found in re.finditer("x(?: ?x)*", blank)]
            tables.append([letters("".join(line[start:end] for line in lines)) for start, end in spans])
    return tables


def test_a_result_knows_whether_anything_failed() -> None:
    assert RESULT.failed
    whole = replace(RESULT.datasets[0], rows=RESULT.datasets[0].rows[:2])
    assert not replace(RESULT, datasets=(whole,)).failed
    assert replace(RESULT, datasets=(whole, RESULT.datasets[1])).failed
    assert replace(RESULT, datasets=(RESULT.datasets[0],)).failed


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0 K"), (98_304, "98.3 K"), (22_713_216, "22.7 M"), (8e9, "8.0 B")],
)
def test_counts_are_short(number: int, text: str) -> None:
    assert count(number) == text
