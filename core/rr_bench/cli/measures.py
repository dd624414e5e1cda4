"""`rr measures`: what a metric's name may begin with."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.printing import tell_json

if TYPE_CHECKING:
    from rr.registry.plugins import Plugins, Registered

EMPTY: dict[str, Any] = {"name": "", "required": [], "parameters": {}, "formula": "", "source": ""}
EMPTY |= {"distribution": "", "failure": ""}


def measures(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every measure: its parameters, its formula, whose definition it is, and who brings it. Exit code 1 if one
    cannot be computed here.

    A metric is a measure with parameters and a cutoff: nDCG@10, AP(rel=2)@100, RBP(p=0.8). Each takes judged_only=True
    too, by which documents that nobody has judged are left out before it is computed.

    Example: rr measures --json
    """
    from rr.registry.plugins import OURS, installed_plugins
    from rr_bench.cli.options import console
    from rr_bench.report.escape import json_text, terminal

    plugins = installed_plugins()
    found = [_row(plugins, registered) for registered in plugins.of_kind("measure")]
    found += [
        {**EMPTY, "name": f.plugin, "distribution": f.distribution, "failure": f.reason} for f in plugins.failures
    ]
    found.sort(key=lambda row: (row["distribution"] != OURS, row["name"].lower(), row["name"]))
    if as_json:
        tell_json(json_text(found, indent=2) + "\n")
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for column in ("measure", "parameters", "formula", "source", "distribution"):
            table.add_column(column, overflow="fold")
        for row in found:
            source = f"FAILED: {row['failure']}" if row["failure"] else row["source"]
            cells = (row["name"], _shown(row), row["formula"], source, row["distribution"])
            table.add_row(*(Text(terminal(cell)) for cell in cells), style="red" if row["failure"] else None)
        console().print(table)
    if any(row["failure"] for row in found):
        raise typer.Exit(1)


def _row(plugins: Plugins, one: Registered) -> dict[str, Any]:
    """`parameters`: name → default; `required`: those that have none."""
    from rr.errors import RerankError
    from rr.registry.resolve import settings_model

    full = f"{one.distribution}/{one.component.name}"
    row = {**EMPTY, "name": one.component.name, "formula": one.component.summary, "distribution": one.distribution}
    try:
        fields = settings_model(plugins, "measure", full).model_fields
        row["required"] = [name for name, field in fields.items() if field.is_required()]
        row["parameters"] = {name: field.default for name, field in fields.items() if not field.is_required()}
        text = inspect.getdoc(plugins.load("measure", full)) or ""
    except RerankError as error:
        return {**row, "failure": str(error)}
    sources = [line.removeprefix("Source: ") for line in text.splitlines() if line.startswith("Source: ")]
    return {**row, "source": "".join(sources)}


def _shown(row: dict[str, Any]) -> str:
    return ", ".join([*row["required"], *(f"{name}={default!r}" for name, default in row["parameters"].items())])
