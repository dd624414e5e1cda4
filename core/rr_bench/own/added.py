"""A data set of one's own as an entry of a registry: a new file, or one more entry of the one that is there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rr.errors import RegistryError, RerankError
from rr.files import alone, write_atomic
from rr.registry.plugins import Plugins
from rr.registry.resolve import checked_settings
from rr.types import Dataset
from rr_bench.names import told_apart
from rr_bench.own.edited import dumped, with_entry
from rr_bench.registry import DatasetEntry, Registry, parsed_registry
from rr_bench.registry_files import packaged

OWN = "own"
"""The suite of one's own data sets, and the profile that benches it."""
RERANKERS = (
    *("first-stage", "random", "bm25", "bi-encoder", "cross-encoder-base", "cross-encoder", "head-base", "head"),
)
"""Entries of the packaged registry that any data set can be asked by; with histories, so can these:"""
SEQUENTIAL = ("letters-base", "letters")
NEW = """\
# Written by 'rr data add', to be changed at will: 'rr bench --all' compares the rerankers of profile own on the data
# sets of suite own. Entries of the packaged registry are there too, and can be laid over by name (docs/data.md).
version: 1
extends: packaged
default_profile: own

"""


@dataclass(frozen=True)
class Addition:
    """A registry with a data set more, which is not written yet. `before`: what its file holds now; None: it is new."""

    source: Path
    name: str
    before: str | None
    entry: Mapping[str, Any]

    @classmethod
    def planned(cls, source: Path, name: str, entry: Mapping[str, Any]) -> Addition:
        """
        Raises:
            RegistryError: the registry is malformed, or has a data set of that name.
        """
        planned = cls(source, name, _text(source), entry)
        there = _registry(source, planned.before)
        for suite, known in there.suites.items():
            if known.meant(name):
                where = source if planned.before is not None else "the packaged registry"
                raise RegistryError(f"{where}: suite {suite!r} has a data set {name!r} already; choose another name")
            try:
                told_apart([*known.datasets, name])
            except ValueError as error:
                raise RegistryError(f"{source}: {error}") from error
        return planned

    def text(self, dataset: Dataset | None = None) -> str:
        """The registry with the data set. `dataset`: as it is prepared, by which the rerankers are chosen."""
        there = _registry(self.source, self.before)
        own = there.profiles.get(OWN)
        suite = own.suite if own else OWN
        names = [name for name in (*RERANKERS, *SEQUENTIAL) if name in there.rerankers and _asks(there, name, dataset)]
        profile: dict[str, Any] = {"suite": suite, **({"rerankers": names} if names else {})}
        if self.before is None:
            datasets = {suite: {"datasets": {self.name: dict(self.entry)}}}
            return NEW + dumped({"profiles": {OWN: profile}}) + "\n" + dumped({"suites": datasets})
        place = ("suites", suite, "datasets")
        found = with_entry(self.before, place, self.name, dict(self.entry), str(self.source))
        return found if own else with_entry(found, ("profiles",), OWN, profile, str(self.source))

    def registry(self, dataset: Dataset | None = None) -> Registry:
        """
        Raises:
            RegistryError: it would be malformed.
        """
        return parsed_registry(self.source, self.text(dataset))

    def write(self, dataset: Dataset) -> None:
        """
        Raises:
            RegistryError: the file has changed meanwhile, or would be malformed.
        """
        text = self.text(dataset)
        self.registry(dataset)
        with alone(self.source):
            if _text(self.source) != self.before:
                raise RegistryError(f"{self.source} has changed meanwhile; run the same command again")
            # a link stays one; lines end as they did
            target = self.source.resolve()
            ends = "\r\n" if self.before is not None and b"\r\n" in target.read_bytes() else "\n"
            write_atomic(target, text.replace("\n", ends))


def entry_of(
    plugins: Plugins, reader: str, options: Mapping[str, Any], registry: Path, missing: str = "fail"
) -> dict[str, Any]:
    """The entry of a data set, whose paths start from the registry's folder where they lie below it. `options`: their
    relative paths start from the working folder.

    Raises:
        RegistryError: they are not those of the reader.
    """
    settings = checked_settings(plugins, "reader", reader, dict(options), f"reader {reader!r}: options")
    folder = registry.parent
    written = {key: _written(value, getattr(settings, key, None), folder) for key, value in options.items()}
    entry = {"reader": reader, "options": written, **({} if missing == "fail" else {"missing": missing})}
    DatasetEntry.model_validate(entry)
    return entry


def _written(raw: Any, checked: Any, folder: Path) -> Any:
    """An option as it is given, and as a path that is found from the folder where its setting is a path."""
    if isinstance(raw, Mapping):
        inner = [getattr(checked, str(k), None) if isinstance(checked, BaseModel) else _item(checked, k) for k in raw]
        return {key: _written(raw[key], one, folder) for key, one in zip(raw, inner, strict=True)}
    if isinstance(raw, list | tuple):
        fits = isinstance(checked, Sequence) and len(checked) == len(raw)
        return [_written(one, checked[place] if fits else None, folder) for place, one in enumerate(raw)]
    if not isinstance(raw, Path) and not isinstance(checked, Path):
        return raw
    text = str(raw)
    if text.startswith("~") or "${" in text:
        return text
    # not resolved: a link below the folder may lead out of it
    whole, base = (Path(os.path.normpath(Path(one).absolute())) for one in (text, folder))
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)


def _item(checked: Any, key: Any) -> Any:
    return checked.get(key) if isinstance(checked, Mapping) else None


def _text(source: Path) -> str | None:
    """What the registry holds; None where there is none."""
    if not os.path.lexists(source):
        return None
    try:
        return source.read_text(encoding="utf-8-sig")  # in which every line ends in one way
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{source}: cannot be read as UTF-8 text ({error}); save it as UTF-8") from error


def _registry(source: Path, text: str | None) -> Registry:
    """What is there, or what a new one extends."""
    return parsed_registry(packaged() if text is None else source, _text(packaged()) or "" if text is None else text)


def _asks(registry: Registry, name: str, dataset: Dataset | None) -> bool:
    """Whether the entry is one for this data set: with queries to train on, and histories, where it needs them."""
    if dataset is None:
        return name in RERANKERS
    if name in SEQUENTIAL and not any(query.history for query in dataset.queries.values()):
        return False
    if not registry.rerankers[name].trainer:
        return True
    return bool(dataset.splits["train"] and dataset.splits["dev"])


def registry_to_write(given: Path | None) -> Path:
    """`--registry`, else `$RR_REGISTRY`, else ./registry.yaml: it need not be there.

    Raises:
        RerankError: its folder is not there.
    """
    found = given or Path(os.environ.get("RR_REGISTRY") or "registry.yaml")
    if not found.parent.is_dir():
        raise RerankError(f"{found}: there is no folder {found.parent}; make it, or name another --registry")
    if found.is_dir():
        raise RerankError(f"{found} is a folder; name the registry's file")
    return found
