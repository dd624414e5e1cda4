"""The diagnoses as one self-contained page: the curves with their chance level, and the findings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rr.diagnosis import Evidence
from rr_bench.doctor.asked import Asked

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 48, 24
CURVES = {
    "loss": (
        ("loss", "step", "var(--quiet)"),
        ("probe_train", "train", "var(--first)"),
        ("probe_dev", "dev", "var(--second)"),
    ),
    "dev metric": (("dev", "dev", "var(--good)"),),
    "how far the weights moved": (("moved", "moved", "var(--third)"),),
}
"""Title → (series of the evidence, name, colour)."""
POINTS = 400
"""The most of a line: more are not seen, and would make a page of a long training huge."""
COLOURS = """
:root{color-scheme:light dark;--text:#1b1f24;--ground:#fff;--quiet:#57606a;--line:#d0d7de;--first:#0b5fc7;
--second:#b93a08;--third:#6741d9;--good:#1a6e2e;--bad:#c01c28;--care:#8a5a00;--fault:#ffe3e3;--warning:#fff3bf}
@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--ground:#0d1117;--quiet:#9aa5b1;--line:#3d444d;--first:#6cb2ff;
--second:#ff9d6b;--third:#b8a1ff;--good:#6fd88a;--bad:#ff8f8f;--care:#f0c04c;--fault:#4a1d1d;--warning:#453a10}}
"""
DASHED = 'stroke-dasharray="5 4"'
STYLE = (
    COLOURS
    + """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:var(--text);
background:var(--ground)}
table{border-collapse:collapse;width:100%}td,th{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;
vertical-align:top}.fault{background:var(--fault)}.warning{background:var(--warning)}code{white-space:pre-wrap}
figure{display:inline-block;margin:0 1rem 1rem 0}svg{max-width:100%}svg text{fill:var(--text)}
"""
)


def html_page(asked: Sequence[Asked]) -> str:
    body = "".join(_section(one) for one in asked)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>rr doctor</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>rr doctor</h1>{body}</body></html>\n"
    )


def _section(one: Asked) -> str:
    rows = "".join(
        f'<tr class="{finding.verdict.replace(" ", "-")}"><td>{escape(name)}</td><td>{finding.verdict}</td>'
        f"<td>{escape(finding.evidence)}</td><td>{escape(finding.meaning)}</td>"
        f"<td><code>{escape(finding.command)}</code></td></tr>"
        for name, finding in one.diagnosis.findings.items()
    )
    error = f"<p>The training ended with: {escape(one.evidence.error)}</p>" if one.evidence.error else ""
    return (
        f"<h2>{escape(one.title)}: {one.diagnosis.verdict}</h2>{error}{curves(one.evidence)}"
        f"<table><tr><th>check</th><th>verdict</th><th>evidence</th><th>what it means</th><th>next</th></tr>{rows}"
        "</table>"
    )


def curves(evidence: Evidence) -> str:
    """The course of a training as figures; nothing where none was recorded."""
    return "".join(_figure(title, evidence) for title in CURVES)


def thinned(points: Sequence[tuple[int, float]], most: int = POINTS) -> list[tuple[int, float]]:
    """At most so many of them, at even distances, the last one among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def _figure(title: str, evidence: Evidence) -> str:
    series = {label: (evidence.series(name), colour) for name, label, colour in CURVES[title]}
    chance = evidence.series("probe_train chance") or evidence.series("chance") if title == "loss" else []
    if chance:
        series["chance"] = (chance, "var(--quiet)")
    points = [point for found, _ in series.values() for point in found if abs(point[1]) < float("inf")]
    if len(points) < 2:
        return ""
    last = max(step for step, _ in points) or 1
    low, high = min(figure for _, figure in points), max(figure for _, figure in points)
    span = (high - low) or 1.0

    def at(point: tuple[int, float]) -> str:
        x = LEFT + (WIDTH - LEFT - 8) * point[0] / last
        return f"{x:.1f},{8 + (HEIGHT - BOTTOM - 8) * (high - point[1]) / span:.1f}"

    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="{1 if label == "step" else 2}" '
        f'{DASHED if label == "chance" else ""} points="{" ".join(map(at, thinned(drawn)))}"/>'
        for label, (found, colour) in series.items()
        if (drawn := [point for point in found if abs(point[1]) < float("inf")])
    )
    names = " ".join(
        f'<tspan fill="{colour}">{escape(label)}</tspan>' for label, (found, colour) in series.items() if found
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'role="img" aria-label="{escape(title)}">{lines}<text x="{LEFT}" y="{HEIGHT - 6}" font-size="12">{names}'
        f'</text><text x="2" y="18" font-size="12">{high:.3g}</text><text x="2" y="{HEIGHT - BOTTOM}" '
        f'font-size="12">{low:.3g}</text><text x="{WIDTH - 8}" y="{HEIGHT - 6}" font-size="12" '
        f'text-anchor="end">step {last}</text></svg></figure>'
    )
