"""From what lies on disk to what checks are asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rr.diagnosis import Evidence
from rr.errors import RerankError
from rr.files import DamagedError
from rr.files.kept import read_json
from rr.protocols import TrainingEvent
from rr_bench.train.checkpoints import RECORD, Checkpoint, open_checkpoint
from rr_bench.train.events import EVENTS, read_events
from rr_bench.train.failures import FAILURE, failed_folder
from rr_bench.train.workplace import beside


def of_path(path: Path, options: Sequence[str] = ()) -> Evidence:
    """Of the checkpoint that lies there; of the failed training, or the one that still goes on, that was to make it.

    Raises:
        RerankError: there is nothing of the kind.
    """
    if (path / RECORD).is_file():
        return of_checkpoint(open_checkpoint(path), options)
    failed = path if (path / FAILURE).is_file() else failed_folder(path)
    if (failed / FAILURE).is_file():
        return of_failure(failed, options)
    going_on = beside(path, "partial") / EVENTS
    if going_on.is_file():
        return Evidence(events=read_events(going_on), options=tuple(options))
    raise RerankError(f"{path}: no checkpoint, and no failed training; make one with 'rr train', or name one")


def of_checkpoint(checkpoint: Checkpoint, options: Sequence[str] = ()) -> Evidence:
    events = checkpoint.folder / EVENTS
    return of_record(checkpoint.record, read_events(events) if events.is_file() else (), options)


def of_failure(folder: Path, options: Sequence[str] = ()) -> Evidence:
    """
    Raises:
        RerankError: the folder holds no record of a failed training.
    """
    try:
        record = read_json(folder / FAILURE)
    except (DamagedError, OSError) as error:
        raise RerankError(f"{folder / FAILURE}: cannot be read ({error}); delete {folder}, and train again") from error
    events = folder / EVENTS
    return of_record(record, read_events(events) if events.is_file() else (), options)


def of_record(record: Mapping[str, Any], events: Sequence[TrainingEvent], options: Sequence[str] = ()) -> Evidence:
    data, reload = record.get("data", {}), record.get("reload", {})
    return Evidence(
        reranker=record.get("reranker", ""),
        dataset=data.get("name", ""),
        scorer=record.get("scorer", ""),
        trainer=record.get("trainer", ""),
        settings=record.get("settings", {}),
        training=record.get("training", {}),
        events=tuple(events),
        data=data.get("report", {}),
        record=record,
        diagnostics=with_chosen(reload.get("diagnostics", {}), reload.get("chosen", ())),
        error=record.get("error", ""),
        options=tuple(options),
    )


def with_chosen(diagnostics: Mapping[str, float], chosen: Sequence[int]) -> dict[str, float]:
    """Diagnostics, and how often the candidate at place N was ranked first, as `chosen N`."""
    return {**diagnostics, **{f"chosen {place}": float(count) for place, count in enumerate(chosen)}}
