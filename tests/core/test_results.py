"""docs/results: all of one commit; and what README says writes a result is what `benchmarks/results.sh` runs."""

from __future__ import annotations

import re

from tests.conftest import ROOT

RESULTS = ROOT / "docs" / "results"
TABLE = re.compile(r"^\| \[(\w[\w-]*)\].* \| `(?:RR_SHARED_DATA=\S+ )?(?:OMP_NUM_THREADS=1 )?(.*)` \|$", flags=re.M)
WITH_ITS_BENCH = {"README", "bench", "report-1280", "report-390"}
"""The page of the embedded bench, and looks at it."""


def commands() -> dict[str, str]:
    return dict(TABLE.findall((RESULTS / "README.md").read_text(encoding="utf-8")))


def test_all_are_of_one_commit() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (RESULTS / "README.md", ROOT / "README.md")]
    named = [re.findall(r"\bcommit,? ([0-9a-f]{7,40})\b", text) for text in texts]
    assert all(named), "each says of which"
    assert len({commit for found in named for commit in found}) == 1, named


def test_every_result_has_its_command() -> None:
    there = {path.name.split(".")[0] for path in RESULTS.iterdir()} - WITH_ITS_BENCH
    assert commands().keys() == there


def test_one_script_runs_them_all() -> None:
    script = {line.split(" #")[0].strip() for line in (ROOT / "benchmarks" / "results.sh").read_text().splitlines()}
    for name, command in commands().items():
        if measured := re.fullmatch(rf"python benchmarks/{name}\.py (.*)--json docs/results/{name}\.json", command):
            assert f"measured {name} {measured[1]}".strip() in script
        else:
            assert command.replace(f"docs/results/{name}", f'"$results/{name}"') in script, command
