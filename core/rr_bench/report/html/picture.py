"""Quality against time as one SVG file, for a README or a talk: a plot a data set, by day and by night."""

from __future__ import annotations

from rr.errors import RerankError
from rr_bench.doctor.as_html import COLOURS
from rr_bench.evaluate.results import BenchResult
from rr_bench.report.html.elements import text
from rr_bench.report.html.plots import PARETO, WIDTH, costed, pareto_shapes

TOP, COLUMN, LINE = 40, 190, 20
"""The height of a title with what is above it; a name in the legend: its width and height."""
STYLE = (
    COLOURS.strip()
    + "svg{background:var(--ground)}text{font:12px system-ui,sans-serif;fill:var(--text)}.title{font-size:15px}"
    ".quiet{fill:var(--quiet)}.axis{stroke:var(--line)}.first{fill:var(--first);stroke:var(--first)}"
    ".front{fill:none;stroke:var(--second)}.other{fill:var(--quiet);stroke:var(--quiet)}"
)


def picture(result: BenchResult) -> str:
    """
    Raises:
        RerankError: no data set has two rows with a quality and a time.
    """
    leading = result.metrics[0]
    shown = [(dataset, costed(dataset)) for dataset in result.datasets]
    shown = [(dataset, rows) for dataset, rows in shown if len(rows) > 1]
    if not shown:
        raise RerankError("no data set has two rows with a quality and a time, so there is nothing to draw; bench more")
    in_order = [one.reranker for one in result.suite] + [row.reranker for _, rows in shown for row in rows]
    drawn = {row.reranker for _, rows in shown for row in rows}
    numbers = {name: place for place, name in enumerate((n for n in dict.fromkeys(in_order) if n in drawn), 1)}
    wide = max(WIDTH * len(shown), 2 * COLUMN)
    a_line = wide // COLUMN
    plots = "".join(
        f'<g transform="translate({place * WIDTH} {TOP})">'
        f'<text class="title" x="34" y="-18">{text(dataset.name)}</text>'
        f'<text class="quiet" x="34" y="-2">{text(leading)}</text>{pareto_shapes(rows, leading, numbers)}</g>'
        for place, (dataset, rows) in enumerate(shown)
    )
    below = TOP + PARETO + 60
    names = "".join(
        f'<text x="{34 + (number - 1) % a_line * COLUMN}" y="{below + (number - 1) // a_line * LINE}">'
        f"{number} {text(name)}</text>"
        for name, number in numbers.items()
    )
    height = below + -(-len(numbers) // a_line) * LINE
    on = ", ".join(dataset.name for dataset, _ in shown)
    told = f"{leading} against milliseconds a query, on {on}; the line: the Pareto front"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {height}" width="{wide}" height="{height}" '
        f'role="img" aria-label="{text(told)}"><style>{STYLE}</style>{plots}{names}</svg>\n'
    )
