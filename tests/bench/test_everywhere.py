"""What every command has: help with an example, --quiet, --verbose, -h, --version, completion."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from rr_bench.cli.app import app
from rr_bench.cli.everywhere import with_common
from tests.conftest import ROOT, Rr

PACKAGED = str(ROOT / "registry.yaml")


def commands(group: Any, words: tuple[str, ...] = (), parent: Any = None) -> Iterator[tuple[str, ...]]:
    """All of ours, plugins' among them."""
    context = group.make_context(words[-1] if words else "rr", [], parent=parent, resilient_parsing=True)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if hasattr(found, "list_commands"):
            yield from commands(found, (*words, name), context)
        else:
            yield (*words, name)


COMMANDS = sorted(commands(typer.main.get_command(app)))


def parsed(words: list[str]) -> Any:
    """The context of the command that the words name; an error where they cannot be read."""
    command, context, left, name = with_common(typer.main.get_command(app)), None, words, "rr"
    while hasattr(command, "list_commands"):
        context = command.make_context(name, list(left), parent=context)
        name, command, left = command.resolve_command(context, [*context._protected_args, *context.args])
    return command.make_context(name, list(left), parent=context)


def test_these_are_all_of_them() -> None:
    assert {("bench",), ("sweep",), ("env",), ("cache", "clean"), ("data", "weights"), ("runs", "diff")} <= set(
        COMMANDS
    )
    assert len(COMMANDS) >= 28


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_has_an_example_that_can_be_read(rr_command: Rr, words: tuple[str, ...]) -> None:
    ended = rr_command(*words, "-h")
    assert ended.returncode == 0, ended.stderr
    examples = re.findall(r"^  Example: (rr .+)$", ended.stdout, flags=re.MULTILINE)
    assert len(examples) == 1, ended.stdout
    asked = shlex.split(examples[0])[1:]
    assert tuple(asked[: len(words)]) == words
    assert parsed(asked)
    for option in ("--quiet", "--verbose", "--version"):
        assert option in ended.stdout


def test_an_example_that_cannot_be_read_would_be_found() -> None:
    with pytest.raises(typer.BadParameter):
        parsed(["bench", "--folds", "many"])


@pytest.mark.parametrize("words", [(), ("bench",), ("data", "list"), ("train",)])
def test_the_version_is_told_wherever_it_is_asked(rr_command: Rr, words: tuple[str, ...]) -> None:
    ended = rr_command(*words, "--version")
    assert ended.returncode == 0, ended.stderr
    assert re.fullmatch(r"rr \d+\.\d+\.\d+\S*\n", ended.stdout)


def test_quiet_leaves_results_and_errors_alone(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    words = ("bench", "bm25", "--registry", small_registry, "--out")
    said = rr_command(*words, tmp_path / "one")
    assert "wrote " in said.stderr
    for asked in (("--quiet", *words, tmp_path / "two"), (*words, tmp_path / "three", "--quiet")):
        ended = rr_command(*asked)
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        assert "bm25" in ended.stdout
    wrong = rr_command("bench", "bm-25", "--registry", small_registry, "--quiet")
    assert wrong.stderr.startswith("error: ")
    assert "wrote " in rr_command(*words, tmp_path / "four").stderr  # and the next one says all again


def test_verbose_shows_tracebacks_and_what_is_used(rr_command: Rr, small_registry: Path) -> None:
    wrong = rr_command("bench", "bm-25", "--registry", small_registry, "--verbose")
    assert "Traceback (most recent call last)" in wrong.stderr
    assert wrong.stderr.splitlines()[-1].startswith("error: ")
    words = ("bench", "bm25", "--registry", small_registry)
    for _ in range(2):
        ended = rr_command("--verbose", *words)
    assert "rooms: prepared before" in ended.stderr
    assert "prepared before" not in rr_command(*words).stderr


def test_a_setting_may_be_called_as_an_option_is(rr_command: Rr) -> None:
    """`rr list --verbose` has one of its own."""
    assert rr_command("list", "--registry", PACKAGED, "--verbose").returncode == 0


@pytest.mark.parametrize(
    ("line", "offered", "other"),
    [
        ("rr bench cr", {"cross-encoder", "cross-encoder-base"}, "head"),
        ("rr bench cross-encoder cr", {"cross-encoder-base"}, "cross-encoder"),
        ("rr train head -d r", {"rentals"}, "films"),
        ("rr info head --profile f", {"full"}, "embedded"),
        ("rr bench --checkpoint hea", {"head=", "head-base="}, "head"),
        ("rr cache clean sc", {"scores"}, "data"),
        ("rr swe", {"sweep"}, "bench"),
    ],
)
def test_a_shell_is_offered_names_without_torch(line: str, offered: set[str], other: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom rr_bench.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    words = {"_RR_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    environment = {**os.environ, **words, "RR_REGISTRY": PACKAGED}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8", timeout=60, cwd=tmp_path
    )
    found = set(ended.stdout.split())
    assert offered <= found, ended.stderr
    assert other not in found
    assert ended.stderr.splitlines()[-1] == "False"


def test_a_broken_registry_offers_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "registry.yaml"
    broken.write_text("rerankers: [", encoding="utf-8")
    words = {"_RR_COMPLETE": "complete_bash", "COMP_WORDS": "rr bench cr", "COMP_CWORD": "2"}
    ended = subprocess.run(
        [sys.executable, "-c", "from rr_bench.cli import main; main()"],
        env={**os.environ, **words, "RR_REGISTRY": str(broken)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (ended.stdout.strip(), ended.stderr.strip()) == ("", "")


def test_env_tells_what_an_issue_needs_and_no_secret(rr_command: Rr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_API_KEYS", "sesame-open")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HOME", "/home/trang.nguyen")
    monkeypatch.setenv("HF_HOME", "/home/trang.nguyen/models")
    ended = rr_command("env", "--registry", PACKAGED)
    assert ended.returncode == 0, ended.stderr
    for secret in ("sesame-open", "hf_secret", "trang.nguyen"):
        assert secret not in ended.stdout
    assert "HF_HOME: ~/models" in ended.stdout
    told = json.loads(rr_command("env", "--json", "--registry", PACKAGED).stdout)
    assert told["rerank-registry"]
    assert "numpy" in told["packages"]
    assert any(name.startswith("baselines of rerank-registry") for name in told["plugins"])
    assert {"python", "platform", "machine", "memory", "device", "home", "registry", "environment"} <= set(told)


def test_env_tells_of_a_plugin_that_failed(rr_command: Rr, tmp_path: Path) -> None:
    metadata = tmp_path / "plugin" / "rr_broken-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rr-broken\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[rr.plugins]\nbroken = rr_nowhere\n", encoding="utf-8")
    path = os.pathsep.join([str(metadata.parent), os.environ.get("PYTHONPATH", "")])
    ended = rr_command("env", "--registry", "gone.yaml", PYTHONPATH=path)
    assert ended.returncode == 0, ended.stderr
    assert "broken of rr-broken: FAILED" in ended.stdout
    assert "registry: cannot be read: gone.yaml" in ended.stdout
