"""`rr data weights`: what it finds in a file of weighted negatives, and the copy that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rr.errors import DataError
from rr_data.weight_survey import survey, write_filled
from rr_data.weights import WeightConfig
from tests.conftest import Rr

CONFIG = WeightConfig({"location": 2.5, "price": 2.0, "area": 1.5, "amenity": 1.0, "other": 0.5})
WEIGHT_FILE = {**CONFIG.weights, "_metadata": {"method": "max_incremental", "increment_ratio": 0.3, "cap": 4.0}}


def negative(text: str, types: object, *weight: object) -> dict[str, Any]:
    return {"text": text, "type": types, **({"weight": weight[0]} if weight else {}), "note": "giữ"}


ROWS = [
    {
        "query": "phòng q1",
        "pos": "Phòng trọ quận 1",
        "hard_neg": [
            negative("a", ["price"], 2.0),
            negative("b", ["price", "area"], 2.45),
            negative("c", ["area", "price", "area"], 2.9),
            negative("d", ["location"], 0),
            negative("e", "view", None),
        ],
    },
    {"query": "q2", "pos": "P", "hard_neg": [negative("f", ["view", "price"]), negative("g", [], 0.5)]},
]
FILLED = {"d": 2.5, "e": 0.5, "f": 2.0 + 0.3 * 0.5}


def saved(path: Path, rows: list[dict[str, Any]], **how: Any) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False, **how), encoding="utf-8")
    return path


def test_a_survey_counts_by_types_and_names_places(tmp_path: Path) -> None:
    found = survey(saved(tmp_path / "rows.json", ROWS), CONFIG)
    assert found.rows == 2
    assert found.given == {
        ("price",): [2.0],
        ("area", "price"): [2.45, 2.9],
        ("location",): [],
        ("view",): [],
        ("price", "view"): [],
        (): [0.5],
    }
    assert found.unweighed == {
        "0": ["item 1, hard_neg 4"],
        "null": ["item 1, hard_neg 5"],
        "missing": ["item 2, hard_neg 1"],
    }
    assert found.unknown == {"view": 2}
    assert found.differing == ["item 1, hard_neg 3: 2.9 given, 2.45 by the weight file"]
    assert found.bad == []


@pytest.mark.parametrize(
    ("weight", "said"), [(-0.5, "-0.5"), (float("nan"), "nan"), ("much", "'much'"), (True, "True")]
)
def test_a_weight_that_cannot_be_is_found_by_row_and_never_filled(tmp_path: Path, weight: object, said: str) -> None:
    path = saved(tmp_path / "rows.json", [{"query": "q", "pos": "P", "hard_neg": [negative("n", ["price"], weight)]}])
    (problem,) = survey(path, CONFIG).bad
    assert "item 1, hard_neg 1: 'weight'" in problem
    assert said in problem
    assert "(query 'q', listing 'n')" in problem
    with pytest.raises(DataError, match="hard_neg 1: 'weight'"):
        write_filled(path, CONFIG, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("how", [{}, {"indent": 4}, {"indent": 2}])
def test_a_copy_is_the_file_but_for_the_filled_weights(tmp_path: Path, how: dict[str, int]) -> None:
    path, out = saved(tmp_path / "rows.json", ROWS, **how), tmp_path / "out.json"
    assert write_filled(path, CONFIG, out) == 3
    expected = json.loads(json.dumps(ROWS))
    for row in expected:
        for item in row["hard_neg"]:
            item["weight"] = FILLED.get(item["text"], item.get("weight"))
    assert json.loads(out.read_text(encoding="utf-8")) == expected
    # the one key that was missing comes last
    assert out.read_text(encoding="utf-8") == json.dumps(expected, ensure_ascii=False, **how)  # type: ignore[arg-type]
    assert survey(out, CONFIG).unweighed == {"0": [], "null": [], "missing": []}


def test_a_copy_of_jsonl_is_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    write_filled(path, CONFIG, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line)["query"] for line in lines] == ["phòng q1", "q2"]
    assert "phòng" in lines[0]


def test_the_command_shows_and_fills_and_overwrites_nothing(tmp_path: Path, rr_command: Rr) -> None:
    path = saved(tmp_path / "rows.json", ROWS)
    weights = tmp_path / "weights.json"
    weights.write_text(json.dumps(WEIGHT_FILE), encoding="utf-8")
    ended = rr_command("data", "weights", path, "--weight-file", weights, "--out", "out.json")
    assert ended.returncode == 0, ended.stderr
    assert "filled 3 weights in out.json" in ended.stderr
    for line in (
        "4 weights in 2 rows",
        "by value: 0.5 × 1, 2 × 1, 2.45 × 1, 2.9 × 1",
        "weights that are 0: 1 (item 1, hard_neg 4)",
        "weights that are null: 1 (item 1, hard_neg 5)",
        "weights that are missing: 1 (item 2, hard_neg 1)",
        "weights that are negative or no number: 0",
        "types unknown to the weight file, weighed as 'other': view × 2",
    ):
        assert line in ended.stdout.splitlines()
    before = path.read_bytes()
    for target, words in (
        (path, "--out is the very file that is read"),
        (tmp_path / "out.json", "exists already; delete it, or name another --out"),
    ):
        refused = rr_command("data", "weights", path, "--weight-file", weights, "--out", target)
        assert refused.returncode == 2
        assert words in refused.stderr
    assert path.read_bytes() == before
    without = rr_command("data", "weights", path, "--out", "other.json")
    assert (without.returncode, "--weight-file" in without.stderr) == (2, True)


def test_the_commands_exit_code_tells_of_impossible_weights(tmp_path: Path, rr_command: Rr) -> None:
    rows = [{"query": "q", "pos": "P", "hard_neg": [negative("n", ["price"], -1)]}]
    ended = rr_command("data", "weights", saved(tmp_path / "rows.json", rows))
    assert ended.returncode == 1
    assert "negative or no number: 1" in ended.stdout


@pytest.mark.real
def test_the_real_file_is_copied_to_the_byte(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "rental" / "data-set-with-weight.json"
    assert write_filled(path, CONFIG, tmp_path / "out.json") == 0
    assert (tmp_path / "out.json").read_bytes() == path.read_bytes()
    found = survey(path, CONFIG)
    assert (found.rows, sum(map(len, found.given.values())), len(found.differing)) == (3239, 9482, 74)
