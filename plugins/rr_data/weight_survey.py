"""What a file of rental listings says about its hard negatives' weights, and a copy of it with the gaps filled."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rr import DataError
from rr.data import Row, parse_json, read_text
from rr.files import write_atomic
from rr_data.weights import WeightConfig, combined_weight, given_weight, types_of

TOLERANCE = 1e-6
"""Of a given weight that counts as the rule's."""


@dataclass
class Survey:
    """Weights by their negatives' types (sorted names, each once), and the places of those that need a look."""

    rows: int = 0
    given: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    unweighed: dict[str, list[str]] = field(default_factory=lambda: {"0": [], "null": [], "missing": []})
    bad: list[str] = field(default_factory=list)
    """Negative, NaN or no number: what the error about it says."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Types that the weight file does not name, which weigh what `other` does."""
    differing: list[str] = field(default_factory=list)
    """Given weights that are not what the weight file gives."""


def survey(path: Path, config: WeightConfig | None) -> Survey:
    """
    Raises:
        DataError: the file is missing or malformed, apart from its weights.
    """
    found, rows = Survey(), set()
    for row, negative, raw in _negatives(path, _content(path)[0]):
        rows.add(row.at)
        types = tuple(sorted(set(types_of(negative))))
        if config:
            found.unknown.update(type_ for type_ in types if type_ not in config.weights)
        weights = found.given.setdefault(types, [])
        try:
            weight = given_weight(negative, row.text("query"))
        except DataError as error:
            found.bad.append(str(error))
            continue
        if weight is None:
            kind = "missing" if "weight" not in raw else "null" if raw["weight"] is None else "0"
            found.unweighed[kind].append(negative.at)
            continue
        weights.append(weight)
        if config and not math.isclose(weight, expected := combined_weight(types, config), abs_tol=TOLERANCE):
            found.differing.append(f"{negative.at}: {weight:g} given, {expected:g} by the weight file")
    found.rows = len(rows)
    return found


def write_filled(path: Path, config: WeightConfig, out: Path) -> int:
    """Writes a copy whose weights of 0, null or missing are filled from their types, and gives their number. Nothing
    else is changed: same structure, same order of keys, same indentation.

    Raises:
        DataError: `out` exists, a weight is negative or no number, or the file is malformed.
    """
    if os.path.lexists(out):
        raise DataError(f"{out} exists already; delete it, or name another")
    items, written = _content(path)
    filled = 0
    for row, negative, raw in _negatives(path, items):
        if given_weight(negative, row.text("query")) is None:
            # the rule's sums are decimal; binary noise in the 16th place would only puzzle the file's readers
            raw["weight"] = round(combined_weight(types_of(negative), config), 6)
            filled += 1
    write_atomic(out, written(items))
    return filled


def _content(path: Path) -> tuple[list[Any], Callable[[list[Any]], str]]:
    """The parsed rows, and how to write them again as the file has them."""
    text = read_text(path)
    tail = "\n" if text.endswith("\n") else ""
    # a weight of NaN is found here, with its query and listing
    if text.lstrip().startswith("["):
        indented = re.match(r"\s*\[\n( +)", text)
        indent = len(indented[1]) if indented else None
        items = parse_json(text, str(path), constants=True)
        return items, lambda items: json.dumps(items, ensure_ascii=False, indent=indent) + tail
    lines = [
        parse_json(line, str(path), number, constants=True)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]
    return lines, lambda items: "\n".join(json.dumps(item, ensure_ascii=False) for item in items) + tail


def _negatives(path: Path, items: list[Any]) -> Iterator[tuple[Row, Row, dict[str, Any]]]:
    """Each hard negative with its row, and as the very object that was parsed."""
    for number, item in enumerate(items, 1):
        row = Row.of(path, f"item {number}", item)
        for child, raw in zip(row.children("hard_neg"), row.fields["hard_neg"], strict=True):
            yield row, child, raw
