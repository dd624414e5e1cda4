"""A reader over copies of its files, which can be damaged: what its settings name is never touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rr.data import Collection
from rr.errors import NotApplicableError
from rr.protocols import Settings
from rr_bench.data.gate import checked_collection, checked_files
from rr_bench.testing.subject import Subject


class Copies:
    """Of a subject's files, in a folder `name` of its workspace. `files`: the copies, in the order of the originals.
    Raises NotApplicableError: it reads no files, or its settings name none of them."""

    def __init__(self, subject: Subject, name: str) -> None:
        self._subject, self._folder = subject, subject.workspace / name
        self._originals = files_of(subject)
        if not self._originals:
            raise NotApplicableError("it reads no files")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._copied: dict[Path, Path] = {}
        values = subject.settings.model_dump()
        moved = {key: self._moved(value, key) for key, value in values.items()}
        self.files = [self._copied[one] for one in self._originals if one in self._copied]
        if not self.files:
            raise NotApplicableError("its settings name none of its files, so that there is no way to damage a copy")
        self._settings = type(subject.settings).model_validate(
            {**{key: values[key] for key in subject.settings.model_fields_set}, **_changed(values, moved)}
        )
        self.restore()

    @property
    def settings(self) -> Settings:
        return self._settings

    def restore(self) -> None:
        """All copies as the originals are."""
        for original, copy in self._copied.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, copy)

    def read(self) -> Collection:
        """What the reader gives of the copies. Raises what it raises."""
        return read(self._subject, self._settings)

    def _moved(self, value: Any, key: str) -> Any:
        """A setting that names a file, or a folder with files in it, names the copy; all else is as it was."""
        if isinstance(value, dict):
            return {name: self._moved(one, f"{key}.{name}") for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._moved(one, f"{key}.{place}") for place, one in enumerate(value)]
        if not isinstance(value, str | Path) or not str(value):
            return value
        place, found = Path(value).absolute(), False
        for original in self._originals:
            if original == place or original.is_relative_to(place):
                # a folder of its own: two files may share a name
                copy = self._folder / key / place.name / original.relative_to(place)
                self._copied[original], found = copy, True
        return str(self._folder / key / place.name) if found else value


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in after.items() if _plain(value) != _plain(before[key])}


def _plain(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def files_of(subject: Subject) -> list[Path]:
    """Those that are there: one that is missing is optional to a reader that reads all the same."""
    given = checked_files(subject.load().files(), f"reader {subject.name!r}")
    return [one.absolute() for one in given if one.is_file()]


def read(subject: Subject, settings: Settings | None = None) -> Collection:
    """What a new reader gives, through the gate of a bench. Raises what it raises."""
    reader = subject.target(subject.settings if settings is None else settings)
    return checked_collection(reader.read(), f"reader {subject.name!r}")


def text_of(path: Path) -> str | None:
    """What stands in a file of text; None of another one."""
    with suppress(UnicodeDecodeError):
        content = path.read_bytes()
        return None if b"\0" in content or not content.strip() else content.decode("utf-8-sig")
    return None


def records(text: str) -> Sequence[dict[str, Any]] | None:
    """Of JSON lines, the objects; None of anything else, a single object too."""
    found = []
    for line in filter(str.strip, text.split("\n")):
        try:
            record = json.loads(line)
        except ValueError:
            return None
        if not isinstance(record, dict):
            return None
        found.append(record)
    return found if len(found) > 1 else None
