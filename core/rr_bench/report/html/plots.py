"""Pictures as inline SVG: their letters are text, and their colours follow the page's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import MEANS
from rr_bench.report.compact import figure, mean_and_half, milliseconds
from rr_bench.report.html.elements import items, text

WIDTH, SMALL = 380, 270
"""Units, which a page shows as so many pixels or a little more: few enough for the letters to be read on a phone."""
LINE, BARS, PARETO = 22, 200, 230
"""The height of a line of names; the most bars of a picture; the height of quality against time."""
LABELS = ((7, -7), (7, 15), (-14, -7), (-14, 15), (12, 4), (-20, 4), (0, -14), (0, 22))
"""Where the number of a point may stand, the best place first."""


def intervals(dataset: DatasetResult, result: BenchResult) -> str:
    """The leading metric of each row, with its 95 % interval."""
    leading = result.metrics[0]
    rows = [row for row in dataset.rows if row.metrics]
    if not rows:
        return ""
    found = [row.metrics[leading] for row in rows]
    low, high = min(MEANS.low, *(one.low for one in found)), max(one.high for one in found)
    ticks = _ticks(low, high)
    left, right, bottom = 8, WIDTH - 12, 2 * LINE * len(rows)

    def x(value: float) -> float:
        return left + (right - left) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    drawn = [_tick(x(tick), bottom, figure(tick, 1)) for tick in ticks]
    for place, (row, one) in enumerate(zip(rows, found, strict=True)):
        y = 2 * LINE * place + 15
        drawn.append(
            f'<text x="{left}" y="{y}">{text(_short(row.reranker))}</text>'
            f'<text class="quiet" x="{right}" y="{y}" text-anchor="end">{text(mean_and_half(one))}</text>'
            f'<line class="first" stroke-width="2" x1="{x(one.low):.1f}" x2="{x(one.high):.1f}" y1="{y + 12}" '
            f'y2="{y + 12}"/><circle class="first" r="4" cx="{x(one.mean):.1f}" cy="{y + 12}"/>'
        )
    caption = f"{leading} with its 95 % interval"
    told = "; ".join(f"{row.reranker} {mean_and_half(one)}" for row, one in zip(rows, found, strict=True))
    return _picture(caption, f"{caption}: {told}", bottom + LINE, "".join(drawn))


def pareto(dataset: DatasetResult, result: BenchResult) -> str:
    """The leading metric against the milliseconds of a query, on a logarithmic scale; the front is a line."""
    rows = costed(dataset)
    if len(rows) < 2:
        return ""
    leading = result.metrics[0]
    drawn = pareto_shapes(rows, leading, {row.reranker: number for number, row in enumerate(rows, 1)})
    listed = [
        f"{row.reranker}: {figure(row.metrics[leading].mean)}, {milliseconds(row.ms_per_query)} ms"
        f"{', on the front' if row.pareto else ''}"
        for row in rows
    ]
    line = "; the line: the Pareto front" if sum(row.pareto for row in rows) > 1 else ""
    caption = f"{leading} against milliseconds a query{line}"
    legend = items(map(text, listed)).replace("ul>", "ol>")
    return _picture(caption, f"{caption}, each row by its number in the list below", PARETO + 38, drawn, legend)


def costed(dataset: DatasetResult) -> list[Row]:
    """The rows that have a quality and a time."""
    return [row for row in dataset.rows if row.metrics and row.ms_per_query > 0]


def pareto_shapes(rows: Sequence[Row], leading: str, numbers: Mapping[str, int]) -> str:
    """The plot without its caption, `WIDTH` wide, `PARETO` + 38 high; `numbers`: what stands at a reranker's point."""
    height, left, right = PARETO, 34, WIDTH - 12
    across = [math.log10(row.ms_per_query) for row in rows]
    up = _ticks(min(row.metrics[leading].mean for row in rows), max(row.metrics[leading].mean for row in rows))
    powers = list(range(math.floor(min(across)), math.floor(max(across)) + 2))

    def at(row: Row) -> tuple[float, float]:
        along = (math.log10(row.ms_per_query) - powers[0]) / (powers[-1] - powers[0])
        return left + (right - left) * along, height - (height - 14) * (row.metrics[leading].mean - up[0]) / (
            up[-1] - up[0]
        )

    drawn = []
    for tick in up:
        y = height - (height - 14) * (tick - up[0]) / (up[-1] - up[0])
        drawn.append(
            f'<line class="axis" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="quiet" x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{figure(tick, 2)}</text>'
        )
    for power in powers:
        x_ = left + (right - left) * (power - powers[0]) / (powers[-1] - powers[0])
        anchor = "end" if power == powers[-1] else "middle"
        drawn.append(
            f'<line class="axis" x1="{x_:.1f}" x2="{x_:.1f}" y1="14" y2="{height}"/>'
            f'<text class="quiet" x="{x_:.1f}" y="{height + 16}" text-anchor="{anchor}">{10.0**power:g}</text>'
        )
    front = sorted(at(row) for row in rows if row.pareto)
    for (x1, y1), (x2, y2) in pairwise(front):
        drawn.append(f'<path class="front" stroke-width="2" d="M{x1:.1f} {y1:.1f}H{x2:.1f}V{y2:.1f}"/>')
    taken = [at(row) for row in rows]
    for row, (x_, y) in zip(rows, list(taken), strict=True):
        label = _free(x_, y, taken)
        taken.append(label)
        drawn.append(
            f'<circle class="{"first" if row.pareto else "other"}" r="4.5" cx="{x_:.1f}" cy="{y:.1f}"><title>'
            f"{text(row.reranker)}</title></circle>"
            f'<text x="{label[0] - 4:.1f}" y="{label[1] + 4:.1f}">{numbers[row.reranker]}</text>'
        )
    drawn.append(f'<text class="quiet" x="{right}" y="{height + 32}" text-anchor="end">ms a query</text>')
    return "".join(drawn)


def differences(row: Row, baseline: Row, metric: str) -> str:
    """The row less the baseline, query by query, sorted: what it wins and what it loses."""
    gaps = sorted(
        (a - b for a, b in zip(row.per_query.get(metric, ()), baseline.per_query.get(metric, ()), strict=False)),
        reverse=True,
    )
    if not gaps:
        return ""
    bars = gaps if len(gaps) <= BARS else [gaps[round(n * (len(gaps) - 1) / (BARS - 1))] for n in range(BARS)]
    reach, middle, step = max(1.0, *map(abs, gaps)), 62, (SMALL - 4) / len(bars)
    shapes = {"up": "", "down": ""}
    for place, gap in enumerate(bars):
        if gap:
            x_, tall = 2 + place * step, 48 * gap / reach
            shapes["up" if gap > 0 else "down"] += (
                f"M{x_:.1f} {middle}v{-tall:.1f}h{max(step - 0.6, 0.6):.1f}v{tall:.1f}z"
            )
    wins, losses = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    told = f"better on {wins}, equal on {len(gaps) - wins - losses}, worse on {losses}"
    sampled = f"; {len(bars)} of {len(gaps)} queries, at even distances" if len(bars) < len(gaps) else ""
    drawn = (
        f'<line class="axis" x1="0" x2="{SMALL}" y1="{middle}" y2="{middle}"/>'
        + "".join(f'<path class="{kind}" d="{shape}"/>' for kind, shape in shapes.items() if shape)
        + f'<text class="quiet" x="{SMALL}" y="12" text-anchor="end">+{reach:g}</text>'
        + f'<text class="quiet" x="0" y="{2 * middle - 2}">-{reach:g}</text>'
    )
    return _picture(
        row.reranker, f"{row.reranker} less {baseline.reranker}, query by query: {told}", 2 * middle + 2, drawn,
        f'<p class="quiet">{text(told)}{text(sampled)}</p>', small=True,
    )  # fmt: skip


def reliability(row: Row, kind: str) -> str:
    """What a row says is probable against what is relevant, bin by bin; the larger a point, the more pairs. `kind`: of
    `Row.calibration`."""
    table = row.calibration[kind]
    bins = [one for one in table["bins"] if one["count"]]
    most, side = max(one["count"] for one in bins), SMALL - 30

    def at(one: Mapping[str, float]) -> tuple[float, float]:
        return 26 + side * one["mean"], 4 + side * (1 - one["relevant"])

    points = [(*at(one), 2 + 7 * math.sqrt(one["count"] / most)) for one in bins]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    drawn = (
        f'<line class="axis" x1="26" y1="{4 + side}" x2="{26 + side}" y2="4"/>'
        f'<polyline class="front" points="{way}"/>'
        + "".join(f'<circle class="first" cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"/>' for x, y, r in points)
        + f'<text class="quiet" x="26" y="{side + 20}">0</text>'
        + f'<text class="quiet" x="{26 + side}" y="{side + 20}" text-anchor="end">probable 1</text>'
        + '<text class="quiet" x="22" y="14" text-anchor="end">1</text>'
    )
    told = f"ECE {figure(table['ece'])}, Brier {figure(table['brier'])}, of {table['pairs']:,} pairs; {table['of']}"
    shown = f"{row.reranker}{', calibrated' if kind == 'calibrated' else ''}"
    below = f'<p class="quiet">{text(told)}</p>'
    return _picture(shown, f"{shown}, probable against relevant: {told}", side + 26, drawn, below, small=True)


def _picture(caption: str, told: str, height: float, drawn: str, below: str = "", small: bool = False) -> str:
    kind, width = (' class="small"', SMALL) if small else ("", WIDTH)
    return (
        f"<figure{kind}><figcaption>{text(caption)}</figcaption>"
        f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{text(told)}">{drawn}</svg>{below}</figure>'
    )


def _tick(x: float, bottom: float, told: str) -> str:
    return (
        f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom}"/>'
        f'<text class="quiet" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{told}</text>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round figures around both, at most seven, at least two."""
    step = next(one for one in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / one <= 5 or one == 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 2) for number in range(first, max(last, first + 1) + 1)]


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Where there is most room around a point."""
    places = [(x + right, y + down - 4) for right, down in LABELS]
    room = [min(math.dist(place, other) for other in taken) for place in places]
    return next((one for one, free in zip(places, room, strict=True) if free >= 9), places[room.index(max(room))])


def _short(name: str) -> str:
    return name if len(name) <= 34 else f"{name[:33]}…"
