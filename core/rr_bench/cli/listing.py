"""`rr list`: what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from rr_bench.cli.options import ProfileOption, RegistryOption
from rr_bench.cli.printing import tell, tell_json


def list_rerankers(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the tracebacks of the plugins that failed.")
    ] = False,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """List every reranker by name, and every plugin that failed. Exit code 1 if one did.

    Example: rr list --verbose
    """
    from rr.registry.plugins import installed_plugins
    from rr_bench.cli.app import app
    from rr_bench.cli.options import console
    from rr_bench.cli.plugged import unreachable
    from rr_bench.inventory import Item, inventory
    from rr_bench.registry import load_registry
    from rr_bench.report.escape import json_text, terminal

    plugins = installed_plugins()
    items = inventory(load_registry(registry), plugins, profile)
    items += [Item(name, failure=why) for name, why in unreachable(app)]
    if as_json:
        tell_json(json_text([item.as_dict(verbose) for item in items], indent=2) + "\n")
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for column in ("name", "component", "trainer", "distribution", "checked", "summary"):
            table.add_column(column, overflow="fold")
        for item in items:
            style = "red" if item.failure else None
            summary = f"FAILED: {item.failure}" if item.failure else item.summary
            origin = f"{item.distribution} {item.version}".strip()
            cells = (item.name, item.component, item.trainer, origin, item.checked, summary)
            table.add_row(*(Text(terminal(cell)) for cell in cells), style=style)
        console().print(table)
        for item in items if verbose else ():
            if item.traceback:
                tell(f"\n{item.name}: {item.failure}\n{item.traceback.rstrip()}")
    if any(item.failure for item in items):
        raise typer.Exit(1)
