"""What lies under `$RR_HOME`, a piece at a time: a folder, a file, or a database with what belongs to it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rr.files import home
from rr_bench.cache.kinds import KINDS, OTHERS, KindOf
from rr_bench.database import BESIDE

BESIDE_IT = re.compile(rf"({'|'.join(re.escape(end) for end in BESIDE if end)})$")
HIDDEN = re.compile(r"\.(.+)\.(partial|failed|aside|[0-9a-f]{32})$")
"""Names of what is being made, failed, was damaged, or was left by a kill."""


@dataclass(frozen=True)
class Kept:
    """`used`: when it was last read or written, in seconds since 1970."""

    kind: str
    paths: tuple[Path, ...]
    size: int
    used: float

    @property
    def name(self) -> str:
        return self.paths[0].name


@dataclass(frozen=True)
class Home:
    """`others`: what is not ours, and is left alone."""

    folder: Path
    kept: tuple[Kept, ...]
    others: tuple[Path, ...]


def look() -> Home:
    """Raises OSError: a folder cannot be read."""
    folder, kept, others = home(), list[Kept](), list[Path]()
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.name in OTHERS and place.is_dir():
            continue
        if place.name not in KINDS or not place.is_dir():
            others.append(place)
            continue
        pieces: dict[str, list[Path]] = {}
        for path in sorted(place.iterdir()):
            pieces.setdefault(BESIDE_IT.sub("", path.name), []).append(path)
        for name, paths in pieces.items():
            if all(_ours(path, name, KINDS[place.name]) for path in paths):
                kept.append(_kept(place.name, paths))
            else:
                others += paths
    return Home(folder, tuple(kept), tuple(others))


def _ours(path: Path, name: str, kind: KindOf) -> bool:
    """By its name and its owner; a link is somebody's own arrangement."""
    found, hidden = path.lstat(), HIDDEN.fullmatch(name)
    owned = found.st_uid == os.geteuid() and (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode))
    return owned and kind.name.search(hidden[1] if hidden else name) is not None


def _kept(kind: str, paths: list[Path]) -> Kept:
    found = [one.lstat() for path in paths for one in (path, *_below(path))]
    return Kept(
        kind,
        tuple(paths),
        sum(one.st_size for one in found if stat.S_ISREG(one.st_mode)),
        max(max(one.st_mtime, one.st_atime if stat.S_ISREG(one.st_mode) else 0.0) for one in found),
    )


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        for place, folders, names in os.walk(path):
            yield from (Path(place, name) for name in (*folders, *names))
