"""`rr list` and `rr info`: what there is, and what one name means."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.options import CheckpointOption, DeviceOption, ProfileOption, RegistryOption, compute_on
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr.protocols import Settings
    from rr_bench.evaluate.verify import Agreement
    from rr_bench.members import Part


def list_rerankers(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the tracebacks of the plugins that failed.")
    ] = False,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """List every reranker by name, and every plugin that failed. Exit code 1 if one did."""
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
        for column in ("name", "component", "trainer", "distribution", "summary"):
            table.add_column(column, overflow="fold")
        for item in items:
            style = "red" if item.failure else None
            summary = f"FAILED: {item.failure}" if item.failure else item.summary
            cells = (item.name, item.component, item.trainer, item.distribution, summary)
            table.add_row(*(Text(terminal(cell)) for cell in cells), style=style)
        console().print(table)
        for item in items if verbose else ():
            if item.traceback:
                tell(f"\n{item.name}: {item.failure}\n{item.traceback.rstrip()}")
    if any(item.failure for item in items):
        raise typer.Exit(1)


def info(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.")],
    load: Annotated[
        bool, typer.Option("--load", help="Load its pretrained weights too, and show their number.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also score a dev split with it and with what its settings approximate.")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Data set to verify on (else the first of the suite).")
    ] = None,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Show what a name stands for: component, distribution, settings with their defaults, checkpoint.

    With --verify: how far its scores are from those of the same weights in full precision, and whether the order
    changes. Without --checkpoint the weights are those trained on the data set, where the entry has a trainer.
    """
    from rr.errors import RerankError
    from rr.protocols import Settings
    from rr.registry.plugins import installed_plugins
    from rr.registry.resolve import resolve
    from rr_bench.api import find_entry
    from rr_bench.entries import whole
    from rr_bench.evaluate.verify import reference_of
    from rr_bench.loading import load_component
    from rr_bench.registry import load_registry
    from rr_bench.train.trainers import training_settings

    compute_on(device)
    if not verify and (dataset is not None or checkpoint is not None):
        raise RerankError("--dataset and --checkpoint go with --verify")
    found, plugins = load_registry(registry), installed_plugins()
    entry = find_entry(found, plugins, name, profile)
    part = whole(found, plugins, profile, name, entry)
    if part.members:
        if verify or load:
            raise RerankError(
                f"{name!r} is made of {', '.join(entry.members)}; --load and --verify go with one of these"
            )
        for line in _lines(_composed(part)):
            tell(line)
        return
    resolved = resolve(plugins, name, entry)
    registered = plugins.get(*entry.component)
    shown: dict[str, Any] = {
        "name": name,
        "summary": entry.summary or registered.component.summary,
        registered.kind: registered.component.name,
        "target": registered.component.target,
        "distribution": f"{registered.distribution} {registered.version}",
        "settings": resolved.settings,
    }
    if entry.trainer:
        training = training_settings(plugins, resolved)
        shown |= {"trainer": entry.trainer, "training": training, "checkpoint": entry.checkpoint}
    if entry.price is not None:
        shown["price"] = entry.price.model_dump(exclude_none=True)
    if load:
        loaded = load_component(resolved, None).info
        shown["parameters"] = {"total": loaded.parameters, "trainable": loaded.trainable}
    for key, value in shown.items():
        for line in _setting_lines(key, value) if isinstance(value, Settings) else _lines({key: value}):
            tell(line)
    if verify:
        from rr_bench.api import load as load_named
        from rr_bench.cli.options import RichProgress
        from rr_bench.data.load import load_dataset
        from rr_bench.evaluate.verify import verify as compare

        source = dataset or next(iter(found.suite(found.profile(profile).suite).datasets))
        data, progress = load_dataset(source, found.dataset(source)), RichProgress()
        wanted = checkpoint or entry.checkpoint
        trained = wanted == "best" or (wanted == "train" and entry.trainer is not None)
        with progress.task(f"{source}: {name} and its reference", None):
            named = load_named(
                name,
                checkpoint=checkpoint,
                dataset=source if trained else None,
                profile=profile,
                registry=found,
                plugins=plugins,
            )
            agreement = compare(named, data.requests("dev"))
        _print(agreement, source, resolved.settings, reference_of(resolved.settings))


def _composed(part: Part) -> dict[str, Any]:
    """What an entry that is made of others is, and what they are."""
    from rr_bench.members import FUSION, told

    entry = part.entry
    shown: dict[str, Any] = {"name": part.name, "summary": entry.summary or told(part)}
    if entry.cascade is not None:
        shown["cascade"] = [stage.model_dump(exclude_none=True) for stage in entry.cascade]
    else:
        used = [key for key, methods in FUSION.items() if entry.method in methods]
        values = entry.model_dump(mode="json", include={"fuse", *used})
        shown |= {key: values[key] for key in ("fuse", *used)}
    if entry.price is not None:
        shown["price"] = entry.price.model_dump(exclude_none=True)
    return {**shown, "members": {one.name: told(one) for one in part.parts[:-1]}}


def _setting_lines(section: str, settings: Settings) -> Iterator[str]:
    """As YAML, each setting with its description behind it."""
    from rr_bench.cli.flags import described

    yield f"{section}:" if type(settings).model_fields else f"{section}: {{}}"
    for name, value, text in described(settings):
        first, *rest = _lines({name: value})
        yield f"  {first}  # {text}" if text else f"  {first}"
        yield from (f"  {line}" for line in rest)


def _lines(content: dict[str, Any]) -> list[str]:
    import yaml

    dumped: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=sys.maxsize)
    return dumped.rstrip().split("\n")


def _print(agreement: Agreement, source: str, settings: Settings, reference: Settings) -> None:
    exact = reference.model_dump(mode="json")
    other = {key for key, value in settings.model_dump(mode="json").items() if value != exact[key]}
    differing = ", ".join(f"{key} {value}" for key, value in exact.items() if key in other) or "itself"
    tell(f"verified on {source}, dev split: {agreement.queries} queries, {agreement.pairs} pairs")
    tell(f"reference: {differing}")
    tell(f"largest score difference: {agreement.largest:.3g} ({agreement.scale})")
    for where, correlation in (("all pairs", agreement.overall), ("mean within a query", agreement.within)):
        if correlation is not None:
            tell(f"rank correlation, {where}: Spearman {correlation.spearman:.4f}, Kendall {correlation.kendall:.4f}")
    tell(f"changed top-1: {agreement.changed_top} of {agreement.queries}")
    tell(f"time: {agreement.seconds:.2f} s, reference {agreement.reference_seconds:.2f} s")
