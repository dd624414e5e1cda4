"""Calibrations on disk: beside the checkpoint that they belong to, or in `$RR_HOME` for an entry without one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rr.errors import RerankError
from rr.files import DamagedError, fingerprint, home, write_atomic
from rr.files.kept import read_json, with_checksum
from rr.registry.resolve import target_name
from rr.types import Scale
from rr_bench.calibrate.fit import FITS, coordinate
from rr_bench.keys import settings_key
from rr_bench.resolve import Resolved
from rr_bench.train.checkpoints import CALIBRATION, Checkpoint

Figures = Mapping[str, float]
"""`auroc`, `brier`, `ece` (equal width) and `ece_mass` (equal mass), the last three where there are probabilities."""


@dataclass(frozen=True)
class Calibration:
    """A map from one reranker's scores to probabilities, and what it was fitted on: the dev split of `data` (name and
    fingerprint). `before`, `after`: figures of dev, the latter by cross-fitting. `threshold`: the probability from
    which on documents are relevant with the `precision` asked for; None where no such one was found."""

    reranker: str
    belongs: str
    """`belonging`: to which weights and settings."""
    scale: Scale
    method: str
    map: Mapping[str, Any]
    data: Mapping[str, str]
    queries: int
    pairs: int
    positives: int
    precision: float
    threshold: float | None
    found: Mapping[str, float]
    """At the threshold, on dev: `kept` pairs, their `precision`, its lower bound `low`, and `recall`."""
    before: Figures
    after: Figures
    notes: tuple[str, ...] = ()

    @cached_property
    def _map(self) -> Any:
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in self.map.items()}
        return FITS[self.method](**values)

    def probabilities(self, scores: Sequence[float]) -> list[float]:
        """One a score; never lower for a higher score."""
        found: list[float] = self._map(coordinate(np.asarray(scores, dtype=np.float64), self.scale)).tolist()
        return found


def belonging(resolved: Resolved, checkpoint: Checkpoint | None) -> str:
    """A hash of the weights and the settings that decide a score, not of the machine: a calibration moves along with
    its checkpoint."""
    entry = resolved.entry
    return fingerprint(
        {
            "component": target_name(resolved.target),
            **settings_key(resolved.settings),
            "window": [entry.beyond, entry.window, entry.stride],
            "permutations": [entry.permutations, entry.permutation],
            "checkpoint": checkpoint.fingerprint() if checkpoint else "",
        }
    )


def place(resolved: Resolved, checkpoint: Checkpoint | None) -> Path:
    """Where the calibration is kept."""
    if checkpoint is not None:
        return checkpoint.folder / CALIBRATION
    return home() / "calibrations" / f"{belonging(resolved, None)[:32]}.json"


def keep(calibration: Calibration, path: Path) -> None:
    """Writes it, in place of the one before."""
    write_atomic(path, json.dumps(with_checksum(asdict(calibration)), ensure_ascii=False, indent=1) + "\n")


def kept(resolved: Resolved, checkpoint: Checkpoint | None) -> Calibration | None:
    """The calibration of these very weights and settings; None where there never was one.

    Raises:
        RerankError: the one that is there is damaged, or of other weights or settings.
    """
    path, name = place(resolved, checkpoint), resolved.name
    mend = f"run 'rr calibrate {name} -d DATA' again"
    if not os.path.lexists(path):
        others = _named(name) if checkpoint is None else []
        if others:
            raise RerankError(f"{name!r}: its calibration {others[0]} is of other weights or settings; {mend}")
        return None
    found = _read(path, mend)
    if found.belongs != belonging(resolved, checkpoint):
        raise RerankError(f"{name!r}: its calibration {path} is of other weights or settings; {mend}")
    return found


def _named(name: str) -> list[Path]:
    """Calibrations without a checkpoint that were made under this name."""
    found = []
    for path in sorted((home() / "calibrations").glob("[!.]*.json")):
        try:
            if read_json(path).get("reranker") == name:
                found.append(path)
        except (DamagedError, OSError):
            continue  # it is named when its own entry asks for it
    return found


def _read(path: Path, mend: str) -> Calibration:
    try:
        content = read_json(path)
        found = Calibration(**{**content, "notes": tuple(content["notes"])})
        found.probabilities([0.0])
    except (DamagedError, OSError, TypeError, ValueError, KeyError, AttributeError) as error:
        reason = str(error) if isinstance(error, DamagedError) else "it is not a calibration as this program writes it"
        raise RerankError(f"{path}: damaged calibration, {reason}; {mend}") from error
    return found
