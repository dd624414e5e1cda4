"""`rr data`: the data sets of a registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rr.cli.options import RegistryOption, given_path
from rr.cli.printing import tell

if TYPE_CHECKING:
    from rr.data.weight_survey import Survey
    from rr.data.weights import WeightConfig

app = typer.Typer(help="Look at the data sets.", no_args_is_help=True, rich_markup_mode=None)

SAMPLE_CHARACTERS = 200
SHOWN_PLACES = 3


@app.command("list")
def list_datasets(registry: RegistryOption = None) -> None:
    """List the data sets of every suite."""
    from rich.table import Table
    from rich.text import Text

    from rr.cli.options import console
    from rr.registry import load_registry
    from rr.report.escape import terminal

    table = Table("data set", "suite", "source", "candidates")
    for suite_name, suite in load_registry(registry).suites.items():
        for name, entry in suite.datasets.items():
            source = f"reader {entry.reader}" if entry.reader else f"generator {entry.generator}"
            plan = entry.candidates
            cells = (name, suite_name, source, f"{plan.depth} by {plan.retriever}, {plan.protocol}")
            table.add_row(*(Text(terminal(cell)) for cell in cells))
    console().print(table)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A data set that 'rr data list' shows.")],
    registry: RegistryOption = None,
) -> None:
    """Show sizes, splits, candidates, recall ceiling, notes and a sample of a data set."""
    from rr.cli.options import RichProgress
    from rr.data.load import load_dataset
    from rr.registry import load_registry

    dataset = load_dataset(name, load_registry(registry).dataset(name), RichProgress())
    tell(f"{dataset.name}: {len(dataset.documents)} documents, fingerprint {dataset.fingerprint}")
    tell(f"candidates: {dataset.retriever}, {dataset.protocol}")
    for split, query_ids in dataset.splits.items():
        if not query_ids:
            tell(f"  {split}: no queries")
            continue
        depth = sum(len(dataset.candidates[q]) for q in query_ids) / len(query_ids)
        relevant = sum(len(dataset.relevant(q)) for q in query_ids) / len(query_ids)
        tell(
            f"  {split}: {len(query_ids)} queries, {relevant:.2f} relevant and {depth:.1f} candidates a query, "
            f"recall ceiling {dataset.recall_ceiling(split):.3f}"
        )
    for note in dataset.notes:
        tell(f"note: {note}")
    query = dataset.queries[dataset.splits["test"][0]]
    tell(f"sample query {query.id}: {_short(query.text)}")
    for id_ in sorted(dataset.relevant(query.id)):
        document = dataset.documents[id_]
        tell(f"  grade {dataset.qrels[query.id][id_]}, document {id_}: {_short(document.content)}")


@app.command("weights")
def weights(
    file: Annotated[
        Path,
        typer.Argument(parser=given_path, help="Rental listings: a JSON list, or JSONL, with weighted hard negatives."),
    ],
    weight_file: Annotated[
        Path | None,
        typer.Option(
            "--weight-file", "-w", parser=given_path, help="JSON of weights by type, to compare with and fill from."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=given_path, help="New file for a copy with weights of 0, null or missing filled."),
    ] = None,
) -> None:
    """Show how hard negatives are weighed: by type, what is not weighed, what differs from the weight file. Exit code
    1 if a weight is negative or no number."""
    from rr.data.weight_survey import survey, write_filled
    from rr.data.weights import read_weight_config
    from rr.errors import RerankError
    from rr.outputs import new_path

    if out and not weight_file:
        raise RerankError("--out fills weights from their types; say with --weight-file what a type weighs")
    if out:
        new_path(out, "--out", (file, weight_file))
    config = read_weight_config(weight_file) if weight_file else None
    found = survey(file, config)
    filled = write_filled(file, config, out) if out and config and not found.bad else None
    _print_weights(found, config)
    if filled is not None:
        tell(f"filled {filled} weights in {out}", err=True)
    elif out:
        tell(f"{out} is not written: mend the weights that are negative or no number first", err=True)
    if found.bad:
        raise typer.Exit(1)


def _print_weights(found: Survey, config: WeightConfig | None) -> None:
    from collections import Counter

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from rr.cli.options import console
    from rr.data.weights import combined_weight
    from rr.report.escape import terminal

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("types")
    for column in ("negatives", "lightest", "mean", "heaviest", "by weight file"):
        table.add_column(column, justify="right")
    for types, given in sorted(found.given.items(), key=lambda item: (-len(item[1]), item[0])):
        figures = [min(given), sum(given) / len(given), max(given)] if given else []
        cells = [f"{figure:.2f}" for figure in figures] or ["", "", ""]
        rule = f"{combined_weight(types, config):.2f}" if config else ""
        table.add_row(Text(terminal(" + ".join(types)) or "no type"), str(len(given)), *cells, rule)
    console().print(table)
    everything = Counter(weight for given in found.given.values() for weight in given)
    tell(f"{everything.total()} weights in {found.rows} rows")
    tell("by value: " + ", ".join(f"{weight:g} × {count}" for weight, count in sorted(everything.items())))
    for kind, places in found.unweighed.items():
        tell(_counted(f"weights that are {kind}", places))
    tell(_counted("weights that are negative or no number", found.bad))
    if config:
        tell(_counted("weights that differ from the weight file's", found.differing))
        unknown = [f"{type_} × {count}" for type_, count in found.unknown.most_common()]
        tell("types unknown to the weight file, weighed as 'other': " + (", ".join(unknown) or "none"))


def _counted(what: str, places: list[str]) -> str:
    more = ["…"] if len(places) > SHOWN_PLACES else []
    return f"{what}: {len(places)}" + (f" ({'; '.join([*places[:SHOWN_PLACES], *more])})" if places else "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SAMPLE_CHARACTERS else line[:SAMPLE_CHARACTERS] + "…"
