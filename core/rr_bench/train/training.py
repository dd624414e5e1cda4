"""Training an entry on a data set, into a checkpoint folder that is whole or absent."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rr.border import plugin_code
from rr.data import with_dev_share
from rr.errors import NotApplicableError, PluginError, RerankError
from rr.files import file_sha256, fingerprint, home
from rr.files.kept import with_checksum
from rr.protocols import OnEvent, Settings
from rr.registry.plugins import Plugins
from rr.training.processes import rank
from rr.types import Dataset
from rr_bench.border.untouched import unchanged
from rr_bench.cache.using import using_home
from rr_bench.data.view import shown, without_test
from rr_bench.environment import conditions, installed_versions
from rr_bench.keys import component_key, engines_of, reranker_key, settings_key
from rr_bench.outputs import as_file_name, new_path
from rr_bench.progress import SILENT, Progress
from rr_bench.resolve import Resolved
from rr_bench.train.checkpoints import (
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
from rr_bench.train.events import EVENTS, EventLog
from rr_bench.train.failures import kept_if_failed
from rr_bench.train.reload import reloaded
from rr_bench.train.together import as_first
from rr_bench.train.trainers import load_trainer, training_settings
from rr_bench.train.trial import tried
from rr_bench.train.workplace import Workplace, workplace

NOTHING = {"seconds": 0.0, "notes": []}
"""The record, in all but the first of several processes that train together: they may not see its files."""

LOG = logging.getLogger("rr")


def checkpoint_folder(plugins: Plugins, resolved: Resolved, dataset: Dataset) -> Path:
    """Where the checkpoint of this entry on this data set is kept: a name for everything that determines it."""
    name = f"{as_file_name(resolved.name)}-{as_file_name(dataset.name)}-{_key(plugins, resolved, dataset)[:16]}"
    return home() / "checkpoints" / name


def trained_before(plugins: Plugins, resolved: Resolved, dataset: Dataset) -> Checkpoint | None:
    """What `train` has made, where that is there and whole."""
    return kept_checkpoint(checkpoint_folder(plugins, resolved, dataset), _key(plugins, resolved, dataset))


def entry_checkpoint(plugins: Plugins, resolved: Resolved, dataset: Dataset, progress: Progress = SILENT) -> Choice:
    """What the entry is scored with on this data set: where it has a trainer and says `checkpoint: train`, what `train`
    makes; else what `rr_bench.train.checkpoints.chosen_checkpoint` finds.

    Raises:
        RerankError: a folder that is named holds no whole checkpoint, or the training broke.
    """
    if resolved.entry.trains:
        return Choice(train(plugins, resolved, dataset, progress=progress))
    return chosen_checkpoint(plugins, resolved, dataset)


@using_home
def train(
    plugins: Plugins,
    resolved: Resolved,
    dataset: Dataset,
    out: Path | None = None,
    progress: Progress = SILENT,
    observers: Sequence[OnEvent] = (),
) -> Checkpoint:
    """The checkpoint of this entry on this data set; trained now unless it is already there.

    The work is done in a hidden folder beside it, which an interrupted training leaves behind and the next one of the
    same key goes on from. Two processes with the same key take turns, and the second finds the work done. What a
    failed one has recorded is kept (`rr_bench.train.failures`). `observers` are told what the training tells.

    Raises:
        RerankError: `out` exists or cannot be written, the entry has no trainer, the training broke, or it has changed
            nothing.
    """
    if out is not None:
        new_path(out, "--out")
    folder, key = out or checkpoint_folder(plugins, resolved, dataset), _key(plugins, resolved, dataset)
    found = kept_checkpoint(folder, key) if rank() == 0 else None
    if as_first(found is not None, key):
        if found is not None:
            LOG.info("%s on %s: trained before, %s", resolved.name, dataset.name, folder)
        return found or Checkpoint(folder, NOTHING)
    target = load_trainer(plugins, resolved)
    settings = training_settings(plugins, resolved)
    if not dataset.splits["train"] and not dataset.splits["dev"]:
        raise NotApplicableError(
            f"data set {dataset.name!r} is all test: there is nothing to train {resolved.name!r} on; train it on "
            "another by 'rr train', and name the folder as its 'checkpoint:'"
        )
    if not dataset.splits["train"] or not dataset.splits["dev"]:
        raise RerankError(f"data set {dataset.name!r} has no train or no dev queries to train {resolved.name!r} on")
    with workplace(folder, key) as work:
        if as_first(work is None, key):  # someone else has finished it, or an interrupted sitting had
            if out is None:
                return train(plugins, resolved, dataset, progress=progress)
            return Checkpoint(folder, NOTHING) if work else open_checkpoint(folder)
        assert work is not None
        given = without_test(shown(dataset))
        about = {
            "reranker": resolved.name,
            "key": key,
            **identity(plugins, resolved),
            "training": settings.model_dump(mode="json"),
            "data": {"name": dataset.name, "fingerprint": dataset.fingerprint, "report": dict(dataset.report)},
            "versions": installed_versions(),
            "dev_share": dev_share(settings),
        }
        with closing(EventLog(work.folder, work.writes, observers)) as log, kept_if_failed(work, about, log):
            with (
                progress.task(f"{dataset.name}: training {resolved.name}", None) as advance,
                work.clock() as elapsed,
                conditions() as timed_on,
                work.home(),
            ):
                trainer = _ran(target, settings, resolved, given, work, log.listener(advance, progress.status))
                seconds, circumstances = round(elapsed(), 3), timed_on()
            if not work.writes:
                return Checkpoint(folder, NOTHING)
            log.close()
            files, dev = written_files(work.folder), log.dev()
            share = settings.dev_split()
            selected = given if share is None else with_dev_share(given, *share)
            with work.home():
                info = tried(resolved, selected, work.folder, files, dev)
                reload = reloaded(resolved, trainer, selected, work.folder, dev)
            record = {
                **about,
                "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "seconds": seconds,
                "timed_on": circumstances,
                **log.summary(),
                "trained_parameters": info.trainable if log.trained is None else log.trained,
                "parameters": info.parameters,
                "reload": reload,
                "files": files,
                "events": {EVENTS: file_sha256(work.folder / EVENTS)},
            }
            work.write(RECORD, json.dumps(with_checksum(record), ensure_ascii=False, indent=2) + "\n")
            work.publish()
    return open_checkpoint(folder)


def _ran(
    target: Any, settings: Settings, resolved: Resolved, dataset: Dataset, work: Workplace, on_event: OnEvent
) -> Any:
    """The trainer, which has trained into the workplace's folder."""
    broke = f"training of {resolved.name!r} broke"
    with unchanged((dataset, *dataset.documents.values(), *dataset.queries.values())), plugin_code(broke):
        trainer = target(settings, resolved.settings)
        trainer.train(dataset, work.folder, on_event)
    if work.writes and not work.folder.is_dir():
        raise PluginError(f"{broke}: the trainer removed the folder it writes into")
    return trainer


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
