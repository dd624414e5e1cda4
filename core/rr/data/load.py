"""A data set by its name in the registry: read, prepared, and kept for the next time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rr.artefacts import code_fingerprint, file_sha256, fingerprint, folder_fingerprint, home
from rr.data.generators import load_generator
from rr.data.prepare import prepare
from rr.data.readers import load_reader
from rr.data.store import read_dataset, write_dataset
from rr.errors import DataError
from rr.progress import SILENT, Progress
from rr.schema import DatasetEntry
from rr.types import Dataset
from rr.validation import validated


def load_dataset(name: str, entry: DatasetEntry, progress: Progress = SILENT) -> Dataset:
    """The prepared data set; prepared anew whenever its sources, its entry or the code that reads it changed.

    Raises:
        DataError: a source is missing or malformed.
        RegistryError: the entry's options are not those of its reader.
    """
    module = load_reader(entry.reader) if entry.reader else load_generator(str(entry.generator))
    options = validated(module.Options, entry.options, f"data set {name!r}: options")
    key = fingerprint(
        {
            "name": name,
            "entry": entry.model_dump(mode="json"),
            "sources": {path: _source_fingerprint(path) for path in _paths(options)},
            "code": code_fingerprint("rr"),
        }
    )
    folder = home() / "data" / f"{name}-{key[:16]}"
    if folder.is_dir():
        return read_dataset(folder)
    with progress.task(f"{name}: reading", None):
        try:
            collection = module.read(options) if entry.reader else module.generate(options)
            dataset = prepare(name, collection, entry.split, entry.candidates, progress)
        except DataError as error:
            raise DataError(f"data set {name!r}: {error}") from error
    write_dataset(dataset, folder)
    return dataset


def _paths(options: BaseModel) -> list[str]:
    values: list[Any] = [getattr(options, field) for field in type(options).model_fields]
    return [str(value) for value in values if isinstance(value, Path)]


def _source_fingerprint(path: str) -> str:
    source = Path(path)
    if source.is_dir():
        return folder_fingerprint(source)
    return file_sha256(source) if source.is_file() else "missing"
