"""Measures of somebody else's distribution, really installed, and `rr measures`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from rr.measures import evaluate_all, metric
from rr.protocols import Settings
from rr.registry.plugins import GROUP, discover, installed_plugins
from rr_bench.data.view import shown
from rr_bench.keys import settings_key
from tests.bench.test_population import dataset_of
from tests.conftest import ROOT, Install, Rr

Measured = Callable[..., subprocess.CompletedProcess[str]]
WRONG = {
    "raises": "metric 'raises' of rr-measured broke: RuntimeError: raised in a measure",
    "one_number": "metric 'one_number' of rr-measured gave an array of shape () for 4 queries; give one value a query",
    "not_a_number": "metric 'not_a_number' of rr-measured gave nan; a measure lies between 0 and 1",
    "beyond_one": "metric 'beyond_one' of rr-measured gave 7.5; a measure lies between 0 and 1",
    "writes": "metric 'writes' of rr-measured broke: ValueError: assignment destination is read-only",
    "exits": "metric 'exits' of rr-measured broke: SystemExit: 0",
}


@pytest.fixture
def measured(installed: Install, rr_command: Rr, small_registry: Path) -> Measured:
    path = os.pathsep.join([str(installed("rr_measured")), os.environ.get("PYTHONPATH", "")])

    def run(metrics: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        text = small_registry.read_text(encoding="utf-8").replace("[nDCG@10, MRR@10]", metrics)
        registry = small_registry.with_name("measured.yaml")
        registry.write_text(text, encoding="utf-8")
        return rr_command(*arguments, PYTHONPATH=path, RR_REGISTRY=str(registry))

    return run


def test_it_stands_in_a_bench_as_ours_do_and_no_score_depends_on_it(measured: Measured, tmp_path: Path) -> None:
    first = measured("[nDCG@10, MRR@10]", "bench", "random", "bm25", "--out", "first")
    assert first.returncode == 0, first.stderr
    metrics = "[Nearness@3, 'Nearness(rel=2)', rr-measured/nDCG, nDCG@10]"
    ended = measured(metrics, "bench", "random", "bm25", "--out", "out")
    assert ended.returncode == 0, ended.stderr
    plain, found = (json.loads((tmp_path / name / "bench.json").read_text()) for name in ("first", "out"))
    for row, before in zip(found["datasets"][0]["rows"], plain["datasets"][0]["rows"], strict=True):
        assert row["scores_from_store"]
        values = row["per_query"]
        assert values["nDCG@10"] == before["per_query"]["nDCG@10"]
        assert len(values["rr-measured/nDCG"]) == len(values["nDCG@10"])
        assert set(values["Nearness(rel=2)"]) == {0.0}
        assert all(0 <= value <= 1 for value in values["Nearness@3"])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_a_line_that_names_whose_it_is(measured: Measured, tmp_path: Path, name: str) -> None:
    ended = measured(f"[{name}, MRR]", "bench", "random", "--out", "out")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    (row,) = json.loads((tmp_path / "out" / "bench.json").read_text())["datasets"][0]["rows"]
    assert row["failure"] == WRONG[name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent", "measure 'rr-measured/absent': rr_measured:nothing_is_called_so cannot be imported"),
        ("needy", "measure 'rr-measured/needy' needs nobody-has-this; install with: pip install nobody-has-this"),
        ("Nearnes@3", "metric 'Nearnes@3': no measure is called 'Nearnes'; did you mean 'Nearness'?"),
        ("Nearness(rle=2)", "metric 'Nearness(rle=2)': unknown key 'rle'; did you mean 'rel'?"),
    ],
)
def test_one_that_cannot_be_had_is_told_before_the_work(
    measured: Measured, tmp_path: Path, name: str, said: str
) -> None:
    ended = measured(f'["{name}"]', "bench", "random", "--out", "out")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert said in ended.stderr
    assert not (tmp_path / "out" / "bench.json").exists()


def test_rr_measures_lists_ours_and_theirs(measured: Measured) -> None:
    ended = measured("[MRR]", "measures", "--json")
    assert ended.returncode == 1
    rows = {(row["distribution"], row["name"]): row for row in json.loads(ended.stdout)}
    nearness = rows["rr-measured", "Nearness"]
    assert nearness["parameters"] == {"rel": 1, "cutoff": None}
    assert (nearness["formula"], nearness["source"], nearness["failure"]) == ("1 - others above / others", "nobody", "")
    assert "cannot be imported" in rows["rr-measured", "absent"]["failure"]
    assert (
        "already registered by rerank-registry; write 'rr-measured/nDCG'" in rows["rr-measured", "measured"]["failure"]
    )
    assert rows["rerank-registry", "P"]["required"] == ["cutoff"]
    assert rows["rerank-registry", "RBP"]["parameters"] == {"cutoff": None, "p": 0.8, "rel": None}
    for one in installed_plugins().of_kind("measure"):
        row = rows["rerank-registry", one.component.name]
        assert row["formula"]
        assert row["source"]


def test_the_table_of_measures(rr_command: Rr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ended = rr_command("measures")
    assert ended.returncode == 0, ended.stderr
    assert "nDCG" in ended.stdout
    assert "cutoff, rel=1" in ended.stdout  # of P


class Selecting(Settings):
    dev_metric: str

    def selects_by(self) -> str:
        return self.dev_metric


def test_what_is_selected_by_a_measure_of_others_depends_on_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests" / "dist" / "rr_measured")
    found = discover([*entry_points(group=GROUP), EntryPoint("measured", "rr_measured", GROUP)])
    for module in ("rr.measures.names", "rr_bench.keys"):
        monkeypatch.setattr(f"{module}.installed_plugins", lambda: found)
    (theirs,) = settings_key(Selecting(dev_metric="Nearness@3"))["components"]
    assert theirs["component"] == "rr_measured:nearness"
    for name in ("nDCG@10", "a figure of its own"):
        assert settings_key(Selecting(dev_metric=name))["components"] == []


def test_what_is_judged_and_not_relevant_comes_through_to_the_measures() -> None:
    judged = {"q0": {"d1": 2, "d2": 0, "d3": -1}}
    run = {"q0": {"d1": 2.0, "d2": 3.0, "d3": 4.0, "d4": 1.0}}
    dataset = dataset_of(run, judged)
    assert dataset.qrels == judged
    values = evaluate_all(run, shown(dataset).qrels, ["q0"], [*map(metric, ("Judged@4", "Bpref", "RR"))])
    assert {name: found[0] for name, found in values.items()} == {"Judged@4": 0.75, "Bpref": 0.0, "RR": 1 / 3}
