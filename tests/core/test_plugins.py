"""Plugins of other distributions, really installed: found, compared, and kept apart when they break."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from rr.errors import PluginError
from rr.registry.plugins import discover, installed_plugins
from tests.conftest import Rr

Install = Callable[[str], Path]

REASONS = {
    "broken_import": "import failed: RuntimeError: raised at import",
    "broken_registration": "registration failed: RuntimeError: raised at registration",
    "broken_hook": "registration failed: PluginValidationError",
    "broken_rows": "registration failed: PluginError: a hook returned 'not a component'",
    "broken_name": "scorer 'bm25' of rr-broken is already registered by rerank-registry",
    "missing_target": "rr_broken.nowhere:Scorer cannot be imported: ModuleNotFoundError",
    "missing_class": "rr_broken.in_use:Nothing cannot be imported: AttributeError",
    "raises_at_load": "cannot be loaded: RuntimeError: raised at load",
    "raises_in_score": "RuntimeError: raised in score",
    "gives_nan": "6 of 6 scores are NaN or infinite",
    "gives_too_few": "5 scores for 6 candidates",
    "gives_too_few_answers": "0 answers to 1 requests",
    "gives_wrong_shape": "not a flat sequence of numbers",
    "gives_none": "the scorer gave NoneType, not a list of answers",
    "needs_settings": "key 'model' is missing",
    "needs_package": "install with: pip install no-such-package",
}


@pytest.fixture
def light_registry(small_registry: Path) -> Path:
    """Without the row that imports torch, which takes longer than all the others."""
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.partition("  bi-encoder:")[0], encoding="utf-8")
    return small_registry


def test_a_distribution_of_someone_else_is_listed_and_benched(
    installed: Install, rr_command: Rr, light_registry: Path, tmp_path: Path
) -> None:
    path = str(installed("rr_overlap"))
    listed = rr_command("list", "--json", "--registry", light_registry, PYTHONPATH=path)
    assert listed.returncode == 0, listed.stderr
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["overlap"]["distribution"] == "rr-overlap"

    benched = rr_command("bench", "--all", "--registry", light_registry, "--out", tmp_path / "out", PYTHONPATH=path)
    assert benched.returncode == 0, benched.stderr
    result = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    measured = {row["reranker"]: row["metrics"]["nDCG@10"]["mean"] for row in result["datasets"][0]["rows"]}
    assert measured["overlap"] > measured["random"]
    assert "overlap" in benched.stdout


def test_every_way_to_break_is_a_failed_row_with_its_reason(
    installed: Install, rr_command: Rr, light_registry: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    path = str(installed("rr_broken"))
    benched = rr_command("bench", "--all", "--registry", light_registry, "--out", out, PYTHONPATH=path)
    assert benched.returncode == 1
    assert "Traceback" not in benched.stdout + benched.stderr
    result = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    rows = {row["reranker"]: row for row in result["datasets"][0]["rows"]}
    for name, reason in REASONS.items():
        assert reason in rows[name]["failure"], name
        assert rows[name]["metrics"] == {}, name
        assert f"{name} " in benched.stdout
    for name in ("first-stage", "random", "bm25", "constant"):
        assert rows[name]["failure"] == ""
        assert rows[name]["metrics"]["nDCG@10"]["mean"] > 0
    assert rows["constant"]["diagnostics"]["constant"] == 1.0
    trace = (out / "failures" / "rooms" / "raises_in_score.txt").read_text(encoding="utf-8")
    assert "raised in score" in trace
    assert "in_use.py" in trace


def test_failed_plugins_are_listed_and_the_exit_code_says_so(
    installed: Install, rr_command: Rr, small_registry: Path
) -> None:
    listed = rr_command("list", "--json", "--registry", small_registry, PYTHONPATH=str(installed("rr_broken")))
    assert listed.returncode == 1
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert "raised at import" in rows["broken_import"]["failure"]
    assert rows["bm25"]["failure"] == ""


def test_the_second_owner_of_a_name_is_reached_by_its_distribution(
    installed: Install, rr_command: Rr, small_registry: Path
) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text + "  theirs: {scorer: rr-broken/bm25}\n", encoding="utf-8")
    path = str(installed("rr_broken"))
    shown = rr_command("info", "theirs", "--registry", small_registry, PYTHONPATH=path)
    assert "distribution: rr-broken 0.1.0" in shown.stdout
    shown = rr_command("info", "bm25", "--registry", small_registry, PYTHONPATH=path)
    assert "distribution: rerank-registry" in shown.stdout
    for name, distribution in (
        ("rr-broken/bm25", "rr-broken"),
        ("RR_Broken/bm25", "rr-broken"),  # as PEP 503 has it
        ("rerank.registry/bm25", "rerank-registry"),
    ):
        shown = rr_command("info", name, "--registry", small_registry, PYTHONPATH=path)
        assert f"distribution: {distribution} 0.1.0" in shown.stdout, shown.stderr
    benched = rr_command("bench", "Rerank_Registry/bm25", "random", "--registry", small_registry)
    assert benched.returncode == 0, benched.stderr
    assert "Rerank_Registry/bm25" in benched.stdout
    refused = rr_command("bench", "nowhere/bm25", "--registry", small_registry)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "no reranker is called 'nowhere/bm25'" in refused.stderr


def test_asked_for_by_name_a_broken_plugin_is_one_line(
    installed: Install, rr_command: Rr, small_registry: Path
) -> None:
    path = str(installed("rr_broken"))
    common = ("--registry", str(small_registry), "--query", "x", "y")
    failed = rr_command("rerank", "broken_import", *common, PYTHONPATH=path)
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "raised at import" in failed.stderr
    failed = rr_command("rerank", "needs_package", *common, PYTHONPATH=path)
    assert failed.returncode == 2
    assert "pip install no-such-package" in failed.stderr


def test_strict_raises(installed: Install, rr_command: Rr, small_registry: Path) -> None:
    failed = rr_command("list", "--registry", small_registry, PYTHONPATH=str(installed("rr_broken")), RR_STRICT="1")
    assert failed.returncode == 2
    assert "of rr-broken" in failed.stderr


def test_rr_plugins_limits_what_is_loaded(installed: Install, rr_command: Rr, small_registry: Path) -> None:
    path = str(installed("rr_broken"))
    listed = rr_command("list", "--registry", small_registry, PYTHONPATH=path, RR_PLUGINS="baselines,data")
    assert listed.returncode == 0, listed.stdout
    assert "broken" not in listed.stdout
    failed = rr_command("list", "--registry", small_registry, RR_PLUGINS="baseline")
    assert failed.returncode == 2
    assert "did you mean 'baselines'?" in failed.stderr


def test_our_own_distribution_comes_first() -> None:
    plugins = installed_plugins()
    assert not plugins.failures
    assert plugins.components[0].distribution == "rerank-registry"


def test_an_unknown_component_is_an_error_that_suggests() -> None:
    with pytest.raises(PluginError, match="did you mean 'cross_encoder'"):
        installed_plugins().get("scorer", "crossencoder")


def test_a_failed_plugin_is_named_when_a_component_is_missing() -> None:
    plugins = discover([EntryPoint("gone", "no_such_module", "rr.plugins")])
    assert plugins.failures[0].reason.startswith("import failed: ModuleNotFoundError")
    with pytest.raises(PluginError, match="plugin 'gone' of unknown failed: import failed"):
        plugins.get("scorer", "anything")
