"""Text of others (plugins, registries, data, errors) as each format may hold it: what it says is seen, and it can be
neither a formula, nor markup, nor a command to a terminal. JSON has escapes of its own, so there it stays exact."""

from __future__ import annotations

import json
import re
from typing import Any

UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What acts instead of being seen: control characters but tab and line ends, line separators, overrides of the
direction of writing; and halves of surrogate pairs, which no file can hold."""
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""A spreadsheet calculates a cell that begins so (OWASP, "CSV Injection")."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def visible(text: str) -> str:
    """The text with what acts instead of being seen spelled out: `\\x1b`, `\\u202e`."""
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def terminal(text: str) -> str:
    """One line for a terminal."""
    first, *others = text.splitlines() or [""]
    return visible(" ".join([first.rstrip(), *(line.strip() for line in others)]) if others else first)


def markdown(text: str) -> str:
    """One line of plain text in Markdown: no HTML, link, image, code or emphasis, no heading or list of its own."""
    line = re.sub(r"^[-+#=]", r"\\\g<0>", _inline(text))
    return re.sub(r"^([0-9]+)([.)])(?=\s|$)", r"\1\\\2", line)


def markdown_cell(text: str) -> str:
    """As `markdown`, within a table."""
    return _inline(text).replace("|", "\\|")


def csv_cell(value: object) -> object:
    """A cell that a spreadsheet shows: text that it would calculate has an apostrophe in front. Numbers stay."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that a terminal can show and any file can hold, and that reads back as it was."""
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False, indent=indent))


def _inline(text: str) -> str:
    line = " ".join(terminal(text).split())
    line = re.sub(r"[\\`*~]", r"\\\g<0>", line)
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)  # within a word it is no emphasis
    line = re.sub(r"\](?=[(\[:])", r"\\]", line)  # with what follows it would make a link, or the target of one
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
