"""A data set by its name in the registry: read, prepared, and kept for the next time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from rr.border import plugin_code
from rr.data.collection import Collection
from rr.data.damage import MISSING
from rr.errors import DataError
from rr.files import fingerprint, home, is_sealed, outdated
from rr.protocols import Reader, Retriever
from rr.registry.plugins import Plugins, installed_plugins
from rr.registry.resolve import checked_settings
from rr.spec import Kind
from rr.types import Dataset
from rr_bench.code import room_fingerprint
from rr_bench.data.gate import checked_collection, checked_files
from rr_bench.data.prepare import prepare, prepare_folds
from rr_bench.data.sources import source_fingerprint
from rr_bench.data.split_files import split_files, with_given_splits
from rr_bench.data.store import read_dataset, write_dataset
from rr_bench.data.unfilled import without_unfilled
from rr_bench.keys import component_key, engines_of, settings_key
from rr_bench.outputs import as_file_name
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import DatasetEntry

LOG = logging.getLogger("rr")


def load_dataset(
    name: str, entry: DatasetEntry, progress: Progress = SILENT, plugins: Plugins | None = None
) -> Dataset:
    """The prepared data set; prepared anew whenever its sources, its entry or the code that reads it changed.

    Raises:
        DataError: a source is missing or malformed.
        RegistryError: the entry's options are not those of its reader.
    """

    def prepared(collection: Collection, retriever: Retriever) -> list[Dataset]:
        return [prepare(name, collection, entry.split, entry.candidates, retriever, progress)]

    (dataset,) = _stored(name, entry, None, prepared, progress, plugins or installed_plugins())
    return dataset


def load_folds(
    name: str, entry: DatasetEntry, folds: int, progress: Progress = SILENT, plugins: Plugins | None = None
) -> list[Dataset]:
    """The data set as the folds of a cross-validation by query, each a data set of its own; kept likewise.

    Raises:
        DataError: a source is missing or malformed, or the data set cannot be dealt out into so many folds.
        RegistryError: the entry's options are not those of its reader.
    """

    def prepared(collection: Collection, retriever: Retriever) -> list[Dataset]:
        return prepare_folds(name, collection, entry.split, entry.candidates, retriever, folds, progress)

    return _stored(name, entry, folds, prepared, progress, plugins or installed_plugins())


def _stored(
    name: str,
    entry: DatasetEntry,
    folds: int | None,
    prepared: Callable[[Collection, Retriever], list[Dataset]],
    progress: Progress,
    plugins: Plugins,
) -> list[Dataset]:
    """The data set, or that of each fold, from `$RR_HOME/data` if all are there as they were written."""
    reader, retriever, folders = _meant(name, entry, folds, plugins)

    def there(folder: Path) -> bool:
        outdated(folder)  # which is when it is fetched
        return os.path.lexists(folder)

    # all that are there, so that each damaged one is set aside
    whole = [is_sealed(folder, folder.name) for folder in takewhile(there, folders())]
    if len(whole) == (folds or 1) and all(whole):
        LOG.info("%s: prepared before, in %s", name, next(folders()).parent)
        return [read_dataset(folder, sealed=True) for folder in folders()]
    with progress.task(f"{name}: reading", None):
        try:
            datasets = prepared(_read(reader, entry), retriever)
        except DataError as error:
            raise DataError(f"data set {name!r}: {error}") from error
    for dataset, folder in zip(datasets, folders(), strict=True):
        write_dataset(dataset, folder)
    return datasets


def kept_folders(name: str, entry: DatasetEntry, folds: int | None) -> list[Path]:
    """Where `load_dataset`, or `load_folds`, keeps what it gives."""
    return list(_meant(name, entry, folds, installed_plugins())[2]())


def _meant(
    name: str, entry: DatasetEntry, folds: int | None, plugins: Plugins
) -> tuple[Reader, Retriever, Callable[[], Iterator[Path]]]:
    """Who reads it, who ranks it first, and where it is kept."""
    reader, reader_key = keyed_component(plugins, "reader", entry.reader, entry.options, f"data set {name!r}: options")
    asked = entry.candidates
    retriever, retriever_key = keyed_component(
        plugins, "retriever", asked.retriever, asked.options, f"data set {name!r}: candidates.options"
    )
    with plugin_code(f"reader {entry.reader!r}: files"):
        files = checked_files(reader.files(), f"reader {entry.reader!r}")
    key = fingerprint(
        {
            "name": name,
            "entry": entry.model_dump(mode="json", exclude={"group_by"}),
            "sources": {str(path): source_fingerprint(path) for path in (*files, *split_files(entry.split))},
            "reader": reader_key,
            "retriever": retriever_key,
            "code": [room_fingerprint("rr.data"), room_fingerprint("rr_bench.data")],
        }
    )

    def folders() -> Iterator[Path]:
        """One after the other: of folds there may be more asked for than can be."""
        for part in [""] if folds is None else (f"-fold{number}of{folds}" for number in range(1, folds + 1)):
            yield home() / "data" / f"{as_file_name(name)}-{key[:16]}{part}"

    return reader, retriever, folders


def read_collection(entry: DatasetEntry, plugins: Plugins) -> Collection:
    """What the reader gives now, without a look at what is kept.

    Raises:
        DataError: a source is missing or malformed.
    """
    reader, _ = keyed_component(plugins, "reader", entry.reader, entry.options, "options")
    return _read(reader, entry)


def _read(reader: Reader, entry: DatasetEntry) -> Collection:
    """What the reader gives, as the entry would have it."""
    token = MISSING.set(entry.missing)
    try:
        with plugin_code(f"reader {entry.reader!r}"):
            collection = checked_collection(reader.read(), f"reader {entry.reader!r}")
        return without_unfilled(with_given_splits(collection, entry.split), entry.unfilled)
    finally:
        MISSING.reset(token)


def keyed_component(plugins: Plugins, kind: Kind, name: str, options: dict[str, Any], where: str) -> tuple[Any, Any]:
    """A reader or retriever with its checked settings, and the key of what it computes."""
    target = plugins.load(kind, name)
    settings = checked_settings(plugins, kind, name, options, where)
    key = [
        settings_key(settings, files=kind != "reader"),
        component_key(target, plugins.get(kind, name), engines_of(settings)),
    ]
    with plugin_code(f"{kind} {name!r} cannot be made"):
        return target(settings), key
