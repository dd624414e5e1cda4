"""Names that people give, which become folders and files, and stand in tables, runs and commands."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

MAX_BYTES = 100  # of a name in UTF-8; with a fingerprint behind it, it is still a file name everywhere
JOINERS = " .-+@=,()"  # what may stand in a name besides letters, digits and `_`


def checked_name(name: str) -> str:
    """The name, where a folder can be called so: it names no other place, and no option. Else a ValueError."""
    if not name:
        raise ValueError("a name must not be empty")
    if len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ValueError(f"the name {name[:20]!r}… is longer than {MAX_BYTES} bytes; shorten it")
    for bad in (c for c in name if not is_word(c) and c not in JOINERS):
        raise ValueError(
            f"the name {name!r} holds {bad!r}; write letters and digits of any script, and any of _.-+@=,()"
        )
    if not is_word(name[0]) or name != name.strip():
        raise ValueError(f"the name {name!r} must begin with a letter, a digit or _, and end with no blank")
    return name


Name = Annotated[str, AfterValidator(checked_name)]
"""Of a reranker, a data set, a suite or a profile."""


def told_apart(names: list[str]) -> None:
    """Raises ValueError: two of them differ only by case or by how letters are composed; some file systems take them
    for one."""
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if seen.setdefault(folded, name) != name:
            raise ValueError(f"the names {seen[folded]!r} and {name!r} differ by case only; rename one")


def is_word(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LMN"
