"""`rr bench --checkpoint NAME=DIR`: what was trained, side by side, each under a name of its own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rr
from rr import Dataset, RerankError
from rr.files import home
from rr.registry.plugins import Plugins, installed_plugins
from rr_bench.evaluate.results import BenchResult, Row
from rr_bench.runs.database import find
from rr_bench.runs.rerun import rerun
from tests.bench.test_bench import trainable_registry  # noqa: F401 - a fixture
from tests.bench.test_checkpoints import PLUGINS, rooms, trained  # noqa: F401 - a fixture
from tests.bench.test_cli import failed
from tests.conftest import Rr


@pytest.fixture
def toys(small_registry: Path, rooms: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A registry of toys, and two checkpoints of one, `one/out` and `two/out`, beside it."""
    text = small_registry.read_text(encoding="utf-8")
    toys = "".join(f"  {name}: {{scorer: toy, trainer: toy, checkpoint: none}}\n" for name in ("toy", "doll"))
    other = "  other: {scorer: other, trainer: other}\n  both: {fuse: [toy, bm25]}\n"
    small_registry.write_text(f"{text}{toys}{other}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, weight in {"one": 2.0, "two": -1.0}.items():
        trained(rooms, out=tmp_path / name / "out", training={"weight": weight})
    return small_registry


def benched(registry: Path, names: list[str], given: Any, **asked: Any) -> BenchResult:
    plugins = Plugins([*installed_plugins().components, *PLUGINS.components])
    return rr.bench(names, checkpoints=given, registry=registry, plugins=plugins, **asked)


def rows(result: BenchResult) -> dict[str, Row]:
    return {row.reranker: row for row in result.datasets[0].rows}


def test_two_checkpoints_of_one_entry_stand_in_one_table(toys: Path) -> None:
    result = benched(toys, ["toy", "bm25"], ["toy=one/out", "toy=two/out/", "toy=none"], baseline="bm25")
    found = rows(result)
    assert set(found) == {"toy@one/out", "toy@two/out", "toy@none", "bm25"}
    assert [row.weights[0].checkpoint for row in found.values() if row.weights] == ["out", "out"]
    one, two, none = (found[f"toy@{name}"].per_query for name in ("one/out", "two/out", "none"))
    assert one == none != two  # a longer text is better, or worse
    assert all(row.difference for name, row in found.items() if name != "bm25")


def test_a_folder_of_a_name_of_its_own_is_called_by_it(toys: Path) -> None:
    shutil.copytree("one/out", "mine")
    assert set(rows(benched(toys, ["doll"], {"doll": [Path("mine"), "one/out"]}))) == {"doll@mine", "doll@out"}


def test_what_is_not_among_the_names_comes_behind_them_and_train_is_the_entry_itself(toys: Path) -> None:
    result = benched(toys, ["bm25"], ["toy=one/out", "doll=train"])
    assert set(rows(result)) == {"bm25", "toy@out", "doll"}


def test_that_it_was_trained_on_other_data_is_said(toys: Path, rooms: Dataset, tmp_path: Path) -> None:  # noqa: F811
    trained(replace(rooms, name="halls", fingerprint="f" * 64), out=tmp_path / "halls")
    (row,) = rows(benched(toys, ["toy"], {"toy": "halls"})).values()
    assert any("overlap with test is not known" in note for note in row.notes)
    trained(replace(rooms, fingerprint="f" * 64), out=tmp_path / "others")
    (row,) = rows(benched(toys, ["toy"], {"toy": "others"})).values()
    assert any("it may have seen these test queries" in note for note in row.notes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["toy"], ("'toy'", "NAME=DIR")),
        (["toy="], ("NAME=DIR",)),
        (["=one/out"], ("NAME=DIR",)),
        (["toys=one/out"], ("no reranker is called 'toys'", "did you mean 'toy'?")),
        (["toy=one/gone"], ("one/gone: no such folder", "rr train toy")),
        (["toy=one"], ("one: no checkpoint", "rr train")),
        (["other=one/out"], ("checkpoint of 'toy'", "'other' is", ":Other")),
        (["both=one/out"], ("made of toy, bm25",)),
        (["toy=one/out", "toy=one/out"], ("given twice",)),
        (["toy=one/out", "toy=./one/out"], ("one folder of 'toy' twice",)),
    ],
)
def test_what_cannot_be_scored_is_one_line_before_any_work(
    toys: Path, given: list[str], words: tuple[str, ...]
) -> None:
    with pytest.raises(RerankError) as refused:
        benched(toys, ["bm25"], given)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)
    assert not (home() / "scores").exists()


def test_other_base_weights_are_refused(
    toys: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.bench.test_checkpoints.Scorer.Settings.weights", lambda self: "changed")
    with pytest.raises(RerankError, match="other base weights than 'toy' has"):
        benched(toys, ["bm25"], ["toy=one/out"])


def test_a_damaged_checkpoint_is_refused_by_name(toys: Path) -> None:
    Path("one/out/weight.json").write_text("3.0")
    with pytest.raises(RerankError, match=r"damaged checkpoint, weight\.json is not the file that was written"):
        benched(toys, ["toy"], ["toy=one/out"])


def test_what_is_no_list_of_texts_is_a_type_error(toys: Path) -> None:
    for given, place in (("toy=one/out", "checkpoints"), ({"toy": 3}, r"checkpoints\['toy'\]"), ([3], r"\[0\]")):
        with pytest.raises(TypeError, match=place):
            benched(toys, ["toy"], given)


def test_a_run_with_checkpoints_is_recorded_and_runs_again(
    rr_command: Rr,
    trainable_registry: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command, with the real head."""
    common = ("--registry", trainable_registry)
    for name, epochs in (("few", "1"), ("more", "3")):
        ended = rr_command("train", "head", "-d", "rooms", *common, "--epochs", epochs, "--out", tmp_path / name)
        assert ended.returncode == 0, ended.stderr
    ended = rr_command("bench", *common, "--checkpoint", "head=few", "--checkpoint", "head=more")
    assert ended.returncode == 0, ended.stderr
    assert "head@few" in ended.stdout
    assert "checkpoint more (" in ended.stdout
    monkeypatch.chdir(tmp_path)
    run = find("latest")
    assert "--checkpoint head=few --checkpoint head=more" in run.about["command"]
    again = rerun(run)
    assert [row.per_query for row in again.result.datasets[0].rows] == [
        row.per_query for row in run.result.datasets[0].rows
    ]
    failed(rr_command("bench", *common, "--checkpoint", "head=gone"), "gone: no such folder")
    failed(rr_command("bench", "bm25", *common, "--checkpoint", "head"), "NAME=DIR")
    baseline = ("--baseline", "head", "--checkpoint", "head=few")
    failed(rr_command("bench", *common, *baseline), "did you mean 'head@few'?")
