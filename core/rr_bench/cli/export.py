"""`rr export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr_bench.cli.completing import rerankers
from rr_bench.cli.options import DeviceOption, ProfileOption, RegistryOption, compute_on, given_path
from rr_bench.cli.printing import tell


def export(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.", autocompletion=rerankers)],
    checkpoint: Annotated[Path, typer.Argument(parser=given_path, help="Folder that 'rr train' wrote.")],
    out: Annotated[Path, typer.Argument(parser=given_path, help="New folder for the model.")],
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Write a trained reranker in the form that others serve it in, such as a sentence-transformers folder.

    Example: rr export cross-encoder trained/ exported/
    """
    from rr.errors import RerankError
    from rr.files import atomic_folder
    from rr.protocols import Exports
    from rr.registry.plugins import installed_plugins
    from rr_bench.api import find_entry
    from rr_bench.loading import load_component
    from rr_bench.outputs import new_path
    from rr_bench.registry import load_registry
    from rr_bench.resolve import resolve
    from rr_bench.train.checkpoints import open_checkpoint

    compute_on(device)
    new_path(out, "folder", (checkpoint,))
    plugins = installed_plugins()
    resolved = resolve(plugins, name, find_entry(load_registry(registry), plugins, name, profile))
    if not issubclass(resolved.target, Exports):
        raise RerankError(f"{name!r} cannot be exported: {resolved.target.__name__} has no method 'export(out)'")
    component = load_component(resolved, open_checkpoint(checkpoint).folder)
    with atomic_folder(out) as folder:
        component.export(folder)
    tell(str(out))
