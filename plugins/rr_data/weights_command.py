"""`rr data weights`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rr_data.weight_survey import Survey
    from rr_data.weights import WeightConfig

SHOWN_PLACES = 3
WIDTH = 240


def weights(
    file: Annotated[Path, typer.Argument(help="Rental listings: a JSON list, or JSONL, with weighted hard negatives.")],
    weight_file: Annotated[
        Path | None,
        typer.Option("--weight-file", "-w", help="JSON of weights by type, to compare with and fill from."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="New file for a copy with weights of 0, null or missing filled."),
    ] = None,
) -> Iterator[str]:
    """Show how hard negatives are weighed: by type, what is not weighed, what differs from the weight file. Exit code
    1 if a weight is negative or no number.

    Example: rr data weights listings.json --weight-file weights.json
    """
    from rr import RerankError
    from rr_data.weight_survey import survey, write_filled
    from rr_data.weights import read_weight_config

    if out and not weight_file:
        raise RerankError("--out fills weights from their types; say with --weight-file what a type weighs")
    config = read_weight_config(weight_file) if weight_file else None
    found = survey(file, config)
    filled = write_filled(file, config, out) if out and config and not found.bad else None
    yield from _table(found, config)
    yield from _counts(found, config)
    if filled is not None:
        typer.echo(f"filled {filled} weights in {out}", err=True)
    elif out:
        typer.echo(f"{out} is not written: mend the weights that are negative or no number first", err=True)
    if found.bad:
        raise typer.Exit(1)


def _table(found: Survey, config: WeightConfig | None) -> Iterator[str]:
    from io import StringIO

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rr_data.weights import combined_weight

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("types")
    for column in ("negatives", "lightest", "mean", "heaviest", "by weight file"):
        table.add_column(column, justify="right")
    for types, given in sorted(found.given.items(), key=lambda item: (-len(item[1]), item[0])):
        figures = [min(given), sum(given) / len(given), max(given)] if given else []
        cells = [f"{figure:.2f}" for figure in figures] or ["", "", ""]
        rule = f"{combined_weight(types, config):.2f}" if config else ""
        table.add_row(Text(" + ".join(types) or "no type"), str(len(given)), *cells, rule)
    text = StringIO()
    Console(file=text, width=WIDTH).print(table)
    yield from text.getvalue().rstrip("\n").split("\n")


def _counts(found: Survey, config: WeightConfig | None) -> Iterator[str]:
    from collections import Counter

    everything = Counter(weight for given in found.given.values() for weight in given)
    yield f"{everything.total()} weights in {found.rows} rows"
    yield "by value: " + ", ".join(f"{weight:g} × {count}" for weight, count in sorted(everything.items()))
    for kind, places in found.unweighed.items():
        yield _counted(f"weights that are {kind}", places)
    yield _counted("weights that are negative or no number", found.bad)
    if config:
        yield _counted("weights that differ from the weight file's", found.differing)
        unknown = [f"{type_} × {count}" for type_, count in found.unknown.most_common()]
        yield "types unknown to the weight file, weighed as 'other': " + (", ".join(unknown) or "none")


def _counted(what: str, places: list[str]) -> str:
    more = ["…"] if len(places) > SHOWN_PLACES else []
    return f"{what}: {len(places)}" + (f" ({'; '.join([*places[:SHOWN_PLACES], *more])})" if places else "")
