"""The texts around a request, one a task: files that ship with the plugin, or the user's own in their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Literal

from rr import RerankError

FOLDER = Path(__file__).parent / "templates"
Layout = Literal["question-last", "question-first"]
FIELDS = {"question", "history", "candidates", "letters"}


@dataclass(frozen=True, slots=True)
class Templates:
    """`next_item` is used for queries with a history, `passage` for those without one."""

    next_item: str
    passage: str


def read_templates(
    next_item: Path | None = None, passage: Path | None = None, layout: Layout = "question-first"
) -> Templates:
    """The given files, or the plugin's own in that layout.

    Raises:
        RerankError: a file cannot be read, lacks a field that its task needs, or has one that does not exist.
    """
    own = FOLDER / layout.replace("-", "_")
    return Templates(
        _read(next_item or own / "next_item.txt", {"history", "candidates", "letters"}),
        _read(passage or own / "passage.txt", {"question", "candidates", "letters"}),
    )


def _read(path: Path, needed: set[str]) -> str:
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig").rstrip("\n")
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except (OSError, ValueError) as error:
        raise RerankError(f"prompt template {path} cannot be read: {error}") from error
    # as they are written: neither a format ({history:>9}) nor a conversion ({history!r}) is meant for lists of texts
    fields = {f"{name}{'!' + kind if kind else ''}{':' + form if form else ''}" for _, name, form, kind in parts}
    wrong = [f"lacks {{{name}}}" for name in sorted(needed - fields)]
    wrong += [f"has {{{name}}}, which does not exist" for name in sorted(fields - FIELDS)]
    if wrong:
        raise RerankError(f"prompt template {path} {' and '.join(wrong)}; double a brace that is meant as text")
    return text
