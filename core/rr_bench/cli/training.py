"""`rr train`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand

from rr_bench.cli.completing import datasets, rerankers
from rr_bench.cli.options import (
    DeviceOption,
    ProfileOption,
    RegistryOption,
    compute_on,
    given_path,
    on_interrupt,
)
from rr_bench.cli.printing import tell

if TYPE_CHECKING:
    from rr.diagnosis import Verdict

FINETUNED = "reranker-finetuned"
SETTINGS_ARE_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Of the command: `rr_bench.cli.flags` reads what it does not know itself."""


class Train(TyperCommand):
    """`rr train NAME --help` says what the settings of NAME are, which are flags too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[NAMED] = [word for word in args if word not in ctx.help_option_names]
        found: list[str] = super().parse_args(ctx, args)
        return found

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from rr.registry.plugins import installed_plugins
        from rr_bench.api import find_entry
        from rr_bench.cli.files import offers
        from rr_bench.cli.flags import described, entry_settings
        from rr_bench.registry import load_registry

        super().format_options(ctx, formatter)
        words = ctx.meta.get(NAMED, [])
        if not words or words[0].startswith("-"):
            return
        said = dict(pairwise(part for word in words for part in (word.split("=", 1) if word[:2] == "--" else [word])))
        registry = Path(said["--registry"]) if "--registry" in said else None
        plugins = installed_plugins()
        entry = find_entry(load_registry(registry), plugins, words[0], said.get("--profile"))
        for section, settings in entry_settings(plugins, words[0], entry).items():
            with formatter.section(f"{section.capitalize()} of {words[0]}"):
                told = described(settings)
                rows = [(f"--{one.name.replace('_', '-')} {_yaml(one.value)}", one.meaning) for one in told]
                formatter.write_dl(rows)
        for offer in offers(plugins):
            with formatter.section(f"Files in place of --dataset, for reader {offer.reader}"):
                formatter.write_dl([(f"--{flag}", text) for flag, text in offer.texts.items()])


NAMED = "rr.named"


def _yaml(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def train(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A reranker with a trainer.", autocompletion=rerankers)],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            "-d",
            autocompletion=datasets,
            help="Data set to train on (else its files: rr train NAME --help).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "--output_dir",
            "--output-dir",
            parser=given_path,
            help="New folder for the checkpoint (else in $RR_HOME).",
        ),
    ] = None,
    timestamp: Annotated[
        bool, typer.Option("--timestamp", help=f"Put the time behind the name of --out (else {FINETUNED}).")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", parser=given_path, help="JSON config of another training script, if the trainer reads it."
        ),
    ] = None,
    device: DeviceOption = None,
    stop_if: Annotated[
        str | None,
        typer.Option(
            "--stop-if", help="End it early where rr doctor sees a fault: --stop-if fault.", show_default=False
        ),
    ] = None,
    observe: Annotated[
        list[str] | None,
        typer.Option("--observe", help="Also tell tensorboard, trackio or wandb (repeatable).", show_default=False),
    ] = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Train a reranker on the train split of a data set, selecting on its dev split. Prints the checkpoint's folder.

    Every setting of the reranker is a flag too: --batch-size 4 --lr 1e-5 --fp16 --no-gradient-checkpointing --patience
    null --lora-targets '[q_proj, v_proj]'. 'rr info NAME' lists their names and values. A name that stands under both
    'training' and 'settings' means the former; --settings.batch-size 4 means the latter. --base_model NAME is the
    model to start from: a folder, one that 'rr train' wrote too, or a hub name.

    Example: rr train head -d rentals --lr 1e-4 --epochs 5
    """
    import json
    from dataclasses import replace

    from rr.diagnosis import Evidence
    from rr.errors import RerankError
    from rr.protocols import DEV_METRICS
    from rr.training.processes import rank
    from rr_bench.cli.asked import asked
    from rr_bench.cli.flags import argument, pairs
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.load import load_dataset
    from rr_bench.doctor.diagnosis import diagnose
    from rr_bench.doctor.evidence import of_checkpoint
    from rr_bench.doctor.hopeless import StoppedError, stops_if
    from rr_bench.evaluate.on_dev import on_dev
    from rr_bench.loading import load_component
    from rr_bench.outputs import new_path
    from rr_bench.resolve import resolve
    from rr_bench.train.checkpoints import RECORD
    from rr_bench.train.failures import failed_folder
    from rr_bench.train.limits import limits
    from rr_bench.train.observers import observers
    from rr_bench.train.training import checkpoint_folder
    from rr_bench.train.training import train as train_checkpoint

    compute_on(device)
    if stop_if not in (None, "fault", "warning"):
        raise RerankError(f"--stop-if {stop_if}: it is fault, or warning")
    if timestamp:
        out = stamped(out or Path(FINETUNED))
    if out is not None:
        new_path(out, "--out", (config, registry))
    this, progress = asked(context, name, dataset, config, profile, registry), RichProgress()
    plugins, called = this.plugins, this.called
    entry = this.entry(this.arguments, say=True)
    resolved = resolve(plugins, name, entry)
    data = load_dataset(called, this.read, progress)
    resumes = f"with --out {out} in place of --out and --timestamp " if timestamp else ""
    flags = [argument(flag, text) for flag, text in pairs(this.words)]
    again = (*flags, *this.files, *this.given)
    known = Evidence(name, dataset or "", training=entry.training, options=again)
    with (
        on_interrupt(f"the same command {resumes}goes on from what its trainer has kept"),
        observers(observe or (), f"{name}-{called}".replace("/", "-")) as looking_on,
    ):
        if stop_if is not None:
            looking_on.append(stops_if(cast("Verdict", stop_if), known))
        try:
            checkpoint = train_checkpoint(plugins, resolved, data, out, progress, looking_on)
        except RerankError as error:
            place = out or checkpoint_folder(plugins, resolved, data)
            if isinstance(error, StoppedError) or rank() > 0 or not failed_folder(place).is_dir():
                raise
            raise RerankError(f"{error}; what was recorded tells more: rr doctor {place}") from error
    if rank() > 0:  # one of several processes; the first one reports
        return
    record = json.loads((checkpoint.folder / RECORD).read_text(encoding="utf-8"))
    tell(str(checkpoint.folder))
    told = [f"{record['steps']} steps in {record['seconds']:.1f} s"]
    if record["steps"]:
        told.append(f"loss {record['first_loss']:.4f} → {record['last_loss']:.4f}")
    if record.get("best_dev") is not None:
        metric = record["dev_metric"] or "(of a metric that the trainer does not name)"
        told.append(f"best dev {metric} {record['best_dev']:.4f}")
    tell(", ".join(told), err=True)
    if slow := limits(record):
        tell(slow, err=True)
    loaded = load_component(resolved, checkpoint.folder).info
    if loaded.parameters:
        tell(f"{checkpoint.trained(loaded):,} of {loaded.parameters:,} parameters trained", err=True)
    tell_dev_metrics(checkpoint.folder / DEV_METRICS)
    for note in checkpoint.notes:
        tell(f"warning: {note}", err=True)
    recorded = replace(of_checkpoint(checkpoint, known.options), dataset=known.dataset)
    diagnosis = diagnose(recorded, plugins)
    tell(f"doctor: {diagnosis.line}", err=True)
    if diagnosis.leading is not None:
        tell(f"next: {diagnosis.leading[1].command or Evidence().command('doctor', str(checkpoint.folder))}", err=True)
    try:
        tell(str(on_dev(resolved, checkpoint, data, progress)), err=True)
    except RerankError as error:  # the checkpoint is there all the same
        tell(f"warning: how it stands on dev cannot be told: {error}", err=True)


def stamped(out: Path) -> Path:
    """The folder with the time behind its name: `reranker-finetuned-20261126-131500`.

    Raises:
        RerankError: it has no name, or several processes train together and would not have the same one.
    """
    from datetime import datetime

    from rr.errors import RerankError
    from rr.training.processes import processes

    if out.name in ("", ".."):
        raise RerankError(f"--out {out} has no name to put the time behind; write one")
    if processes() > 1:
        raise RerankError(
            "--timestamp is for one process; several that train together need one name: give it with --out"
        )
    return out.with_name(f"{out.name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}")


def tell_dev_metrics(file: Path) -> None:
    """The figures, the targets, met or missed, and the notes of a trainer that left such a file."""
    import json

    if not file.is_file():
        return
    left = json.loads(file.read_text(encoding="utf-8"))
    figures = [f"{name} {value:.3f}" for name, value in left["metrics"].items()]
    if figures:
        tell(f"on dev: {', '.join(figures)}", err=True)
    targets = [
        f"{name} {left['metrics'][name]:.3f} > {target['goal']:.2f} {'met' if target['met'] else 'missed'}"
        for name, target in left.get("targets", {}).items()
    ]
    if targets:
        tell(f"targets on dev: {', '.join(targets)}", err=True)
    for note in left.get("notes", ()):
        tell(note, err=True)
