"""`rr new`: what it writes is really installed, tested and checked; what it refuses, it refuses in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, get_args

import pytest

from rr_bench.new.create import NewKind
from rr_bench.new.naming import LONGEST
from tests.authors import Venv, new_venv
from tests.conftest import ROOT, Rr

KINDS = get_args(NewKind)
LONG = "rr-" + "abcdefgh" * LONGEST
NAMES = {"short": "a-b", "long": LONG[:LONGEST]}


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    return new_venv(tmp_path_factory.mktemp("authors") / "venv")


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_installs_and_passes_its_tests_and_the_check(
    kind: str, venv: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, folder = f"first-{kind}", tmp_path / "made"
    told = venv.run(f"rr new {name} --kind {kind} --out made", tmp_path)
    assert told.returncode == 0, told.stderr
    files = {str(path.relative_to(tmp_path)) for path in folder.rglob("*") if path.is_file()}
    assert set(told.stdout.splitlines()) == files
    assert {"LICENSE", "README.md", "pyproject.toml", "registry.yaml"} < {path.name for path in folder.iterdir()}
    assert not re.search(r"{[{%]|%}|jinja", "".join(_texts(folder).values()).replace("${{ matrix.python }}", ""))

    installed = venv.run("pip install -q -e .", folder)
    assert installed.returncode == 0, installed.stderr
    monkeypatch.setenv(f"FIRST_{kind.upper()}_API_KEY", "demo")
    tested = venv.run("pytest -q", folder)
    assert tested.returncode == 0, tested.stdout
    if kind == "http":  # another test may be using the port that is written there
        registry = folder / "registry.yaml"
        url = _server(folder).url
        registry.write_text(re.sub('url: "[^"]*"', f'url: "{url}"', registry.read_text("utf-8")), "utf-8")
    listed = venv.run("rr data list" if kind == "reader" else "rr list --json", folder)
    assert listed.returncode == 0, listed.stdout
    assert name in listed.stdout
    assert "FAILED" not in listed.stdout
    benched = venv.run("rr bench --all --out out", folder)
    assert benched.returncode == 0, benched.stdout
    assert json.loads((folder / "out" / "bench.json").read_text("utf-8"))["datasets"]
    assert re.search(rf"^(\*\*)? *{name}\b", benched.stdout, flags=re.MULTILINE), benched.stdout
    checked = venv.run(f"rr check {name}", folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("length", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_is_formatted_and_typed(kind: str, length: str, rr_command: Rr, tmp_path: Path) -> None:
    """Whatever the name's length: a line that holds it neither breaks nor should not have."""
    assert rr_command("new", NAMES[length], "--kind", kind, "--out", "made").returncode == 0
    commands = [["ruff", "check"], ["ruff", "format", "--check", "--diff"]]
    if length == "short":
        commands.append(["mypy", "--config-file", "pyproject.toml", "--cache-dir", str(tmp_path / "cache")])
    for command in commands:
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path / "made",
            env={**os.environ, "MYPYPATH": f"{ROOT / 'core'}:{ROOT / 'plugins'}"},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["My_Words", "--kind", "scorer"], ["'My_Words'", "write 'my-words'"]),
        (["../words", "--kind", "scorer"], ["'../words'", "write 'words'"]),
        (["1st", "--kind", "scorer"], ["'1st'", "begin with a letter"]),
        (["", "--kind", "scorer"], ["''", "begin with a letter"]),
        (["từ", "--kind", "scorer"], ["'từ'", "small letters"]),
        (["a--b", "--kind", "scorer"], ["write 'a-b'"]),
        (["{{name}}", "--kind", "scorer"], ["write 'name'"]),
        (["words\n", "--kind", "scorer"], ["write 'words'"]),
        (["w" * 37, "--kind", "scorer"], ["longer than 36"]),
        (["class", "--kind", "scorer"], ["taken", "'class'"]),
        (["json", "--kind", "scorer"], ["taken", "'json'"]),
        (["tests", "--kind", "scorer"], ["taken", "'tests'"]),
        (["numpy", "--kind", "scorer"], ["taken", "distribution numpy"]),
        (["rr-torch", "--kind", "scorer"], ["taken", "a module rr_torch"]),
        (["bm25", "--kind", "scorer"], ["taken", "rerank-registry has a scorer"]),
        (["helpdesk", "--kind", "reader"], ["taken", "rerank-registry has a reader"]),
        (["words", "--kind", "scores"], ["'scores'", "did you mean 'scorer'?"]),
        (["words"], ["--kind"]),
        (["words", "--kind", "scorer", "--out", ""], ["--out", "empty"]),
        (["there", "--kind", "scorer"], ["there exists already", "another folder"]),
        (["words", "--kind", "scorer", "--out", "there"], ["there exists already", "another --out"]),
        (["words", "--kind", "scorer", "--out", "there/file/words"], ["is no folder"]),
    ],
)
def test_what_it_refuses(arguments: list[str], words: list[str], rr_command: Rr, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    ended = rr_command("new", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert all(word in line for word in words), line
    assert [path for path in sorted(tmp_path.rglob("*")) if "rr-home" not in path.parts] == before


def test_without_copier_the_line_says_how_to_install_it(rr_command: Rr, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "copier.py").write_text("raise ImportError('not here')\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "hidden"), str(ROOT / "core"), str(ROOT / "plugins")])
    ended = rr_command("new", "words", "--kind", "scorer", PYTHONPATH=path)
    assert ended.returncode == 2
    assert ended.stderr == "error: rr new needs copier; install with: pip install 'rerank-registry[new]'\n"
    assert not (tmp_path / "words").exists()


def test_the_users_settings_of_copier_and_a_template_in_their_folder_mean_nothing(
    rr_command: Rr, tmp_path: Path
) -> None:
    (tmp_path / "settings.yml").write_text("trust: 3\n", encoding="utf-8")
    (tmp_path / "copier.yml").write_text("_tasks: ['touch ran']\n", encoding="utf-8")
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "plugins")])}
    ended = rr_command("new", "words", "--kind", "reader", COPIER_SETTINGS_PATH=str(tmp_path / "settings.yml"), **paths)
    assert ended.returncode == 0, ended.stderr
    assert not list(tmp_path.rglob("ran"))
    written = _texts(tmp_path / "words")
    assert '"question": "Thư viện mở cửa lúc mấy giờ?"' in written["src/words/sample.jsonl"]


def test_the_template_is_in_the_wheel(tmp_path: Path) -> None:
    """Its hidden files too."""
    from hatchling.builders.wheel import WheelBuilder

    builder = WheelBuilder(str(ROOT))
    shipped = {file.distribution_path for file in builder.recurse_included_files()}
    template = ROOT / "core" / "rr_bench" / "new" / "template"
    files = {str(path.relative_to(ROOT / "core")) for path in template.rglob("*") if path.is_file()}
    assert len(files) > 30
    assert files <= shipped, files - shipped


def _texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }


def _server(folder: Path) -> Any:
    spec = spec_from_file_location("server", folder / "tests" / "server.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.serve()
