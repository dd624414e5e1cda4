"""`rr info`: what one name means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.completing import datasets, rerankers
from rr_bench.cli.options import CheckpointOption, DeviceOption, ProfileOption, RegistryOption, compute_on
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr.protocols import Settings
    from rr.registry.plugins import Plugins
    from rr_bench.evaluate.verify import Agreement
    from rr_bench.members import Part


def info(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.", autocompletion=rerankers)],
    load: Annotated[
        bool, typer.Option("--load", help="Load its pretrained weights too, and show their number.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also score a dev split with it and with what its settings approximate.")
    ] = False,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", "-d", autocompletion=datasets, help="Data set to verify on (else the first of the suite)."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, each setting with its type and default.")
    ] = False,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Show what a name stands for: component, distribution, settings with their defaults, checkpoint.

    With --verify: how far its scores are from those of the same weights in full precision, and whether the order
    changes. Without --checkpoint the weights are those trained on the data set, where the entry has a trainer.

    Example: rr info head --json
    """
    from rr.errors import RerankError
    from rr.protocols import Settings
    from rr.registry.plugins import installed_plugins
    from rr_bench.api import find_entry
    from rr_bench.entries import whole
    from rr_bench.evaluate.verify import reference_of
    from rr_bench.registry import load_registry
    from rr_bench.report.escape import json_text
    from rr_bench.resolve import resolve

    compute_on(device)
    if not verify and (dataset is not None or checkpoint is not None):
        raise RerankError("--dataset and --checkpoint go with --verify")
    found, plugins = load_registry(registry), installed_plugins()
    entry = find_entry(found, plugins, name, profile)
    part = whole(found, plugins, profile, name, entry)
    if as_json and verify:
        raise RerankError("--json tells what a name stands for, and --verify prints a comparison; ask for one of them")
    if part.members and (verify or load):
        raise RerankError(f"{name!r} is made of {', '.join(entry.members)}; --load and --verify go with one of these")
    shown = _composed(part) if part.members else _shown(plugins, part, load)
    if as_json:
        tell_json(json_text(_plain(shown), indent=2) + "\n")
        return
    for key, value in shown.items():
        for line in _setting_lines(key, value) if isinstance(value, Settings) else _lines({key: value}):
            tell(line)
    if part.members:
        return
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
        settings = resolve(plugins, name, entry).settings
        _print(agreement, source, settings, reference_of(settings))


def _shown(plugins: Plugins, part: Part, load: bool) -> dict[str, Any]:
    """What an entry of a component is, its settings as they are."""
    from rr_bench.conformance import capabilities, last_conformance
    from rr_bench.inventory import licence
    from rr_bench.loading import load_component
    from rr_bench.resolve import resolve
    from rr_bench.train.trainers import training_settings

    entry = part.entry
    resolved, registered = resolve(plugins, part.name, entry), plugins.get(*entry.component)
    component = registered.component
    shown: dict[str, Any] = {
        "name": part.name,
        "summary": entry.summary or component.summary,
        registered.kind: component.name,
        "target": component.target,
        "distribution": f"{registered.distribution} {registered.version}",
        "plugin": registered.plugin,
        "licence": licence(registered) or "not stated",
        "api": component.api,
        "requires": list(component.requires),
        "settings": resolved.settings,
    }
    if entry.trainer:
        shown |= {"trainer": entry.trainer, "training": training_settings(plugins, resolved)}
        shown["checkpoint"] = entry.checkpoint
    if entry.price is not None:
        shown["price"] = entry.price.model_dump(exclude_none=True)
    last = last_conformance(plugins, entry)
    shown["checked"] = str(last) if last else f"never; rr check {part.name}"
    if load:
        loaded = load_component(resolved, None).info
        shown["capabilities"] = capabilities(loaded)
        shown["parameters"] = {"total": loaded.parameters, "trainable": loaded.trainable}
    elif last and last.capabilities:
        shown["capabilities"] = dict(last.capabilities)
    return shown


def _plain(shown: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from rr.protocols import Settings
    from rr_bench.cli.flags import described

    return {
        key: [asdict(one) for one in described(value)] if isinstance(value, Settings) else value
        for key, value in shown.items()
    }


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


def _setting_lines(section: str, settings: Settings) -> list[str]:
    """As YAML, each setting with its type, its default where it has another value, and its meaning behind it."""
    from rr_bench.cli.flags import described

    lines = [f"{section}:" if type(settings).model_fields else f"{section}: {{}}"]
    for one in described(settings):
        first, *rest = _lines({one.name: one.value})
        default = "" if one.required or one.value == one.default else f", by default {_inline(one.default)}"
        meaning = one.meaning and f": {one.meaning}"
        lines += [f"  {first}  # {one.type}{default}{meaning}", *(f"  {line}" for line in rest)]
    return lines


def _inline(value: Any) -> str:
    """As YAML, on one line."""
    import yaml

    dumped: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=sys.maxsize)
    return dumped.removesuffix("\n").removesuffix("\n...")


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
