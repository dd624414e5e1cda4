"""A third party's reader, retriever and commands: installed by pip, found by entry point, used by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Install, Rr

SHELF = "Rooms by the sea\trooms near the beach\nBread and butter\tbreakfast\nThe canteen\tthe food\n"


@pytest.fixture
def library(installed: Install, rr_command: Rr, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    (tmp_path / "shelf.tsv").write_text(SHELF * 4, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(
        json.dumps(
            {
                "version": 1,
                "default_profile": "mine",
                "profiles": {"mine": {"suite": "mine"}},
                "suites": {
                    "mine": {
                        "datasets": {
                            "shelf": {
                                "reader": "rr-library/shelf",
                                "options": {"path": str(tmp_path / "shelf.tsv")},
                                "candidates": {"retriever": "initial", "options": {"weight": 2.0}, "depth": 5},
                            }
                        }
                    }
                },
                "rerankers": {"first-stage": {"reranker": "first_stage"}, "random": {"reranker": "random"}},
            }
        ),
        encoding="utf-8",
    )

    def run(*arguments: str) -> tuple[int, str, str]:
        ended = rr_command(*arguments, PYTHONPATH=str(installed("rr_library")), RR_REGISTRY=str(tmp_path / "mine.yaml"))
        return ended.returncode, ended.stdout, ended.stderr

    return run


def test_a_reader_and_a_retriever_are_benched_with(
    library: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, stderr = library("bench", "--all", "--out", "out")
    assert code == 0, stderr
    found = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))["datasets"][0]
    assert (found["retriever"], found["mean_candidates"]) == ("initial", 5)
    (tmp_path / "mine.yaml").write_text(
        (tmp_path / "mine.yaml").read_text(encoding="utf-8").replace('"weight"', '"wieght"'), encoding="utf-8"
    )
    code, stdout, _ = library("bench", "--all")
    assert code == 1
    assert "candidates.options: unknown key 'wieght'; did you mean 'weight'?" in " ".join(stdout.split())


def test_a_data_set_that_cannot_be_read_is_told_before_anything_is_computed(
    library: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """By the settings that its reader's registration names: nothing of it is imported."""
    text = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    good = text[text.index('"shelf": {') :].partition("}}}}")[0] + "}}"
    for broken, said in (
        (good.replace('"path"', '"pth"'), "data set 'other': options: unknown key 'pth'; did you mean 'path'?"),
        (good.replace("rr-library/shelf", "rr-library/shlef"), "no reader is called 'rr-library/shlef'"),
        (good.replace('"initial"', '"initail"'), "no retriever is called 'initail'; did you mean 'initial'?"),
    ):
        two = text.replace('"shelf": {', f'{broken.replace("shelf", "other", 1)}, "shelf": {{', 1)
        (tmp_path / "mine.yaml").write_text(two, encoding="utf-8")
        code, stdout, _ = library("list", "--json")
        assert code == 1
        assert said in {row["name"]: row["failure"] for row in json.loads(stdout)}["other"]
        code, _, stderr = library("bench", "--all")
        assert code == 1
        assert stderr.splitlines()[0].startswith("other FAILED: ")
        assert said in stderr.splitlines()[0]


def test_commands_stand_beside_our_own(library: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    assert "shelf" in library("--help")[1]
    assert "Show a shelf" in library("data", "--help")[1]
    assert library("data", "shelf", "shelf.tsv", "--most", "1") == (
        0,
        SHELF.splitlines()[0] + "\n",
        "",
    )
    assert library("shelf", "count", "shelf.tsv") == (0, "12 lines\n", "counting\n")
    assert "Exit code 1 if it is empty." in library("shelf", "count", "--help")[1]
    code, stdout, stderr = library("shelf", "count", "nowhere.tsv")
    assert (code, stdout, stderr) == (2, "", "error: nowhere.tsv: no such file; check the path\n")
    assert library("shelf", "copy", "shelf.tsv", "shelf.tsv", "--out", "both.tsv") == (0, "", "")
    assert (tmp_path / "both.tsv").read_text() == SHELF * 8
    (tmp_path / "shelf.tsv").write_text("")
    assert library("shelf", "count", "shelf.tsv")[:2] == (1, "0 lines\n")
    code, _, stderr = library("shelf", "count", "shelf.tsv", "--nonsense")
    assert (code, len(stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shelf", "count", ""), "it is empty; name a file or a folder"),
        (("shelf", "copy", "shelf.tsv", "--out", ""), "it is empty; name a file or a folder"),
        (("shelf", "copy", "shelf.tsv", "--out", "mine.yaml"), "mine.yaml exists already; delete it, or name another"),
        (("shelf", "copy", "shelf.tsv", "--out", "./shelf.tsv"), "--out is the very file that is read"),
        (("shelf", "copy", "shelf.tsv", "--out", "shelf.tsv/below"), "is no folder; name another --out"),
    ],
)
def test_the_paths_of_a_plugins_command_are_read_and_tried_as_ours_are(
    library: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], words: str
) -> None:
    code, stdout, stderr = library(*arguments)
    assert (code, stdout, len(stderr.splitlines())) == (2, "", 1)
    assert words in stderr
