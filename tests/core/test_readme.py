"""README's table and picture are those of the result in docs/results/embedded. `python -m tests.core.test_readme`
writes both, after a bench was run anew."""

from __future__ import annotations

import re
from pathlib import Path

from rr_bench.evaluate.results import BenchResult, Row
from rr_bench.report.compact import figure, milliseconds
from rr_bench.report.html.picture import picture
from rr_bench.report.stored import read_result
from tests.conftest import ROOT

README = ROOT / "README.md"
RESULT = ROOT / "docs" / "results" / "embedded" / "bench.json"
PICTURE = RESULT.with_name("pareto.svg")
BETWEEN = re.compile(r"(<!-- bench: begin -->\n).*?(<!-- bench: end -->\n)", flags=re.DOTALL)
LEADING = 5
"""Rows of the table, besides the search and chance."""
BESIDES = ("first-stage", "random")
MOST_WORDS = 500
"""Of README outside its blocks, tables and links: two minutes at 250 a minute."""


def short_table(result: BenchResult) -> str:
    """The leading rows by their mean over the data sets; a row with a fault on a data set is marked there."""
    leading = result.metrics[0]
    names = [one.reranker for one in result.suite]
    wanted = [*[name for name in names if name not in BESIDES][:LEADING], *BESIDES]
    shown = [dataset.name for dataset in result.datasets]
    lines = [
        f"| {leading} | {' | '.join(shown)} | ms a query |",
        f"| --- |{' ---: |' * (len(shown) + 1)}",
    ]
    for name in wanted:
        rows = [{row.reranker: row for row in one.rows if row.metrics}.get(name) for one in result.datasets]
        cells = [_cell(row, leading) if row else "–" for row in rows]
        times = sorted(row.ms_per_query for row in rows if row)
        spread = " to ".join(dict.fromkeys(milliseconds(one) for one in (times[0], times[-1])))
        lines.append(f"| {name} | {' | '.join(cells)} | {spread} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, leading: str) -> str:
    shown = figure(row.metrics[leading].mean)
    return f"{'⚠ ' * (row.worst == 'fault')}{f'**{shown}**' if leading in row.best else shown}"


def written(readme: str) -> str:
    table = short_table(read_result(RESULT))
    return BETWEEN.sub(lambda found: f"{found[1]}{table}{found[2]}", readme)


def test_the_table_is_that_of_the_result() -> None:
    readme = README.read_text(encoding="utf-8")
    assert BETWEEN.search(readme)
    assert written(readme) == readme, "python -m tests.core.test_readme"


def test_the_picture_is_that_of_the_result() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(read_result(RESULT)), "python -m tests.core.test_readme"
    assert f"]({PICTURE.relative_to(ROOT)})" in README.read_text(encoding="utf-8")


def test_a_stale_table_would_be_seen() -> None:
    readme = README.read_text(encoding="utf-8")
    assert written(readme.replace("| head |", "| heads |")) == readme


def test_it_is_read_in_two_minutes() -> None:
    text = re.sub(r"^```.*?^```$", "", README.read_text(encoding="utf-8"), flags=re.M | re.S)
    text = re.sub(r"^\|.*$|<!--.*?-->|\]\([^)]*\)", "", text, flags=re.M)
    assert len(text.split()) < MOST_WORDS


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
    Path(PICTURE).write_text(picture(read_result(RESULT)), encoding="utf-8")
