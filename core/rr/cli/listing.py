"""`rr list` and `rr info`: what there is, and what one name means."""

from __future__ import annotations

from typing import Annotated

import typer

from rr.cli.options import ProfileOption, RegistryOption


def list_rerankers(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """List every reranker by name, and every plugin that failed. Exit code 1 if one did."""
    import json

    from rr.cli.options import console
    from rr.inventory import inventory
    from rr.plugins import installed_plugins
    from rr.registry import load_registry

    plugins = installed_plugins()
    items = inventory(load_registry(registry), plugins, profile)
    if as_json:
        typer.echo(json.dumps([item.as_dict() for item in items], ensure_ascii=False, indent=2))
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for column in ("name", "component", "trainer", "distribution", "summary"):
            table.add_column(column, overflow="fold")
        for item in items:
            style = "red" if item.failure else None
            summary = f"FAILED: {item.failure}" if item.failure else item.summary
            cells = (item.name, item.component, item.trainer, item.distribution, summary)
            table.add_row(*map(Text, cells), style=style)
        console().print(table)
    if any(item.failure for item in items):
        raise typer.Exit(1)


def info(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.")],
    load: Annotated[
        bool, typer.Option("--load", help="Load its pretrained weights too, and show their number.")
    ] = False,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Show what a name stands for: component, distribution, settings with their defaults, checkpoint."""
    import yaml

    from rr.api import find_entry
    from rr.plugins import installed_plugins
    from rr.registry import load_registry
    from rr.resolve import checked_settings, load_component, resolve

    plugins = installed_plugins()
    entry = find_entry(load_registry(registry), plugins, name, profile)
    resolved = resolve(plugins, name, entry)
    registered = plugins.get("scorer" if entry.scorer else "reranker", str(entry.scorer or entry.reranker))
    shown = {
        "name": name,
        "summary": entry.summary or registered.component.summary,
        registered.kind: registered.component.name,
        "target": registered.component.target,
        "distribution": f"{registered.distribution} {registered.version}",
        "settings": resolved.settings.model_dump(mode="json"),
    }
    if entry.trainer:
        trainer = plugins.load("trainer", entry.trainer)
        training = checked_settings(trainer, entry.training, f"reranker {name!r}: training")
        shown |= {
            "trainer": entry.trainer,
            "training": training.model_dump(mode="json"),
            "checkpoint": entry.checkpoint,
        }
    if load:
        loaded = load_component(resolved, None).info
        shown["parameters"] = {"total": loaded.parameters, "trainable": loaded.trainable}
    typer.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True).rstrip())
