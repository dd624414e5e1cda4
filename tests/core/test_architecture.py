"""The house rules that a reader of the design relies on, read off the imports and off the real command."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tests.conftest import ROOT, Rr

CORE = sorted((ROOT / "core" / "rr").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
HEAVY = ("torch", "transformers", "sentence_transformers", "peft", "sklearn")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_no_plugin_and_torch_only_in_modeling(path: Path) -> None:
    assert not {name for name in roots(path) if name.startswith("rr_")}
    if "modeling" not in path.parts:
        assert not roots(path) & set(HEAVY)
        assert not {name for name in imported(path) if name.startswith("rr.modeling")}


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_import_only_themselves_and_rr(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[0]
    assert {name for name in roots(path) if name.startswith("rr_")} <= {own}
    if path.name == "plugin.py":
        assert roots(path) <= {"rr", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_command_line(path: Path) -> None:
    if "cli" not in path.parts and path.name != "__main__.py":
        assert not {name for name in imported(path) if name.startswith("rr.cli")}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_one_module_speaks_to_the_terminal(path: Path) -> None:
    """So that nothing is said that was not made harmless; tables of texts are rich's, whose cells are `Text`. The alarm
    about an import that hangs is for whoever imports rr, the command line or not."""
    text = path.read_text(encoding="utf-8")
    if path.name not in ("printing.py", "patience.py"):
        assert not re.search(r"typer\.echo|click\.echo|(?<![\w.])print\(|sys\.std(out|err)\.write|markup import", text)


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], (*HEAVY, "numpy", "pydantic", "pluggy", "yaml")),
        (["list", "--registry", str(ROOT / "registry.yaml")], (*HEAVY, "numpy")),
    ],
)
def test_help_and_list_import_nothing_heavy(arguments: list[str], unwanted: tuple[str, ...]) -> None:
    code = (
        "import sys; from rr.cli import main\n"
        "try: main()\n"
        f"finally: print(sorted(set(sys.modules) & {set(unwanted)!r}), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, encoding="utf-8", timeout=60)
    assert ended.stderr.splitlines()[-1] == "[]", ended.stderr


def test_every_path_of_the_command_line_is_read_by_one_rule() -> None:
    """Or `--out "$UNSET"` would mean the folder that happens to be there."""
    from rr.cli.app import app
    from rr.cli.options import given_path

    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    commands = [command.callback for group in groups if group for command in group.registered_commands]
    found = 0
    for command in filter(None, commands):
        for name, hint in get_type_hints(command, include_extras=True).items():
            if "Path" in str(hint):
                found += 1
                (told,) = next(one for one in (hint, *get_args(hint)) if hasattr(one, "__metadata__")).__metadata__
                assert told.parser is given_path, (command.__name__, name)
    assert found >= 13


def test_the_command_answers_without_a_command(rr_command: Rr) -> None:
    assert "bench" in rr_command("--help").stdout
