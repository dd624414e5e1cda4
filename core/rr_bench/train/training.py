"""Training an entry on a data set, into a checkpoint folder that is whole or absent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rr.border import plugin_code
from rr.errors import PluginError, RerankError
from rr.files import file_sha256, fingerprint, home
from rr.files.kept import with_checksum
from rr.progress import SILENT, Progress
from rr.protocols import TrainingEvent
from rr.registry.plugins import Plugins
from rr.registry.resolve import Resolved
from rr.rerank.gate import whole
from rr.types import Dataset
from rr_bench.border.untouched import unchanged
from rr_bench.data.view import shown, without_test
from rr_bench.environment import conditions, installed_versions
from rr_bench.keeping import home_at
from rr_bench.keys import component_key, engines_of, reranker_key, settings_key
from rr_bench.outputs import as_file_name, new_path
from rr_bench.train.checkpoints import (
    LOSSES,
    RECORD,
    Checkpoint,
    Choice,
    chosen_checkpoint,
    dev_share,
    identity,
    kept_checkpoint,
    open_checkpoint,
    written_files,
)
from rr_bench.train.trainers import load_trainer, training_settings
from rr_bench.train.trial import tried
from rr_bench.train.workplace import KEPT, workplace

FALLEN = 0.95
"""Some tenth of the steps must have a mean loss below this share of the first tenth's, or it did not fall."""
UNNAMED = "the trainer does not name its dev metric: its best dev figure compares with none"


def checkpoint_folder(plugins: Plugins, resolved: Resolved, dataset: Dataset) -> Path:
    """Where the checkpoint of this entry on this data set is kept: a name for everything that determines it."""
    name = f"{as_file_name(resolved.name)}-{as_file_name(dataset.name)}-{_key(plugins, resolved, dataset)[:16]}"
    return home() / "checkpoints" / name


def entry_checkpoint(plugins: Plugins, resolved: Resolved, dataset: Dataset, progress: Progress = SILENT) -> Choice:
    """What the entry is scored with on this data set: where it has a trainer and says `checkpoint: train`, what `train`
    makes; else what `rr_bench.train.checkpoints.chosen_checkpoint` finds.

    Raises:
        RerankError: a folder that is named holds no whole checkpoint, or the training broke.
    """
    if resolved.entry.checkpoint == "train" and resolved.entry.trainer is not None:
        return Choice(train(plugins, resolved, dataset, progress=progress))
    return chosen_checkpoint(plugins, resolved, dataset)


def train(
    plugins: Plugins,
    resolved: Resolved,
    dataset: Dataset,
    out: Path | None = None,
    progress: Progress = SILENT,
) -> Checkpoint:
    """The checkpoint of this entry on this data set; trained now unless it is already there.

    The work is done in a hidden folder beside it, which an interrupted training leaves behind and the next one of the
    same key goes on from. Two processes with the same key take turns, and the second finds the work done.

    Raises:
        RerankError: `out` exists or cannot be written, the entry has no trainer, the training broke, or it has changed
            nothing.
    """
    if out is not None:
        new_path(out, "--out")
    folder, key = out or checkpoint_folder(plugins, resolved, dataset), _key(plugins, resolved, dataset)
    found = kept_checkpoint(folder, key)
    if found is not None:
        return found
    target = load_trainer(plugins, resolved)
    settings = training_settings(plugins, resolved)
    if not dataset.splits["train"] or not dataset.splits["dev"]:
        raise RerankError(f"data set {dataset.name!r} has no train or no dev queries to train {resolved.name!r} on")
    with workplace(folder, key) as work:
        if work is None:  # someone else has finished it, or an interrupted sitting had
            return open_checkpoint(folder) if out else train(plugins, resolved, dataset, progress=progress)
        log = _Log()
        given = without_test(shown(dataset))
        with (
            progress.task(f"{dataset.name}: training {resolved.name}", None) as advance,
            work.clock() as elapsed,
            conditions() as timed_on,
            home_at(work.folder / KEPT),
        ):
            with (
                unchanged((given, *given.documents.values(), *given.queries.values())),
                plugin_code(f"training of {resolved.name!r} broke"),
            ):
                target(settings, resolved.settings).train(given, work.folder, log.listener(advance))
            if not work.folder.is_dir():
                raise PluginError(f"training of {resolved.name!r} broke: the trainer removed the folder it writes into")
            seconds, circumstances = round(elapsed(), 3), timed_on()
        if not work.writes:
            return Checkpoint(folder, {"seconds": seconds, "notes": []})
        files = written_files(work.folder)
        info = tried(resolved, given, work.folder, files)
        record = {
            "reranker": resolved.name,
            "key": key,
            **identity(plugins, resolved),
            "training": settings.model_dump(mode="json"),
            "data": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "versions": installed_versions(),
            "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": seconds,
            "timed_on": circumstances,
            "dev_share": dev_share(settings),
            **log.summary(),
            "trained_parameters": info.trainable if log.trained is None else log.trained,
            "files": files,
        }
        work.write(LOSSES, "".join(json.dumps(asdict(event)) + "\n" for event in log.events))
        record["losses"] = {LOSSES: file_sha256(work.folder / LOSSES)}
        work.write(RECORD, json.dumps(with_checksum(record), ensure_ascii=False, indent=2) + "\n")
        work.publish()
    return open_checkpoint(folder)


@dataclass
class _Log:
    """Keeps every event, and stops a training whose loss is no number, or whose dev figures are of several metrics."""

    events: list[TrainingEvent] = field(default_factory=list)
    devs: list[float] = field(default_factory=list)
    dev_metric: str | None = None

    def listener(self, advance: Callable[[int], None]) -> Callable[[TrainingEvent], None]:
        def listen(event: TrainingEvent) -> None:
            if event.loss is not None and not math.isfinite(event.loss):
                raise RerankError(f"the loss is {event.loss} at step {event.step}; lower the learning rate")
            if event.trained is not None and not whole(event.trained):
                raise RerankError(f"TrainingEvent.trained is {event.trained!r}; it counts weights, from 0 on")
            if event.dev is not None:
                self._add(event.dev, event.metric)
            if event.loss is not None:
                advance(1)
            self.events.append(event)

        return listen

    @property
    def trained(self) -> int | None:
        """How many weights have received a gradient, where the trainer told."""
        return max((event.trained for event in self.events if event.trained is not None), default=None)

    def _add(self, dev: float, metric: str | None) -> None:
        if self.devs and metric != self.dev_metric:
            raise RerankError(
                f"the trainer's dev figures are of two metrics, {self.dev_metric!r} and {metric!r}, and the best of "
                "both would be of neither; report the one that it selects by"
            )
        self.devs.append(dev)
        self.dev_metric = metric

    def summary(self) -> dict[str, Any]:
        """`dev_metric`: what the trainer calls its dev figures; null where there are none, or where it does not say."""
        losses = [event.loss for event in self.events if event.loss is not None]
        dev = {"dev_metric": self.dev_metric, "best_dev": max(self.devs, default=None)}
        notes = [UNNAMED] if self.devs and self.dev_metric is None else []
        if not losses:
            return {"steps": 0, **dev, "notes": ["trained without a single step", *notes]}
        span = max(len(losses) // 10, 1)
        means = [sum(losses[start : start + span]) / span for start in range(0, len(losses) - span + 1, span)]
        # against the lowest, not the last: a curriculum turns harder on purpose
        fell = min(means) < FALLEN * means[0]
        return {
            "steps": len(losses),
            "first_loss": means[0],
            "lowest_loss": min(means),
            "last_loss": means[-1],
            **dev,
            "notes": [*([] if fell else [f"loss did not fall ({means[0]:.3f} → {min(means):.3f})"]), *notes],
        }


def _key(plugins: Plugins, resolved: Resolved, dataset: Dataset) -> str:
    """A hash of everything that determines a checkpoint."""
    trainer, settings = load_trainer(plugins, resolved), training_settings(plugins, resolved)
    registered = plugins.get("trainer", str(resolved.entry.trainer))
    return fingerprint(
        {
            "scorer": reranker_key(resolved),
            "trainer": component_key(trainer, registered, engines_of(settings)),
            "training": settings_key(settings),
            "data": dataset.fingerprint,
        }
    )
