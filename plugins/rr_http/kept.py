"""Answers on disk, each as soon as it is there: a bench that died asks, and pays, only for what is missing.

The name of an answer is a hash of all that decides it: the url, what answers behind it, and the body of the call, which
holds the model, the query and the documents. What is kept are figures; neither texts nor the API key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rr.files import CHECKSUM, DamagedError, fingerprint, home, keeping, made, outdated, set_aside, write_atomic
from rr_http.shapes import Answer

FORMAT = 1


class Kept:
    """Made when a call of `score` begins: other threads are not told where the home is, nor whether anything is to be
    kept."""

    def __init__(self, url: str, version: str) -> None:
        self._about = [FORMAT, url, version]
        self._folder = home() / "http" if keeping() else None

    def name(self, body: Mapping[str, Any]) -> str:
        return fingerprint([*self._about, body])

    def find(self, name: str) -> Answer | None:
        """None where there is none, or none that can be relied on: that one is named in a warning, and set aside."""
        path = self._path(name)
        if path is None or outdated(path):
            return None
        try:
            return _read(path, name)
        except FileNotFoundError:
            return None
        except (DamagedError, OSError) as error:
            set_aside(path, error)
            return None

    def keep(self, name: str, answer: Answer) -> None:
        path = self._path(name)
        if path is not None:
            content = {"name": name, **asdict(answer), "scores": list(answer.scores)}
            write_atomic(path, json.dumps({**content, CHECKSUM: fingerprint(content)}))
            made(path)

    def _path(self, name: str) -> Path | None:
        return None if self._folder is None else self._folder / name[:2] / f"{name}.json"


def _read(path: Path, name: str) -> Answer:
    if path.is_symlink():
        raise DamagedError("it is a symbolic link")
    try:
        found = json.loads(path.read_bytes())
        told = found.pop(CHECKSUM)
        content = fingerprint(found)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise DamagedError("it is no JSON with a checksum") from error
    if content != told:
        raise DamagedError("its checksum is of another content")
    if found.pop("name", None) != name:
        raise DamagedError("it holds something else, under this name")
    return Answer(**{**found, "scores": tuple(found["scores"])})
