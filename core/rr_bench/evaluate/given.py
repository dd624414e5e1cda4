"""Checkpoints that a bench is given: each is a row of its own, under a name that says which checkpoint it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rr.errors import RerankError
from rr.registry.plugins import Plugins
from rr.registry.resolve import target_name
from rr_bench.entries import Failure
from rr_bench.loading import told
from rr_bench.members import Part
from rr_bench.resolve import Resolved, resolve
from rr_bench.train.checkpoints import open_checkpoint

OWN = "train"
"""In the place of a folder: the row of the entry itself."""
WORDS = (OWN, "latest", "best", "none")
"""What may stand in the place of a folder, as in the registry; a folder that is called so is ./train."""


def pairs(given: Sequence[str]) -> list[tuple[str, str]]:
    """(NAME, DIR) of each `NAME=DIR`.

    Raises:
        RerankError: one is something else, or comes twice.
    """
    found: list[tuple[str, str]] = []
    for one in given:
        name, equals, which = one.partition("=")
        if not name or not equals or not which:
            raise RerankError(f"--checkpoint {one!r}: say NAME=DIR, a name that 'rr list' shows and a folder")
        if (name, which) in found:
            raise RerankError(f"--checkpoint {one!r} is given twice; give it once")
        found.append((name, which))
    return found


def with_checkpoints(
    parts: Mapping[str, Part | Failure],
    given: Sequence[str],
    find: Callable[[str], Part | Failure],
    plugins: Plugins,
) -> dict[str, Part | Failure]:
    """The entries, each that is given checkpoints replaced by a row a checkpoint, `NAME@FOLDER`; behind them those that
    are not among the entries, which `find` finds.

    Raises:
        RerankError: a folder holds no whole checkpoint, or one that this entry cannot be scored with.
    """
    asked: dict[str, list[str]] = {}
    for name, which in pairs(given):
        asked.setdefault(name, []).append(which)
    found: dict[str, Part | Failure] = {}
    for name in dict.fromkeys([*parts, *asked]):
        part = parts[name] if name in parts else find(name)
        rows = {name: part}
        if name in asked:
            labels = _labels(name, asked[name])
            rows = {label: _row(name, part, label, which, plugins) for label, which in labels.items()}
        for label, row in rows.items():
            if label in found:
                raise RerankError(f"two rows would be called {label!r}; rename the entry or the folder")
            found[label] = row
    return found


def _labels(name: str, asked: Sequence[str]) -> dict[str, str]:
    """Row → folder. Folders of one name are told apart by those that they lie in."""
    if len({_place(which) for which in asked}) != len(asked):
        raise RerankError(f"--checkpoint names one folder of {name!r} twice; give it once")
    found: dict[str, str] = {}
    for which in asked:
        others = [_place(other).parts for other in asked if other != which]
        parts, length = _place(which).parts, 1
        while any(other[-length:] == parts[-length:] for other in others):
            length += 1
        found[name if which == OWN else f"{name}@{'/'.join(parts[-length:])}"] = which
    return found


def _place(which: str) -> Path:
    return Path(which) if which in WORDS else Path(which).absolute()


def _row(name: str, part: Part | Failure, label: str, which: str, plugins: Plugins) -> Part:
    if isinstance(part, Failure):
        raise RerankError(f"--checkpoint {name}={which}: {part.reason}")
    if part.members:
        members = ", ".join(member.name for member in part.members)
        raise RerankError(f"--checkpoint {name}={which}: {name!r} is made of {members}; name one of these")
    if which not in WORDS:
        _check(Path(which), resolve(plugins, name, part.entry))
        which = str(Path(which).absolute())
    return replace(part, name=label, entry=part.entry.model_copy(update={"checkpoint": which}), entry_name=name)


def _check(folder: Path, resolved: Resolved) -> None:
    """Raises RerankError: it is no checkpoint, or one that the entry's component does not load, or would load into
    other weights than it was trained from."""
    if not folder.is_dir():
        raise RerankError(f"{folder}: no such folder; give one that 'rr train {resolved.name}' wrote")
    record = open_checkpoint(folder).record
    scorer = target_name(resolved.target)
    whose = f"{folder}: checkpoint of {record.get('reranker') or 'another reranker'!r}"
    if record.get("scorer") != scorer:
        raise RerankError(
            f"{whose}, which {record.get('scorer')} loads, and {resolved.name!r} is {scorer}; name the entry it is of"
        )
    if record.get("weights") != told(resolved.settings, "weights"):
        ours, theirs = resolved.settings.model_dump(mode="json"), record.get("settings") or {}
        other = [f"{key} {theirs[key]}, here {ours[key]}" for key in ours if theirs.get(key, ours[key]) != ours[key]]
        raise RerankError(
            f"{whose} was trained from other base weights than {resolved.name!r} has ({'; '.join(other) or 'changed'})"
            "; name an entry, or a --profile, with the same settings"
        )
