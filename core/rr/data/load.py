"""A data set by its name in the registry: read, prepared, and kept for the next time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path

from rr.artefacts import file_sha256, fingerprint, home
from rr.data.collection import Collection
from rr.data.generators import load_generator
from rr.data.prepare import prepare, prepare_folds
from rr.data.readers import load_reader
from rr.data.store import read_dataset, write_dataset
from rr.data.unfilled import without_unfilled
from rr.errors import DataError
from rr.keys import code_fingerprint, versions
from rr.names import as_file_name
from rr.progress import SILENT, Progress
from rr.schema import DatasetEntry
from rr.sealed import is_sealed
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

    (dataset,) = _stored(name, entry, None, prepared, progress)
    return dataset


def load_folds(name: str, entry: DatasetEntry, folds: int, progress: Progress = SILENT) -> list[Dataset]:
    """The data set as the folds of a cross-validation by query, each a data set of its own; kept likewise.

    Raises:
        DataError: a source is missing or malformed, or the data set cannot be dealt out into so many folds.
        RegistryError: the entry's options are not those of its reader.
    """

    def prepared(collection: Collection) -> list[Dataset]:
        return prepare_folds(name, collection, entry.split, entry.candidates, folds, progress)

    return _stored(name, entry, folds, prepared, progress)


def _stored(
    name: str,
    entry: DatasetEntry,
    folds: int | None,
    prepared: Callable[[Collection], list[Dataset]],
    progress: Progress,
) -> list[Dataset]:
    """The data set, or that of each fold, from `$RR_HOME/data` if all are there as they were written."""
    module = load_reader(entry.reader) if entry.reader else load_generator(str(entry.generator))
    options = validated(module.Options, entry.options, f"data set {name!r}: options")
    key = fingerprint(
        {
            "name": name,
            "entry": entry.model_dump(mode="json"),
            "sources": {str(p): _source_fingerprint(p) for p in (module.files(options) if entry.reader else ())},
            "code": code_fingerprint("rr"),
            "versions": versions(READING),
        }
    )

    def folders() -> Iterator[Path]:
        """One after the other: of folds there may be more asked for than can be."""
        for part in [""] if folds is None else (f"-fold{number}of{folds}" for number in range(1, folds + 1)):
            yield home() / "data" / f"{as_file_name(name)}-{key[:16]}{part}"

    # all that are there, so that each damaged one is set aside
    whole = [is_sealed(folder, folder.name) for folder in takewhile(os.path.lexists, folders())]
    if len(whole) == (folds or 1) and all(whole):
        return [read_dataset(folder) for folder in folders()]
    with progress.task(f"{name}: reading", None):
        try:
            collection = module.read(options) if entry.reader else module.generate(options)
            datasets = prepared(without_unfilled(collection, entry.unfilled))
        except DataError as error:
            raise DataError(f"data set {name!r}: {error}") from error
    for dataset, folder in zip(datasets, folders(), strict=True):
        write_dataset(dataset, folder)
    return datasets


def _source_fingerprint(path: Path) -> str:
    """Of one file that a reader reads; what it is not, the reader says in its own words."""
    try:
        return file_sha256(path) if path.is_file() else "missing"
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check its permissions") from error
