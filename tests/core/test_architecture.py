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

PACKAGES = ("rr", "rr_bench", "rr_torch")
RR, BENCH, TORCH = (sorted((ROOT / "core" / name).rglob("*.py")) for name in PACKAGES)
CORE = [*RR, *BENCH, *TORCH]
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
HEAVY = ("torch", "transformers", "sentence_transformers", "peft", "sklearn")
FACADES = [ROOT / "core" / "rr" / name for name in ("__init__.py", "testing.py")]
"""Whose names are the evaluator's, on purpose."""


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


def ours(path: Path) -> set[str]:
    return {name for name in roots(path) if name == "rr" or name.startswith("rr_")}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_run_one_way(path: Path) -> None:
    """rr_torch → rr ← rr_bench; and torch is for rr_torch alone."""
    package = path.relative_to(ROOT / "core").parts[0]
    assert ours(path) <= {package, "rr", *(["rr_bench"] if path in FACADES else [])}
    if package != "rr_torch":
        assert not roots(path) & set(HEAVY)


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_import_only_themselves_and_what_is_public(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[0]
    assert ours(path) <= {own, "rr", "rr_torch"}
    public = {"rr", "rr.data", "rr.training", "rr.measures", "rr.files", "rr_torch"}
    assert {name for name in imported(path) if name.split(".")[0] in ("rr", "rr_torch")} <= public
    if path.name == "plugin.py":
        assert roots(path) <= {"rr", *sys.stdlib_module_names}


def test_no_module_is_in_a_circle() -> None:
    """Within a package too: a file is understood after those that it imports, and before those that import it."""
    names = {path: ".".join(path.relative_to(ROOT / "core").with_suffix("").parts) for path in CORE}
    known = {name.removesuffix(".__init__"): path for path, name in names.items()}
    above: dict[str, set[str]] = {}
    for name, path in known.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module in known:
                submodules = {f"{node.module}.{alias.name}" for alias in node.names} & known.keys()
                above.setdefault(name, set()).update(submodules or {str(node.module)})
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way, name))
        if name not in done:
            for other in above.get(name, ()):
                visit(other, (*way, name))
            done.add(name)

    for name in known:
        visit(name, ())


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_command_line(path: Path) -> None:
    if "cli" not in path.parts and path.name != "__main__.py":
        assert not {name for name in imported(path) if name.startswith("rr_bench.cli")}


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
        (["--help"], (*HEAVY, "numpy", "yaml")),
        (["list", "--registry", str(ROOT / "registry.yaml")], (*HEAVY, "numpy")),
    ],
)
def test_help_and_list_import_nothing_heavy(arguments: list[str], unwanted: tuple[str, ...]) -> None:
    code = (
        "import sys; from rr_bench.cli import main\n"
        "try: main()\n"
        f"finally: print(sorted(set(sys.modules) & {set(unwanted)!r}), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, encoding="utf-8", timeout=60)
    assert ended.stderr.splitlines()[-1] == "[]", ended.stderr


def test_every_path_of_the_command_line_is_read_by_one_rule() -> None:
    """Or `--out "$UNSET"` would mean the folder that happens to be there."""
    from rr_bench.cli.app import app
    from rr_bench.cli.options import given_path

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


def test_the_contract_can_be_read_in_an_afternoon() -> None:
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in RR) <= 3000


def test_one_reranker_is_used_without_the_bench(small_registry: Path) -> None:
    code = (
        "import sys; from rr_bench.cli import main\n"
        "try: main()\n"
        "finally: print([name for name in sys.modules if name.startswith('rr_bench.evaluate')], file=sys.stderr)"
    )
    arguments = ["rerank", "bm25", "--registry", str(small_registry), "-q", "a b", "a", "b"]
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, encoding="utf-8", timeout=60)
    assert len(ended.stdout.splitlines()) == 2
    assert ended.stderr.splitlines()[-1] == "[]", ended.stderr


def test_the_command_answers_without_a_command(rr_command: Rr) -> None:
    assert "bench" in rr_command("--help").stdout
