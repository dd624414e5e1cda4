"""`rr calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rr_bench.cli.completing import datasets, rerankers
from rr_bench.cli.options import (
    CheckpointOption,
    DeviceOption,
    ProfileOption,
    RegistryOption,
    as_given,
    compute_on,
    on_interrupt,
)
from rr_bench.cli.printing import tell

if TYPE_CHECKING:
    from rr_bench.calibrate.kept import Calibration


def calibrate(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.", autocompletion=rerankers)],
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", autocompletion=datasets, help="Data set whose dev split it is fitted on.")
    ],
    method: Annotated[
        Literal["isotonic", "platt"],
        typer.Option("--method", help="platt: two parameters, for little dev data; isotonic: any shape, for much."),
    ] = "platt",
    precision: Annotated[
        float, typer.Option("--precision", metavar="P", help="Share of kept documents that must be relevant.")
    ] = 0.9,
    checkpoint: CheckpointOption = None,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Fit probabilities of relevance to a reranker's scores on a dev split, and a threshold for 'rr rerank'.

    Without --checkpoint it is trained as 'rr bench' does. The calibration is kept beside the checkpoint, or in $RR_HOME
    for a reranker without one, and used by 'rr rerank' and 'rr bench'. No test query is asked.

    Example: rr calibrate head -d rentals
    """
    import shlex

    from rr.errors import RerankError
    from rr.registry.plugins import installed_plugins
    from rr_bench.api import find_entry, with_checkpoint
    from rr_bench.calibrate.fitting import calibrated
    from rr_bench.calibrate.kept import keep, place
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.load import load_dataset
    from rr_bench.data.view import shown
    from rr_bench.loading import load_reranker
    from rr_bench.registry import load_registry
    from rr_bench.resolve import resolve
    from rr_bench.train.training import entry_checkpoint

    compute_on(device)
    if not 0 < precision < 1:
        raise RerankError(f"--precision lies between 0 and 1, not {precision:g}")
    found, plugins, progress = load_registry(registry), installed_plugins(), RichProgress()
    resolved = resolve(plugins, name, with_checkpoint(find_entry(found, plugins, name, profile), checkpoint))
    data = load_dataset(dataset, found.dataset(dataset), progress)
    choice = entry_checkpoint(plugins, resolved, data, progress)
    reranker = load_reranker(resolved, choice.folder)
    task = progress.task(f"{data.name}: {name} on dev", len(data.splits["dev"]))
    with on_interrupt("nothing of it is kept"), task as advance:
        made = calibrated(
            reranker.rerank, resolved, choice.checkpoint, reranker.info.scale, shown(data), method, precision, advance
        )
    path = place(resolved, choice.checkpoint)
    keep(made, path)
    tell(f"wrote {path}", err=True)
    tell(f"{name} ({reranker.info.state}) on dev of {data.name}, data {data.fingerprint[:12]}: {_pairs(made)}")
    _print(made)
    for note in (*choice.notes, *made.notes):
        tell(f"note: {note}")
    if made.threshold is not None:
        used = ("-d", dataset) if choice.checkpoint and checkpoint is None else ()
        named = (*used, *(("--checkpoint", checkpoint) if checkpoint else ()), *as_given(profile, registry))
        command = shlex.join(["rr", "rerank", name, "--min-probability", f"{made.threshold:g}", *named])
        tell(f"next: {command} -q QUERY DOCUMENT …")


def _pairs(made: Calibration) -> str:
    return f"{made.queries} queries, {made.pairs} candidates, {made.positives} relevant"


def _print(made: Calibration) -> None:
    from rich import box
    from rich.table import Table

    from rr_bench.calibrate.figures import BINS
    from rr_bench.cli.options import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "AUROC", "Brier", f"ECE ({BINS} bins of equal width)", "ECE (of equal mass)"):
        table.add_column(column, justify="right" if column else "left")
    for what, figures in (("before", made.before), (f"{made.method}, cross-fitted", made.after)):
        cells = (figures.get(key) for key in ("auroc", "brier", "ece", "ece_mass"))
        table.add_row(what, *("" if one is None else f"{one:.4f}" for one in cells))
    console().print(table)
    found = made.found
    told = (
        f"{found['kept']:.0f} of {made.pairs} candidates, {found['precision']:.3f} of them relevant (95 % interval "
        f"from {found['low']:.3f}), {found['recall']:.3f} of all that are"
    )
    if made.threshold is not None:
        tell(f"threshold for precision {made.precision:g}: {made.threshold:g} keeps {told}")
    else:
        tell(
            f"no threshold: none has a precision of {made.precision:g} for sure; the nearest, {found['threshold']:g}, "
            f"keeps {told}; ask for less with --precision, or give dev more queries"
        )
