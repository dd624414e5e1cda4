"""`rr bias`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rr_bench.cli.completing import datasets, rerankers
from rr_bench.cli.options import (
    CheckpointOption,
    DeviceOption,
    ProfileOption,
    RegistryOption,
    compute_on,
    given_path,
    on_interrupt,
)
from rr_bench.cli.printing import tell

if TYPE_CHECKING:
    from rr_bench.evaluate.position import PositionBias
    from rr_bench.evaluate.significance import Interval


def bias(
    name: Annotated[
        str, typer.Argument(help="A listwise scorer's name that 'rr list' shows.", autocompletion=rerankers)
    ],
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", autocompletion=datasets, help="Data set whose test queries are asked.")
    ],
    shuffles: Annotated[int, typer.Option("--shuffles", min=2, help="Orders of each query's candidates.")] = 5,
    checkpoint: CheckpointOption = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", parser=given_path, help="New file for all figures as JSON.")
    ] = None,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Measure how much a listwise scorer's answers depend on where a candidate is shown, and what averaging mends.

    Without --checkpoint it is trained as 'rr bench' does. 'permutations' of its entry are left out: the bare scorer
    is measured.

    Example: rr bias letters -d films --shuffles 5
    """
    from dataclasses import asdict

    from rr.errors import RerankError
    from rr.files import write_atomic
    from rr.registry.plugins import installed_plugins
    from rr_bench.api import find_entry, with_checkpoint
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.load import load_dataset
    from rr_bench.data.view import shown
    from rr_bench.evaluate.position import position_bias
    from rr_bench.evaluate.results import Weights
    from rr_bench.loading import load_component
    from rr_bench.outputs import new_path
    from rr_bench.registry import load_registry
    from rr_bench.report.escape import json_text
    from rr_bench.resolve import resolve
    from rr_bench.train.training import entry_checkpoint

    compute_on(device)
    if json_file is not None:
        new_path(json_file, "--json", (registry,))
    found, plugins, progress = load_registry(registry), installed_plugins(), RichProgress()
    entry = find_entry(found, plugins, name, profile)
    if entry.scorer is None:
        raise RerankError(f"{name!r} is a reranker of its own; position bias is measured on a scorer")
    resolved = resolve(plugins, name, with_checkpoint(entry, checkpoint))
    data = load_dataset(dataset, found.dataset(dataset), progress)
    if not data.splits["test"]:
        raise RerankError(f"data set {dataset!r} has no test queries to measure on")
    choice = entry_checkpoint(plugins, resolved, data, progress)
    scorer = load_component(resolved, choice.folder)
    task = progress.task(f"{data.name}: {name} in {shuffles} orders", len(data.splits["test"]))
    with on_interrupt("nothing of it is kept"), task as advance:
        measured = position_bias(scorer, shown(data), shuffles, advance=advance)
    weights, notes = Weights.of(choice), (*scorer.info.notes, *choice.notes)
    if json_file is not None:
        content = {
            "reranker": name,
            "state": scorer.info.state,
            "dataset": data.name,
            "data": data.fingerprint,
            "weights": [asdict(one) for one in weights],
            "notes": notes,
        }
        write_atomic(json_file, json_text({**content, **asdict(measured)}, indent=2) + "\n")
        tell(f"wrote {json_file}", err=True)
    tell(f"{name} ({scorer.info.state}) on {data.name}, data {data.fingerprint[:12]}")
    for note in (*map(str, weights), *notes):
        tell(f"note: {note}")
    _print(measured)


def _print(measured: PositionBias) -> None:
    from rich import box
    from rich.table import Table

    from rr_bench.cli.options import console
    from rr_bench.report.table import p_value

    tell(
        f"{measured.queries} test queries in {measured.shuffles} orders each; {measured.without_truth} have no truth "
        f"among their candidates and are left out of accuracy, {measured.too_few} with fewer than two candidates are "
        "left out of all"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("place", "truths", "accuracy [95 % interval]", "chosen", "1/n"):
        table.add_column(column, justify="right")
    for place in measured.places:
        accuracy = _interval(place.accuracy) if place.accuracy else ""
        table.add_row(place.name, str(place.truths), accuracy, f"{place.chosen:.3f}", f"{place.expected:.3f}")
    console().print(table)
    gain = measured.gain
    tell(f"Kendall τ between orders: {measured.tau:z.2f}")
    tell(f"accuracy of one order: {_interval(measured.accuracy)}, {measured.ms_one:.2f} ms/query")
    tell(
        f"accuracy of {measured.shuffles} averaged: {_interval(measured.averaged)}, {measured.ms_averaged:.2f} "
        f"ms/query; Δ {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] p {p_value(gain.p)}"
    )
    for note in measured.notes:
        tell(f"note: {note}")


def _interval(one: Interval) -> str:
    return f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]"
