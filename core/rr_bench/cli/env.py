"""`rr env`: what an issue needs to be told."""

from __future__ import annotations

from typing import Annotated

import typer

from rr_bench.cli.options import RegistryOption
from rr_bench.cli.printing import tell, tell_json


def env(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    registry: RegistryOption = None,
) -> None:
    """Show versions, device, folders and plugins, to be pasted into an issue: no keys, no names of users.

    Example: rr env --json
    """
    from rr_bench.about import about_here
    from rr_bench.report.escape import json_text

    found = about_here(registry)
    if as_json:
        tell_json(json_text(found, indent=1) + "\n")
        return
    for name, value in found.items():
        if isinstance(value, dict):
            tell(f"{name}:")
            for key, one in value.items():
                tell(f"  {key}: {one}")
        else:
            tell(f"{name}: {value}")
