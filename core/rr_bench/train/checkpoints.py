"""Checkpoints: folders that a training wrote, what their record says of them, and which of them an entry is given."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rr.errors import RerankError, summary
from rr.files import DamagedError, file_sha256, files_below, fingerprint, home, outdated, set_aside
from rr.files.kept import read_json
from rr.protocols import STATE, ModelInfo, Settings
from rr.registry.plugins import Plugins
from rr.registry.resolve import target_name
from rr.types import Dataset
from rr_bench.keys import settings_files
from rr_bench.loading import told
from rr_bench.resolve import Resolved
from rr_bench.train.events import EVENTS
from rr_bench.train.seen import seen_queries
from rr_bench.train.trainers import load_trainer, training_settings
from rr_bench.train.workplace import KEPT, NOTES

RECORD = "training_info.json"
CALIBRATION = "rr-calibration.json"
"""What `rr calibrate` leaves beside the weights: no part of them."""
REQUIRED: dict[str, type | tuple[type, ...]] = {
    "files": dict,
    "finished": str,
    "seconds": (int, float),
    "notes": list,
    "data": dict,
}
"""The keys of a record that this module reads, and what stands there."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder that a training wrote, and its record."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        return float(self.record["seconds"])

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.record["notes"])

    @property
    def timed_on(self) -> Mapping[str, str]:
        """What it was trained on (`rr_bench.environment.Conditions`), if that was recorded."""
        return dict(self.record.get("timed_on", {}))

    def trained(self, info: ModelInfo) -> int:
        """How many weights its training has changed; `info`: of the model that it was loaded into."""
        return int(self.record.get("trained_parameters", info.trainable))

    def fingerprint(self) -> str:
        """SHA-256 over the names and contents of the files that the trainer wrote, without the record's timings; and
        of those that someone has put beside them, since a model may be loaded from these too."""
        written = self.record["files"]
        return fingerprint({**written_files(self.folder, but=written), **written})

    def damage(self) -> str:
        """What is wrong with the first file that is not as the record says; nothing if all are. Reads all of them,
        which takes under a second for 500 MB."""
        for name, sha256 in {
            **self.record["files"],
            **self.record.get("events", self.record.get("losses", {})),
        }.items():
            if not (self.folder / name).is_file():
                return f"{name} is missing"
            try:
                found = file_sha256(self.folder / name)
            except OSError as error:
                return f"{name} cannot be read: {error.strerror}"
            if found != sha256:
                return f"{name} is not the file that was written"
        return ""


@dataclass(frozen=True)
class Choice:
    """The checkpoint that an entry is given, None for its component as it is; and what to say about the choice."""

    checkpoint: Checkpoint | None = None
    remarks: tuple[str, ...] = ()

    @property
    def folder(self) -> Path | None:
        return self.checkpoint.folder if self.checkpoint else None

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.remarks, *(self.checkpoint.notes if self.checkpoint else ()))

    def fingerprint(self) -> str:
        return self.checkpoint.fingerprint() if self.checkpoint else ""


def dev_share(training: Settings) -> list[float] | None:
    """The dev split of the training's own, as records have it: a dev figure compares only with those of the same."""
    split = training.dev_split()
    return None if split is None else list(split)


def written_files(folder: Path, but: Collection[str] = ()) -> dict[str, str]:
    """Name → SHA-256 of what lies in a folder: all but the core's own files (`loss.jsonl` was one) and the trainer's
    state. `but`: names of files that do not count either."""
    names = {path.relative_to(folder) for path in files_below(folder)}
    ours = (RECORD, CALIBRATION, EVENTS, "loss.jsonl", NOTES, STATE, KEPT)
    found = [name for name in sorted(names) if name.parts[0] not in ours and str(name) not in but]
    return {str(name): file_sha256(folder / name) for name in found}


def identity(plugins: Plugins, resolved: Resolved) -> dict[str, Any]:
    """What a checkpoint's record has in common with the entries that can load it, whatever they are called."""
    return {
        "scorer": target_name(resolved.target),
        "trainer": target_name(load_trainer(plugins, resolved)),
        "settings": resolved.settings.model_dump(mode="json"),
        "weights": told(resolved.settings, "weights"),
        "setting_files": settings_files(resolved.settings),
    }


def open_checkpoint(folder: Path) -> Checkpoint:
    """A checkpoint folder that `train` wrote.

    Raises:
        RerankError: the folder is missing or holds no record of a training, or its files are not those of the record.
    """
    checkpoint = _recorded(folder)
    damage = checkpoint.damage()
    if damage:
        raise RerankError(f"{folder}: damaged checkpoint, {damage}; delete the folder and train again")
    return checkpoint


def kept_checkpoint(folder: Path, key: str) -> Checkpoint | None:
    """The checkpoint that was trained under this key, in `$RR_HOME`; None where there is none, or none that can be
    relied on, which is named and set aside."""
    if outdated(folder) or not os.path.lexists(folder):
        return None
    try:
        found = open_checkpoint(folder)
        if found.record.get("key") != key:
            raise RerankError("it holds something else, under this name")
        return found
    except RerankError as error:
        set_aside(folder, DamagedError(str(error).removeprefix(f"{folder}: ")), "it is trained anew")
        return None


def chosen_checkpoint(plugins: Plugins, resolved: Resolved, dataset: Dataset | None) -> Choice:
    """What the entry's `checkpoint:` names, without training anything (`train` gives the component as it is). `latest`
    and `best` look among the checkpoints in `$RR_HOME`, and log which one they took. `dataset`: what is ranked.

    Raises:
        RerankError: a folder that is named holds no whole checkpoint, or there is no data set to be `best` on.
    """
    which = resolved.entry.checkpoint
    if which in ("train", "none"):
        return Choice()
    if which not in ("latest", "best"):
        named = open_checkpoint(Path(which))
        choice = Choice(named, (*_other_settings(named, resolved), *_other_content(named, dataset)))
    else:
        if which == "best" and dataset is None:
            raise RerankError(f"{resolved.name!r} asks for the best checkpoint of a data set; name it with --dataset")
        choice = _found(plugins, resolved, dataset)
    if choice.checkpoint is not None and dataset is not None:
        choice = replace(choice, remarks=(*choice.remarks, *seen_queries(choice.checkpoint.record["data"], dataset)))
    for remark in choice.remarks:
        logging.getLogger("rr").warning("%s: %s", resolved.name, remark)
    return choice


def _found(plugins: Plugins, resolved: Resolved, dataset: Dataset | None) -> Choice:
    which, wanted = resolved.entry.checkpoint, identity(plugins, resolved)
    found, remarks = [], []
    for folder in sorted((home() / "checkpoints").glob("[!.]*")):
        try:
            checkpoint = _recorded(folder)
        except RerankError:
            remarks.append(f"checkpoint {which}: skipped {folder.name}, {RECORD} cannot be read")
            continue
        if all(checkpoint.record.get(key) == value for key, value in wanted.items()):
            found.append(checkpoint)
    if which == "best" and dataset is not None:
        found = _comparable(found, training_settings(plugins, resolved), dataset)
        found.sort(key=lambda one: (one.record["best_dev"], one.record["finished"]), reverse=True)
    else:
        found.sort(key=lambda one: one.record["finished"], reverse=True)
    for checkpoint in found:
        damage = checkpoint.damage()
        if not damage:
            return Choice(checkpoint, (f"checkpoint {which}: {_described(checkpoint, which, dataset)}", *remarks))
        remarks.append(f"checkpoint {which}: skipped {checkpoint.folder.name}, {damage}")
    return Choice(None, (f"checkpoint {which}: none found, pretrained weights", *remarks))


def _comparable(found: Sequence[Checkpoint], training: Settings, dataset: Dataset) -> list[Checkpoint]:
    """Those whose best dev figures are of one metric, on one dev split: that of these settings.

    Raises:
        RerankError: they are of several metrics, and the settings do not tell which is meant.
    """
    wanted, share = training.selects_by(), dev_share(training)
    named = [
        one
        for one in found
        if one.record["data"]["fingerprint"] == dataset.fingerprint
        and one.record.get("best_dev") is not None
        and one.record.get("dev_share") == share
        and one.record.get("dev_metric") is not None
        and wanted in (None, one.record["dev_metric"])
    ]
    metrics = sorted({one.record["dev_metric"] for one in named})
    if len(metrics) > 1:
        raise RerankError(
            f"checkpoint best: the checkpoints on {dataset.name!r} were selected by {' and '.join(metrics)}, which "
            "do not compare; name the folder of one"
        )
    return named


def _described(checkpoint: Checkpoint, which: str, dataset: Dataset | None) -> str:
    record = checkpoint.record
    data, finished = record["data"], record["finished"]
    quality = f"dev {record['dev_metric']} {record['best_dev']:.4f}, " if which == "best" else ""
    told = f"{checkpoint.folder.name} ({quality}trained on {data['name']}, {finished[:10]} {finished[11:16]} UTC)"
    if dataset is None or data["fingerprint"] == dataset.fingerprint:
        return told
    if data["name"] != dataset.name:
        return f"{told}, not on this data set"
    return f"{told}, {_may_have_seen(data)}"


def _other_settings(checkpoint: Checkpoint, resolved: Resolved) -> tuple[str, ...]:
    """A remark where the checkpoint was trained with other settings of the scorer than it is used with."""
    ours, theirs = resolved.settings.model_dump(mode="json"), checkpoint.record.get("settings", {})
    other = [
        f"{name} {theirs[name]}, here {ours[name]}" for name in ours if name in theirs and theirs[name] != ours[name]
    ]
    return (f"checkpoint {checkpoint.folder.name} was trained with {'; '.join(other)}",) if other else ()


def _other_content(checkpoint: Checkpoint, dataset: Dataset | None) -> tuple[str, ...]:
    """A remark where the checkpoint was trained on a data set of this name with other queries or splits."""
    data = checkpoint.record["data"]
    if dataset is None or data["name"] != dataset.name or data["fingerprint"] == dataset.fingerprint:
        return ()
    return (f"checkpoint {checkpoint.folder.name} was trained on {data['name']} {_may_have_seen(data)}",)


def _may_have_seen(data: Mapping[str, Any]) -> str:
    return f"of other content or splits (data {data['fingerprint'][:12]}): it may have seen these test queries"


def _recorded(folder: Path) -> Checkpoint:
    """The checkpoint by its record alone; its files are not looked at.

    Raises:
        RerankError: there is no record that can be read.
    """
    try:
        record = read_json(folder / RECORD)
    except DamagedError as error:
        raise _no_checkpoint(folder, str(error)) from error
    except OSError as error:
        raise _no_checkpoint(folder, summary(error)) from error
    wrong = [key for key, kind in REQUIRED.items() if not isinstance(record.get(key), kind)]
    wrong += [f"data.{key}" for key in ("name", "fingerprint") if not wrong and key not in record["data"]]
    if wrong:
        raise _no_checkpoint(folder, f"{wrong[0]!r} is missing, or is of another type")
    return Checkpoint(folder, record)


def _no_checkpoint(folder: Path, reason: str) -> RerankError:
    return RerankError(f"{folder}: no checkpoint ({RECORD} cannot be read: {reason}); make one with 'rr train'")
