"""`rr measures`: what a metric's name may begin with."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.printing import tell_json

if TYPE_CHECKING:
    from rr.registry.plugins import Plugins, Registered


def measures(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every measure: its parameters, its formula, whose definition it is, and who brings it. Exit code 1 if one
    cannot be computed here.

    A metric is a measure with parameters and a cutoff: nDCG@10, AP(rel=2)@100, RBP(p=0.8). Each takes judged_only=True
    too, by which documents that nobody has judged are left out before it is computed.
    """
    from rr.registry.plugins import installed_plugins
    from rr_bench.cli.options import console
    from rr_bench.report.escape import json_text, terminal

    plugins = installed_plugins()
    found = [_row(plugins, one) for one in plugins.of_kind("measure")]
    found.sort(key=lambda row: (row["distribution"] != found[0]["distribution"], row["name"].lower(), row["name"]))
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
            cells = (row["name"], _shown(row["parameters"]), row["formula"], source, row["distribution"])
            table.add_row(*(Text(terminal(cell)) for cell in cells), style="red" if row["failure"] else None)
        console().print(table)
    if any(row["failure"] for row in found):
        raise typer.Exit(1)


def _row(plugins: Plugins, one: Registered) -> dict[str, Any]:
    """`parameters`: name → default; of one that must be given, null."""
    from pydantic_core import PydanticUndefined

    from rr.errors import RerankError
    from rr.registry.resolve import settings_model

    full = f"{one.distribution}/{one.component.name}"
    row: dict[str, Any] = {"name": one.component.name, "parameters": {}, "formula": one.component.summary}
    row |= {"source": "", "distribution": one.distribution, "failure": ""}
    try:
        for name, field in settings_model(plugins, "measure", full).model_fields.items():
            row["parameters"][name] = None if field.default is PydanticUndefined else field.default
        text = inspect.getdoc(plugins.load("measure", full)) or ""
    except RerankError as error:
        return {**row, "failure": str(error)}
    sources = [line.removeprefix("Source: ") for line in text.splitlines() if line.startswith("Source: ")]
    return {**row, "source": "".join(sources)}


def _shown(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" if value is not None else name for name, value in parameters.items())
