"""`rr data`: the data sets of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.options import RegistryOption
from rr_bench.cli.plugged import Plugged
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr.types import Dataset

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
app = typer.Typer(cls=Plugged, help="Look at the data sets.", no_args_is_help=True, rich_markup_mode=None)

SAMPLE_CHARACTERS = 200
SAID = ("sizes", "documents", "ceilings", "relevant")
"""Keys of the report that stand in the lines above it."""


@app.command("list")
def list_datasets(as_json: JsonOption = False, registry: RegistryOption = None) -> None:
    """List the data sets of every suite."""
    from rich.table import Table
    from rich.text import Text

    from rr_bench.cli.options import console
    from rr_bench.registry import load_registry
    from rr_bench.report.escape import json_text, terminal
    from rr_bench.report.table import ordered

    suites = load_registry(registry).suites
    if as_json:
        told = [
            {"name": name, "suite": suite_name, **entry.model_dump(mode="json")}
            for suite_name, suite in suites.items()
            for name, entry in suite.datasets.items()
        ]
        tell_json(json_text(told, indent=2) + "\n")
        return
    table = Table("data set", "suite", "reader", "candidates")
    for suite_name, suite in suites.items():
        for name, entry in suite.datasets.items():
            plan = entry.candidates
            cells = (
                name,
                suite_name,
                entry.reader,
                f"{plan.depth} by {plan.retriever}{ordered(plan.order)}, {plan.protocol}",
            )
            table.add_row(*(Text(terminal(cell)) for cell in cells))
    console().print(table)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A data set that 'rr data list' shows.")],
    as_json: JsonOption = False,
    registry: RegistryOption = None,
) -> None:
    """Show sizes, splits, candidates, recall ceiling, report, notes and a sample of a data set."""
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.corpus import corpus_size
    from rr_bench.data.load import load_dataset
    from rr_bench.registry import load_registry
    from rr_bench.report.escape import json_text

    dataset = load_dataset(name, load_registry(registry).dataset(name), RichProgress())
    if as_json:
        tell_json(json_text(_plain(dataset), indent=2) + "\n")
        return
    tell(f"{dataset.name}: {corpus_size(dataset)} documents, fingerprint {dataset.fingerprint}")
    tell(f"candidates: {dataset.retriever}, {dataset.protocol}")
    for split, query_ids in dataset.splits.items():
        if not query_ids:
            tell(f"  {split}: no queries")
            continue
        sizes = _sizes(dataset, split)
        tell(
            f"  {split}: {len(query_ids)} queries, {sizes['relevant']:.2f} relevant and {sizes['candidates']:.1f} "
            f"candidates a query, recall ceiling {sizes['recall_ceiling']:.3f}"
        )
    tell("report:")
    for key, figures in dataset.report.items():
        if figures and key not in SAID:
            tell(f"  {key}: {_figures(figures)}")
    for note in dataset.notes:
        tell(f"note: {note}")
    query = dataset.queries[dataset.splits["test"][0]]
    tell(f"sample query {query.id}: {_short(query.text)}")
    for id_ in sorted(dataset.relevant(query.id)):
        document = dataset.documents[id_]
        tell(f"  grade {dataset.qrels[query.id][id_]}, document {id_}: {_short(document.content)}")


def _sizes(dataset: Dataset, split: str) -> dict[str, float]:
    """Means over the split's queries; it has some."""
    query_ids = dataset.splits[split]
    return {
        "queries": len(query_ids),
        "relevant": sum(len(dataset.relevant(q)) for q in query_ids) / len(query_ids),
        "candidates": sum(len(dataset.candidates[q]) for q in query_ids) / len(query_ids),
        "recall_ceiling": dataset.recall_ceiling(split),
    }


def _plain(dataset: Dataset) -> dict[str, Any]:
    from rr_bench.data.corpus import corpus_size

    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "documents": corpus_size(dataset),
        "retriever": dataset.retriever,
        "protocol": dataset.protocol,
        "splits": {
            split: _sizes(dataset, split) if query_ids else {"queries": 0}
            for split, query_ids in dataset.splits.items()
        },
        "report": dict(dataset.report),
        "notes": list(dataset.notes),
    }


def _figures(value: object) -> str:
    if isinstance(value, Mapping):
        parts = (
            (name, f"({_figures(part)})" if isinstance(part, Mapping) else _figures(part))
            for name, part in value.items()
        )
        return ", ".join(f"{name} {part}" for name, part in parts)
    if isinstance(value, list | tuple):
        return " ".join(map(_figures, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SAMPLE_CHARACTERS else line[:SAMPLE_CHARACTERS] + "…"
