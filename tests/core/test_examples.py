"""Every block of the documents is run, or is followed by another test, or says why it is not; the commands of all are
read as the command line reads them. Links and anchors lead somewhere, and translations have the same blocks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

import pytest

from rr.registry.plugins import installed_plugins
from rr_bench.registry import load_registry
from tests.commands import parsed, rr_commands
from tests.conftest import ROOT
from tests.core.test_author_docs import Block, blocks

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "plugins").glob("*/README.md")),
    *sorted(DOCS.rglob("*.md")),
]
TRANSLATIONS = [page for page in PAGES if page.name.endswith(".vi.md")]
FOLLOWED = {
    "docs/authors": "tests/core/test_author_docs.py",
    "docs/plugin-guide.md": "tests/core/test_author_docs.py",
    "docs/checks": "tests/core/test_check_pages.py",
    "docs/doctor": "tests/bench/test_doctor_pages.py",
    "README.md": "tests/core/test_docs.py",
    "docs/python.md": "tests/core/test_docs.py",
    "docs/integrations.md": "tests/core/test_docs.py",
}
"""Whose blocks another test runs."""
GUIDES = ("docs/tutorials/cross-encoder.md", "docs/tutorials/head.md", "docs/tutorials/letters.md")
"""Followed word for word on real data by tests/plugins/test_guides.py; they train for minutes."""
RUN, PARSED = ("sh", "python"), ("sh", "bash", "")
NOT_RUN = 50
"""So many blocks are not run, each with its reason: a limit, so that it does not become the rule."""


def called(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def followed(page: Path) -> bool:
    return any(called(page) == one or called(page).startswith(f"{one}/") for one in FOLLOWED)


def to_run(page: Path) -> list[Block]:
    """Those that this test runs: a translation's are those of the page itself."""
    if followed(page) or called(page) in GUIDES or page in TRANSLATIONS:
        return []
    return [block for block in blocks(page) if block.language in RUN and not block.why]


def fences(page: Path) -> int:
    return len(re.findall(r"^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a reader: `rr` and `python` are there, and all pages share one store."""
    folder = tmp_path_factory.mktemp("bin")
    for name, code in {"rr": '-m rr_bench "$@"', "python": '"$@"'}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {code}\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "core"), str(ROOT / "plugins")]),
        "RR_HOME": str(tmp_path_factory.mktemp("home")),
        "OMP_NUM_THREADS": "1",
    }


@pytest.mark.parametrize("page", [page for page in PAGES if to_run(page)], ids=called)
def test_the_blocks_run(page: Path, shell: dict[str, str], tmp_path: Path) -> None:
    """One after the other, in one empty folder."""
    for block in to_run(page):
        run(block, tmp_path, shell)


def run(block: Block, folder: Path, environment: dict[str, str]) -> str:
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    environment = {name: value for name, value in environment.items() if name != "RR_DEVICE" or value}
    done = subprocess.run(
        [*command, block.text], cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=1200
    )
    assert done.returncode == 0, block.text + done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_commands_are_such_that_rr_takes(page: Path) -> None:
    registry, plugins = load_registry(ROOT / "registry.yaml"), installed_plugins()
    for command in commands(page):
        parsed(command, registry, plugins)


def commands(page: Path) -> Iterator[str]:
    for block in blocks(page):
        if block.language in PARSED and not block.text.startswith("$ "):  # else it is output
            yield from rr_commands(block.text)


def test_a_wrong_command_would_be_seen() -> None:
    registry, plugins = load_registry(ROOT / "registry.yaml"), installed_plugins()
    text = (
        "X=1 rr bench bm25 --folds 5 && rr train head \\\n  -d rentals --lr 1e-3  # comment\ncat > a <<'E'\nrr no\nE\n"
    )
    found = rr_commands(text)
    assert found == ["rr bench bm25 --folds 5", "rr train head -d rentals --lr 1e-3"]
    for command in found:
        parsed(command, registry, plugins)
    for wrong in ("rr bench --flods 5", "rr trian head", "rr train head -d rentals --lr fast", "rr list bm25"):
        with pytest.raises(Exception, match=r"\w"):
            parsed(wrong, registry, plugins)


def test_what_is_not_run_says_why_and_is_little() -> None:
    reasons = [block.why for page in PAGES if page not in TRANSLATIONS for block in blocks(page) if block.why]
    assert all(len(why.split()) > 1 for why in reasons)
    assert len(reasons) <= NOT_RUN


def test_every_block_is_seen() -> None:
    """A fence that the runner does not know would never be run."""
    for page in PAGES:
        assert fences(page) == 2 * len(blocks(page)), called(page)
    assert sum(len(to_run(page)) for page in PAGES) > 15


@pytest.mark.parametrize("page", TRANSLATIONS, ids=called)
def test_a_translation_has_the_same_blocks(page: Path) -> None:
    own = page.with_name(page.name.replace(".vi.md", ".md"))
    assert blocks(page) == blocks(own)
    assert levels(page) == levels(own)
    assert normalize("NFC", text := page.read_text(encoding="utf-8")) == text


def levels(page: Path) -> list[int]:
    return [len(mark) for mark, _ in headings(page)]


def headings(page: Path) -> list[tuple[str, str]]:
    bare = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"^(#+) (.+)$", bare, flags=re.MULTILINE)


def anchor(heading: str) -> str:
    """As mkdocs makes them, and code hosts."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_links_and_anchors_lead_somewhere(page: Path) -> None:
    bare = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target, fragment in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)", bare):
        there = page.parent / target if target else page
        assert there.exists(), target
        if fragment and there.suffix == ".md":
            assert fragment in {anchor(heading) for _, heading in headings(there)}, f"{target}#{fragment}"


def test_guides_are_there() -> None:
    assert all((ROOT / name).exists() for name in (*GUIDES, *FOLLOWED))
