"""What the benchmarks print: figures beside their goals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Line:
    """A figure beside its goal; without a goal it is for information."""

    name: str
    value: float
    goal: float | None = None
    at_least: bool = True

    @property
    def holds(self) -> bool:
        return self.goal is None or (self.value >= self.goal if self.at_least else self.value <= self.goal)

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        goal = "" if self.goal is None else f"goal {sign} {self.goal:.3g}  {'holds' if self.holds else 'MISSED'}"
        return f"{self.name:<74}{self.value:>8.3f}  {goal}"


def report(lines: Sequence[Line], file: Path | None, device: str | None = None) -> int:
    """Prints the figures, writes them as JSON where a file is named, and returns the exit status: 0 if all goals
    hold. `device`: what they are of, by its make, where it is no CPU; it then stands beside them."""
    for line in lines:
        print(line)
    if file:
        rows = [{"name": x.name.strip(), "value": x.value, "goal": x.goal, "holds": x.holds} for x in lines]
        told = rows if device is None else {"device": device, "figures": rows}
        file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0 if all(line.holds for line in lines) else 1
