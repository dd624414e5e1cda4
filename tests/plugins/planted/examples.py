"""The examples of docs/doctor, from what the shelf was told: `RR_PLANTED=FILE pytest -m planted`, then
`python -m tests.plugins.planted.examples FILE`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PAGES = Path(__file__).parents[3] / "docs" / "doctor"
BEGIN, END = "<!-- example -->", "<!-- /example -->"
BAD = ("fault", "warning")
TEMPORARY = re.compile(r"/\S*/pytest-of-\S+")

Findings = Sequence[Mapping[str, str]]


def read(file: Path) -> dict[str, Findings]:
    """Plant → its findings, in one order whichever of several workers was first; of a plant told twice the last. The
    plants of `counter` are last: nobody else has such an entry to paste a command for."""
    told = {one["plant"]: one["findings"] for one in map(json.loads, file.read_text(encoding="utf-8").splitlines())}
    return {plant: told[plant] for plant in sorted(told, key=lambda plant: (plant.startswith("counter"), plant))}


def example(check: str, told: Mapping[str, Findings]) -> str | None:
    """The first training that the check leads the faults of; else the first with a fault of it; else the first without
    any fault that it was asked about. None where there is none of them."""
    behind, healthy = None, None
    for plant, findings in told.items():
        own = next((one for one in findings if one["check"] == check), None)
        bad = [one for one in findings if one["verdict"] in BAD]
        if own is None:
            continue
        if own in bad and own is bad[0]:
            return shown(f"Of the training *{plant}* on the planted shelf:", own)
        if own in bad and behind is None:
            behind = shown(
                f"Of the training *{plant}* on the planted shelf, behind its cause `{bad[0]['check']}`:", own
            )
        if not bad and own["verdict"] == "ok" and healthy is None:
            healthy = shown(f"Of a healthy training, *{plant}*:", own)
    return behind or healthy


def shown(head: str, finding: Mapping[str, str]) -> str:
    """As `rr doctor` tells it."""
    command = f"next: {finding['command']}" if finding["command"] else ""
    lines = [f"{finding['verdict']}: {finding['check']}", finding["evidence"], finding["meaning"], command]
    text = TEMPORARY.sub("CHECKPOINT", "\n".join(line for line in lines if line))
    return f"{head}\n\n```text\n{text}\n```"


def written(page: str, text: str) -> str:
    """The page with this example."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def main(file: Path) -> int:
    """Writes them; the exit code is 1 where a page, which is named, has none."""
    told = read(file)
    left = []
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if BEGIN not in text:
            continue
        found = example(page.stem, told)
        if found is None:
            left.append(page.stem)
        else:
            page.write_text(written(text, found), encoding="utf-8")
    if left:
        sys.stderr.write(f"{file}: no fault of, and no healthy training with, {', '.join(left)}\n")
    return int(bool(left))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
