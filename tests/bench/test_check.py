"""`rr check`: what the kit finds, told and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rr
from rr.files import home
from rr.files.kept import with_checksum
from rr.registry.plugins import installed_plugins
from rr_bench.registry import load_registry
from rr_bench.testing.targets import all_targets
from tests.conftest import ROOT, Rr

Install = Callable[[str], Path]
PACKAGED = ROOT / "registry.yaml"


def rows(rr_command: Rr, registry: Path, **environment: str) -> dict[str, Any]:
    listed = rr_command("list", "--json", "--registry", registry, **environment)
    return {row["name"]: row for row in json.loads(listed.stdout)}


def test_what_is_found_is_told_and_kept_for_the_lists(rr_command: Rr, small_registry: Path) -> None:
    assert rows(rr_command, small_registry)["random"]["checked"] == ""
    assert "checked: never; rr check random" in rr_command("info", "random", "--registry", small_registry).stdout
    ended = rr_command("check", "random", "--registry", small_registry)
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert line.startswith("reranker random: ")
    assert ", 0 failed, " in line
    row = rows(rr_command, small_registry)["random"]
    assert " passed, 20" in row["checked"]
    assert row["capabilities"]["scale"] == "rank"
    assert row["kind"] == "reranker"
    assert row["api"] == rr.API
    assert row["licence"] == "Apache-2.0"
    told = json.loads(rr_command("info", "random", "--json", "--registry", small_registry).stdout)
    assert told["checked"] == row["checked"]
    assert [setting["name"] for setting in told["settings"]] == ["seed"]


def test_verbose_and_json_tell_every_check(rr_command: Rr, small_registry: Path) -> None:
    shown = rr_command("check", "first-stage", "-v", "--registry", small_registry)
    names = [line.split()[-1] for line in shown.stdout.splitlines() if line.startswith("  passed")]
    assert {"plugin-is-imported", "each-candidate-once", "memory-flat"} <= set(names)
    (told,) = json.loads(rr_command("check", "first-stage", "--json", "--registry", small_registry).stdout)
    assert told["ok"] is True
    assert [one["check"] for one in told["checks"] if one["verdict"] == "passed"] == names


def test_a_data_set_a_plugin_and_a_component_have_names_too(rr_command: Rr, small_registry: Path) -> None:
    ended = rr_command("check", "rooms", "measures", "run", "--registry", small_registry)
    assert ended.returncode == 0, ended.stdout
    starts = [line.partition(":")[0] for line in ended.stdout.splitlines()]
    assert starts == ["reader jsonl of rooms", "retriever bm25 of rooms", "plugin measures", "retriever run"]


def test_what_fails_is_named_with_its_page_and_the_code_with_which_it_failed(
    rr_command: Rr, small_registry: Path, installed: Install
) -> None:
    path = str(installed("rr_broken"))
    ended = rr_command("check", "gives_nan", "needs_settings", "--registry", small_registry, PYTHONPATH=path)
    assert ended.returncode == 1, ended.stderr
    assert "  FAILED  " in ended.stdout
    assert "docs/checks/" in ended.stdout
    assert "scorer needs_settings: 0 passed, 1 failed" in ended.stdout
    assert "Traceback" not in ended.stderr
    found = rows(rr_command, small_registry, PYTHONPATH=path)["gives_nan"]["checked"]
    assert " failed: " in found
    (kept,) = (home() / "checks").glob("*gives_nan-*.json")
    content = json.loads(kept.read_text(encoding="utf-8"))
    content.pop("sha256")
    content["content"]["code"] = ["that of another day"]
    kept.write_text(json.dumps(content), encoding="utf-8")  # without its checksum it is nothing to rely on
    assert rows(rr_command, small_registry, PYTHONPATH=path)["gives_nan"]["checked"] == ""
    kept.write_text(json.dumps(with_checksum(content)), encoding="utf-8")
    found = rows(rr_command, small_registry, PYTHONPATH=path)["gives_nan"]["checked"]
    assert found.endswith(", of other code than today")


def test_whatever_a_component_raises_is_told_in_a_line(
    rr_command: Rr, small_registry: Path, installed: Install
) -> None:
    path = str(installed("rr_broken"))
    names = ["raises_at_load", "missing_class", "gives_wrong_shape", "raises_in_score"]
    ended = rr_command("check", *names, "--registry", small_registry, PYTHONPATH=path)
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    told = [line for line in ended.stdout.splitlines() if line.startswith("scorer ")]
    assert [line.partition(":")[0].split()[1] for line in told] == names
    assert not [line for line in told if " 0 failed" in line]


def test_the_example_of_the_readme_passes(rr_command: Rr, small_registry: Path, installed: Install) -> None:
    ended = rr_command("check", "overlap", "--registry", small_registry, PYTHONPATH=str(installed("rr_overlap")))
    assert ended.returncode == 0, ended.stdout
    assert "scorer overlap: " in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bm52"], "nothing is called 'bm52'; did you mean 'bm25'"),
        ([], "name what to check, or give --all"),
        (["bm25", "--all"], "name what to check, or give --all"),
    ],
)
def test_names_that_are_not_there(words: list[str], said: str, rr_command: Rr, small_registry: Path) -> None:
    ended = rr_command("check", *words, "--registry", small_registry)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_all_leaves_out_nothing_that_is_installed() -> None:
    plugins = installed_plugins()
    found = all_targets(load_registry(PACKAGED), plugins, None)
    named = {(target.kind, target.name.partition(" of ")[0]) for target in found}
    used = {(target.kind, component) for target in found for component in target.components}
    for one in plugins.components:
        if one.kind in ("scorer", "reranker", "reader", "retriever"):
            full = f"{one.distribution}/{one.component.name}"
            assert (one.kind, one.component.name) in used or (one.kind, full) in named, full
    assert {("plugin", name) for name in ("data", "http", "letters")} <= named
