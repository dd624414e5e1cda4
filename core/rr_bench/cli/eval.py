"""`rr eval`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rr_bench.cli.options import given_path
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr_bench.judge.judge import Compared, Judged


def evaluate(
    run: Annotated[
        Path, typer.Argument(parser=given_path, metavar="RUN", help="A run: TREC, JSON or JSONL; packed, too.")
    ],
    qrels: Annotated[Path, typer.Argument(parser=given_path, metavar="QRELS", help="Judgements, likewise.")],
    metrics: Annotated[
        str | None, typer.Option("--metrics", "-m", help="nDCG@10,MRR@10 …; those of a suite if not given.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", "--baseline", parser=given_path, help="Another run to compare it with (repeatable)."),
    ] = None,
    per_query: Annotated[bool, typer.Option("--per-query", help="The values of every query too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Judge a run by relevance judgements: metrics with 95 % intervals, and how it compares with other runs.

    Example: rr eval run.trec qrels.txt -m nDCG@10
    """
    from dataclasses import asdict

    from rr.errors import RerankError
    from rr_bench.judge.files import read_qrels_file, read_run_file
    from rr_bench.judge.judge import compared, judge
    from rr_bench.registry import Suite
    from rr_bench.report.escape import json_text

    asked = (
        [one.strip() for one in metrics.split(",")] if metrics is not None else Suite.model_fields["metrics"].default
    )
    if not all(asked):
        raise RerankError("--metrics: a name is empty; write nDCG@10,MRR@10")
    judgements, notes = read_qrels_file(qrels)
    first, *others = (
        judge(read_run_file(path), str(path), judgements, list(dict.fromkeys(asked)))
        for path in (run, *(against or ()))
    )
    comparisons = compared(first, others)
    if as_json:
        told = {
            "qrels": str(qrels),
            "queries": len(first.queries),
            "warnings": notes,
            "runs": [_as_json(one, per_query) for one in (first, *others)],
            "compared": [asdict(one) for one in comparisons],
        }
        tell_json(json_text(told, indent=1) + "\n")
        return
    for note in notes:
        tell(f"warning: {qrels}: {note}", err=True)
    for one in (first, *others):
        for note in one.warnings:
            tell(f"warning: {one.name}: {note}", err=True)
    if per_query:
        for one in (first, *others):
            for name, values in one.per_query.items():
                for query, value in zip(one.queries, values, strict=True):
                    tell("\t".join((*([one.name] if others else []), name, query, f"{value:.4f}")))
    _tables([first, *others], comparisons)


def _as_json(run: Judged, per_query: bool) -> dict[str, object]:
    from dataclasses import asdict

    values = {name: dict(zip(run.queries, values, strict=True)) for name, values in run.per_query.items()}
    return {
        "run": run.name,
        "warnings": run.warnings,
        "metrics": {name: asdict(one) for name, one in run.metrics.items()},
        **({"per_query": values} if per_query else {}),
    }


def _tables(runs: Sequence[Judged], comparisons: Sequence[Compared]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from rr_bench.cli.options import console
    from rr_bench.report.escape import terminal
    from rr_bench.report.table import p_value

    def shown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for place, name in enumerate(columns):
            table.add_column(Text(terminal(name)), justify="right" if place else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(terminal(cell)) for cell in row))
        console().print(table)

    figures = [
        [one.name, *(f"{found.mean:.4f} [{found.low:.3f}, {found.high:.3f}]" for found in one.metrics.values())]
        for one in runs
    ]
    shown(["run", *runs[0].metrics], figures)
    tell(f"{len(runs[0].queries)} judged queries; means over all of them, and their 95 % Student t intervals")
    if comparisons:
        shown(
            [f"{runs[0].name} minus", "metric", "Δ [95 % interval]", "p", "Holm", "wins", "ties", "losses"],
            [
                [
                    *(one.other, one.metric),
                    f"{one.difference.mean:+.4f} [{one.difference.low:+.4f}, {one.difference.high:+.4f}]",
                    *(p_value(one.difference.p), p_value(one.difference.p_holm or 0.0)),
                    *map(str, (one.wins, one.ties, one.losses)),
                ]
                for one in comparisons
            ],
        )
