"""The queries that each row did worst on, with the first of its ranking."""

from __future__ import annotations

from rr_bench.evaluate.results import DatasetResult
from rr_bench.report.answers import WORST, Answers, Bad, Candidate
from rr_bench.report.compact import figure
from rr_bench.report.html.elements import cut, details, text

QUERIES = WORST
TEXT = 160
"""Letters of a text that are shown."""


def worst(dataset: DatasetResult, metric: str, answers: Answers, each: int) -> str:
    """`each`: queries a row."""
    parts = []
    for row in dataset.rows:
        found = answers.worst(dataset, row, metric, each) if row.metrics else []
        if not found:
            continue
        left = len(row.per_query[metric]) - len(found)
        told = "".join(_query(one) for one in found)
        parts.append(details(f"{row.reranker}: its {len(found)} worst, {left} others left out", told))
    return f"<h3>Worst queries by {text(metric)}</h3>{''.join(parts)}" if parts else ""


def _query(bad: Bad) -> str:
    shown = f": {cut(bad.text, TEXT)}" if bad.text else ""
    head = f"<p><b>{figure(bad.value)}</b> <code>{text(bad.query)}</code>{shown}"
    if not bad.candidates:
        return f"{head}</p>"
    listed = "".join(_candidate(one) for one in bad.candidates)
    told = [f"{bad.more} other candidates"] if bad.more else []
    told += [] if any(one.grade > 0 for one in bad.candidates) else ["none of the candidates is relevant"]
    told += [f"{bad.missed} relevant not among the candidates"] if bad.missed else []
    return f'{head}</p><ol class="bad">{listed}</ol><p class="quiet">{"; ".join(told)}</p>'


def _candidate(one: Candidate) -> str:
    score, shown = f"{one.score:.4g}", f": {cut(one.text, TEXT)}" if one.text else ""
    truth = f' <span class="truth">✓ relevant (grade {one.grade})</span>' if one.grade > 0 else ""
    return f'<li value="{one.rank}"><code>{text(one.id)}</code>{truth} <span class="quiet">{score}</span>{shown}</li>'
