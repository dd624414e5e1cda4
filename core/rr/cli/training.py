"""`rr train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr.cli.options import ProfileOption, RegistryOption


def train(
    name: Annotated[str, typer.Argument(help="A reranker with a trainer.")],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="Data set to train on.")],
    out: Annotated[Path | None, typer.Option("--out", help="New folder for the checkpoint (else in $RR_HOME).")] = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Train a reranker on the train split of a data set, selecting on its dev split. Prints the checkpoint's folder."""
    import json

    from rr.cli.options import RichProgress
    from rr.data.load import load_dataset
    from rr.plugins import installed_plugins
    from rr.processes import rank
    from rr.registry import load_registry
    from rr.resolve import load_component, resolve
    from rr.training import RECORD
    from rr.training import train as train_checkpoint

    found, plugins, progress = load_registry(registry), installed_plugins(), RichProgress()
    resolved = resolve(plugins, name, found.reranker(name, profile))
    data = load_dataset(dataset, found.dataset(dataset), progress)
    checkpoint = train_checkpoint(plugins, resolved, data, out, progress)
    if rank() > 0:  # one of several processes; the first one reports
        return
    record = json.loads((checkpoint.folder / RECORD).read_text(encoding="utf-8"))
    typer.echo(str(checkpoint.folder))
    told = [f"{record['steps']} steps in {record['seconds']:.1f} s"]
    if record["steps"]:
        told.append(f"loss {record['first_loss']:.4f} → {record['last_loss']:.4f}")
    if record.get("best_dev") is not None:
        told.append(f"best dev nDCG@10 {record['best_dev']:.4f}")
    typer.echo(", ".join(told), err=True)
    loaded = load_component(resolved, checkpoint.folder).info  # which also shows that it can be
    if loaded.parameters:
        typer.echo(f"{loaded.trainable:,} of {loaded.parameters:,} parameters trained", err=True)
    for note in checkpoint.notes:
        typer.echo(f"warning: {note}", err=True)
