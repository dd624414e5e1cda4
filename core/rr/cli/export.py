"""`rr export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr.cli.options import ProfileOption, RegistryOption, given_path
from rr.cli.printing import tell


def export(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.")],
    checkpoint: Annotated[Path, typer.Argument(parser=given_path, help="Folder that 'rr train' wrote.")],
    out: Annotated[Path, typer.Argument(parser=given_path, help="New folder for the model.")],
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Write a trained reranker in the form that others serve it in, such as a sentence-transformers folder."""
    from rr.api import find_entry
    from rr.artefacts import atomic_folder
    from rr.checkpoints import open_checkpoint
    from rr.errors import RerankError
    from rr.outputs import new_path
    from rr.plugins import installed_plugins
    from rr.registry import load_registry
    from rr.resolve import load_component, resolve

    new_path(out, "folder", (checkpoint,))
    plugins = installed_plugins()
    resolved = resolve(plugins, name, find_entry(load_registry(registry), plugins, name, profile))
    if not hasattr(resolved.target, "export"):
        raise RerankError(f"{name!r} cannot be exported: {resolved.target.__name__} has no method 'export(out)'")
    component = load_component(resolved, open_checkpoint(checkpoint).folder)
    with atomic_folder(out) as folder:
        component.export(folder)
    tell(str(out))
