"""HTML from texts of others: what they say is seen, and nothing in them acts."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rr_bench.report import escape

NUMBER = ' class="number"'


def text(value: str) -> str:
    """As content, or within a quoted attribute."""
    return html.escape(escape.visible(value))


def cut(value: str, longest: int) -> str:
    """The beginning of a text, as `text`; what is cut off is marked."""
    line = " ".join(value.split())
    return text(line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…")


@dataclass(frozen=True)
class Cell:
    """`shown`: text as it is; `key`: what its column is sorted by, where that is not the text."""

    shown: str
    key: float | None = None
    bold: bool = False
    badge: str = ""
    """A word behind it that stands out: `fault`."""


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], sortable: bool = False) -> str:
    """The first cell of a row is its name. It scrolls sideways within its place where there is no room for it."""
    rows = list(rows)
    numeric = {place for row in rows for place, cell in enumerate(row) if cell.key is not None}
    heads = "".join(
        f'<th scope="col"{NUMBER if place in numeric else ""}>{text(name)}</th>' for place, name in enumerate(header)
    )
    lines = "".join(f"<tr>{''.join(_cell(cell, place) for place, cell in enumerate(row))}</tr>" for row in rows)
    kind = ' class="sortable"' if sortable else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}">'
        f"<table{kind}><caption>{text(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(cell: Cell, place: int) -> str:
    shown = f"<strong>{text(cell.shown)}</strong>" if cell.bold else text(cell.shown)
    if cell.badge:
        shown += f' <span class="badge {text(cell.badge)}">{text(cell.badge)}</span>'
    key = "" if cell.key is None else f' data-key="{cell.key!r}"'
    number = NUMBER if cell.key is not None else ""
    return f'<th scope="row"><span>{shown}</span></th>' if place == 0 else f"<td{number}{key}>{shown}</td>"


def items(texts: Iterable[str]) -> str:
    """A list of what is HTML already; nothing of none."""
    listed = "".join(f"<li>{one}</li>" for one in texts)
    return f"<ul>{listed}</ul>" if listed else ""


def details(summary: str, content: str) -> str:
    """What is folded up until it is asked for; `content` is HTML."""
    return f"<details><summary>{text(summary)}</summary>{content}</details>"
