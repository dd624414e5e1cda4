"""Where results go: looked at before the work, so that nothing is computed that cannot be written."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from pathlib import Path

from rr.errors import RerankError


def new_path(path: Path, option: str, inputs: Iterable[Path | None] = ()) -> None:
    """Checks that a file or a folder can be made at `path`. `option`: what the user named it with; `inputs`: what the
    same command reads.

    Raises:
        RerankError: `path` is one of the inputs, by whatever name; something stands there, or it cannot be written.
    """
    not_read(path, option, inputs)
    if os.path.lexists(path):
        raise RerankError(f"{path} exists already; delete it, or name another {option}")
    folder = path.absolute().parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise RerankError(f"{path}: {folder} is no folder; name another {option}")
    # under a name as long as any that writers use on the way; what the system says of it is exact, access bits are not
    probe = folder / f".{path.name}.{uuid.uuid4().hex}"
    try:
        os.fsencode(path).decode()
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise RerankError(f"{path}: cannot be written ({error.strerror}); name another {option}") from error
    except UnicodeError as error:
        raise RerankError(f"{path}: the name is not UTF-8; name another {option}") from error


def not_read(path: Path, option: str, inputs: Iterable[Path | None]) -> None:
    """
    Raises:
        RerankError: `path` is one of the inputs, by whatever name.
    """
    for source in inputs:
        if source is not None and _same(path, source):
            raise RerankError(f"{path}: {option} is the very file that is read; name another")


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there: compared by where they would be
        return os.path.realpath(path) == os.path.realpath(other)
