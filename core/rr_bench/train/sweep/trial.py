"""One trial of a sweep, from plain data to plain data, so that it can run wherever `$RR_HOME` is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rr.registry.plugins import installed_plugins
from rr_bench.data.load import load_dataset
from rr_bench.explain import explained
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import DatasetEntry
from rr_bench.registry_files import from_record, recordable
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.training import train

Task = Mapping[str, Any]
"""`name`, `entry`: of the reranker; `dataset`, `dataset_entry`: of the data. JSON has all of it."""
Outcome = Mapping[str, Any]
"""`value` on dev, by `metric`, on the dev split of `dev_share`; `folder` of the checkpoint; `steps`, `seconds`. Or
`failure`: why there is none."""


def task_of(name: str, entry: RerankerEntry, dataset: str, dataset_entry: DatasetEntry) -> Task:
    return {
        "name": name,
        "entry": recordable(entry.model_dump(exclude_unset=True)),
        "dataset": dataset,
        "dataset_entry": recordable(dataset_entry.model_dump(exclude_unset=True)),
    }


def run_trial(task: Task, progress: Progress = SILENT) -> Outcome:
    """Trains, unless that was done before: the checkpoint is the one that `rr train` makes of the same settings. What
    the machine or the training did is an outcome too; a fault of the code comes out as it is."""
    plugins = installed_plugins()
    try:
        resolved = resolve(plugins, task["name"], RerankerEntry.model_validate(from_record(task["entry"])))
        entry = DatasetEntry.model_validate(from_record(task["dataset_entry"]))
        found = train(plugins, resolved, load_dataset(task["dataset"], entry, progress), progress=progress)
    except Exception as error:
        told = explained(error)
        if told is None or os.environ.get("RR_STRICT") == "1":
            raise
        return {"failure": str(told)}
    record = found.record
    return {
        "value": record["reload"]["found"],
        "metric": record["reload"]["metric"],
        "dev_share": record["dev_share"],
        "folder": str(found.folder),
        "steps": record["steps"],
        "seconds": record["seconds"],
    }
