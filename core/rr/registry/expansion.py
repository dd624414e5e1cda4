"""`${VARIABLE}` in paths: filled in for whoever opens the file, and shown to everyone else as it is written, since it
may be a secret. What was filled in is remembered, and found again in any text: an error, a traceback, a note."""

import functools
import os
import re
from pathlib import Path

VARIABLE = re.compile(r"\$\{(\w+)\}")
SHORTEST = 6  # characters of a value that is looked for by itself; a shorter one (`data`) is a word of many texts
_written: dict[str, str] = {}
"""What was filled in: values, paths and parts of paths → how they are written."""


def expanded(given: str | Path) -> Path:
    """The path (from its `folder` on, if it has one) with `${VARIABLE}` and `~` filled in; else a ValueError."""
    path = str(given)
    whole = getattr(given, "folder", Path()) / _filled(path)
    for written in (path, *map(str, Path(path).parents)):
        if VARIABLE.search(written):
            _remember(str(_filled(written)), written)
    for written in (*Path(path).parts, *(variable[0] for variable in VARIABLE.finditer(path))):
        if VARIABLE.search(written):
            _remember(VARIABLE.sub(_value, written), written)
    return whole


def path_as_written(path: Path) -> str:
    """How a path that `expanded` gave is written."""
    return _written.get(str(path)) or as_written(str(path))


def as_written(text: str) -> str:
    """The text with all that was filled in turned back into how it is written."""
    pattern = _pattern(tuple(_written))
    return pattern.sub(lambda found: _written[found[0]], text) if pattern else text


def _filled(path: str) -> Path:
    try:
        return Path(VARIABLE.sub(_value, path)).expanduser()
    except RuntimeError as error:
        raise ValueError(f"no home folder is known for {path!r}; write the whole path") from error


def _value(variable: re.Match[str]) -> str:
    value = os.environ.get(variable[1])
    if not value:
        raise ValueError(f"environment variable {variable[1]} is not set; export {variable[1]}=FOLDER")
    return value


def _remember(value: str, written: str) -> None:
    value = value.rstrip(os.sep)
    if value.strip(f"{os.sep}.~"):
        _written.setdefault(value, written)
        _written.setdefault(repr(value)[1:-1], written)  # as errors of the operating system quote it


@functools.lru_cache(maxsize=1)
def _pattern(values: tuple[str, ...]) -> re.Pattern[str] | None:
    """Of the longest first; a value is no part of a longer word."""
    found = sorted((one for one in values if os.sep in one or len(one) >= SHORTEST), key=len, reverse=True)
    before, after = r"(?<![^\W_])", r"(?![^\W_])"
    whole = (before * one[0].isalnum() + re.escape(one) + after * one[-1].isalnum() for one in found)
    return re.compile("|".join(whole)) if found else None
