"""`rr data`: the data sets of a registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.completing import datasets
from rr_bench.cli.data_add import add
from rr_bench.cli.options import RegistryOption
from rr_bench.cli.plugged import Plugged
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr.types import Dataset
    from rr_bench.data.hints import Hint

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
app = typer.Typer(cls=Plugged, help="Look at the data sets.", no_args_is_help=True, rich_markup_mode=None)

SAID = ("sizes", "documents", "ceilings", "relevant")
"""Keys of the report that stand in the lines above it."""
app.command("add")(add)


@app.command("list")
def list_datasets(as_json: JsonOption = False, registry: RegistryOption = None) -> None:
    """List the data sets of every suite.

    Example: rr data list --json
    """
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
    name: Annotated[str, typer.Argument(help="A data set that 'rr data list' shows.", autocompletion=datasets)],
    as_json: JsonOption = False,
    hints: Annotated[
        bool, typer.Option(help="Where the recall ceiling is low, find out what would raise it.", show_default=False)
    ] = True,
    registry: RegistryOption = None,
) -> None:
    """Show sizes, splits, candidates, recall ceiling, report, damage, hints and a sample of a data set.

    Example: rr data show rentals
    """
    from rr_bench.cli.data_shown import show_damage, show_sample, show_sizes
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.hints import ceiling_hints
    from rr_bench.data.load import load_dataset
    from rr_bench.registry import load_registry
    from rr_bench.report.escape import json_text

    entry, progress = load_registry(registry).dataset(name), RichProgress()
    dataset = load_dataset(name, entry, progress)
    found = ceiling_hints(dataset, entry, progress) if hints else []
    if as_json:
        tell_json(json_text(_plain(dataset, found), indent=2) + "\n")
        return
    show_sizes(dataset)
    tell("report:")
    for key, figures in dataset.report.items():
        if figures and key not in SAID:
            tell(f"  {key}: {_figures(figures)}")
    show_damage(dataset)
    for hint in found:
        tell(f"hint: {hint}")
    show_sample(dataset, 1)


def _plain(dataset: Dataset, hints: Sequence[Hint]) -> dict[str, Any]:
    from rr_bench.cli.data_shown import sizes
    from rr_bench.data.corpus import corpus_size
    from rr_bench.data.damage import damage_figures

    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "documents": corpus_size(dataset),
        "retriever": dataset.retriever,
        "protocol": dataset.protocol,
        "splits": {
            split: sizes(dataset, split) if query_ids else {"queries": 0} for split, query_ids in dataset.splits.items()
        },
        "report": dict(dataset.report),
        "damage": damage_figures(dataset),
        "hints": [asdict(hint) for hint in hints],
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
