"""A data set by its name in the registry: read, prepared, and kept for the next time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel

from rr.artefacts import fingerprint, home
from rr.data.collection import Collection
from rr.data.generators import load_generator
from rr.data.prepare import prepare, prepare_folds
from rr.data.readers import load_reader
from rr.data.store import read_dataset, write_dataset
from rr.errors import DataError
from rr.keys import code_fingerprint, named_paths, path_fingerprint, versions
from rr.progress import SILENT, Progress
from rr.schema import DatasetEntry
from rr.types import Dataset
from rr.validation import validated

READING = ("bm25s", "numpy", "openpyxl")
"""Distributions whose release can change what is read, or which candidates are found."""


def load_dataset(name: str, entry: DatasetEntry, progress: Progress = SILENT) -> Dataset:
    """The prepared data set; prepared anew whenever its sources, its entry or the code that reads it changed.

    Raises:
        DataError: a source is missing or malformed.
        RegistryError: the entry's options are not those of its reader.
    """

    def prepared(collection: Collection) -> list[Dataset]:
        return [prepare(name, collection, entry.split, entry.candidates, progress)]

    (dataset,) = _stored(name, entry, [""], prepared, progress)
    return dataset


def load_folds(name: str, entry: DatasetEntry, folds: int, progress: Progress = SILENT) -> list[Dataset]:
    """The data set as the folds of a cross-validation by query, each a data set of its own; kept likewise.

    Raises:
        DataError: a source is missing or malformed, or the data set cannot be dealt out into so many folds.
        RegistryError: the entry's options are not those of its reader.
    """

    def prepared(collection: Collection) -> list[Dataset]:
        return prepare_folds(name, collection, entry.split, entry.candidates, folds, progress)

    return _stored(name, entry, [f"-fold{number}of{folds}" for number in range(1, folds + 1)], prepared, progress)


def _stored(
    name: str,
    entry: DatasetEntry,
    parts: Sequence[str],
    prepared: Callable[[Collection], list[Dataset]],
    progress: Progress,
) -> list[Dataset]:
    """One data set a part, from `$RR_HOME/data` if all are there. `parts`: what the names of their folders end with."""
    module = load_reader(entry.reader) if entry.reader else load_generator(str(entry.generator))
    options = validated(module.Options, entry.options, f"data set {name!r}: options")
    key = fingerprint(
        {
            "name": name,
            "entry": entry.model_dump(mode="json"),
            "sources": {path: _source_fingerprint(path) for path in _paths(options)},
            "code": code_fingerprint("rr"),
            "versions": versions(READING),
        }
    )
    folders = [home() / "data" / f"{name}-{key[:16]}{part}" for part in parts]
    if all(folder.is_dir() for folder in folders):
        return [read_dataset(folder) for folder in folders]
    with progress.task(f"{name}: reading", None):
        try:
            datasets = prepared(module.read(options) if entry.reader else module.generate(options))
        except DataError as error:
            raise DataError(f"data set {name!r}: {error}") from error
    for dataset, folder in zip(datasets, folders, strict=True):
        write_dataset(dataset, folder)
    return datasets


def _paths(options: BaseModel) -> list[str]:
    """The paths in the options, those in lists, dictionaries and models of theirs too."""
    return [str(path) for path in named_paths(options)]


def _source_fingerprint(path: str) -> str:
    return path_fingerprint(Path(path))
