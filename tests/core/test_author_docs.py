"""docs/authors: every hook with its exact signature, every public name somewhere, every example run, and the tutorial
followed word for word. `python -m tests.core.test_author_docs` writes the pages of the hooks."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import rr
from rr.registry.rows import HOOKS, registered_rows
from rr.spec import Hooks, Kind
from tests.authors import new_venv
from tests.conftest import ROOT
from tests.core.test_api import PACKAGES
from tests.core.test_reference import REFERENCE, documented, typed

AUTHORS = ROOT / "docs" / "authors"
GUIDE = ROOT / "docs" / "plugin-guide.md"
TUTORIAL = AUTHORS / "tutorial.md"
KINDS: tuple[Kind, ...] = get_args(Kind)
PROTOCOLS = ("scorer", "reranker", "trainer", "reader", "retriever")
NAMES = {"measure": "Nearness", "command": "shelf count"}
HOW = {
    "scorer": "[pointwise](../pointwise.md), [listwise](../listwise.md), [a remote API](../remote-api.md)",
    "reranker": "[a reranker instead of a scorer](../pointwise.md#a-reranker-instead)",
    "trainer": "[without torch](../trainer-without-torch.md), [on rr_torch](../trainer-on-rr-torch.md)",
    "reader": "[a reader](../reader.md)",
    "retriever": "[a retriever](../../plugin-guide.md#retriever)",
    "command": "[a command](../../plugin-guide.md#command)",
    "check": "[checks](../../plugin-guide.md#checks)",
    "measure": "[a measure](../../plugin-guide.md#measure)",
}
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n)?^```(?P<language>\w*) ?(?P<path>\S*)\n(?P<text>.*?)^```$", re.M | re.S
)
PAGES = [GUIDE, *sorted(AUTHORS.rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block. `path`: of the file that it is; `why`: it is not run."""

    language: str
    text: str
    path: str
    why: str


def blocks(page: Path) -> list[Block]:
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(one["language"], one["text"], one["path"], one["why"] or "") for one in found]


def hook_page(kind: Kind) -> str:
    hook = getattr(Hooks, HOOKS[kind])
    name = NAMES.get(kind, f"my_{kind}")
    target = f"my_package.{kind}:{'my_function' if kind not in PROTOCOLS else 'My' + kind.capitalize()}"
    signature = f"{HOOKS[kind]}{typed(inspect.signature(hook)).replace('(self)', '()')}".replace("'", "")
    parts = [
        f"# {HOOKS[kind]}",
        "Written by `python -m tests.core.test_author_docs`; a test compares it with the code.",
        f"```text\n{signature}\n```",
        inspect.getdoc(hook) or "",
        f'```python\nimport rr\n\n\n@rr.hookimpl\ndef {HOOKS[kind]}():\n    return [rr.Component("{name}", '
        f'"{target}", "One line for rr list")]\n```',
        f"How to: {HOW[kind]}. What a row may say: [`rr.Component`](../../plugin-reference.md#component).",
    ]
    if kind in PROTOCOLS:
        protocol = kind.capitalize()
        parts += [line.replace("### ", "## ", 1) for line in documented(protocol, getattr(rr, protocol)) if line]
    return "\n\n".join(part.strip() for part in parts) + "\n"


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_a_hook_is_what_the_code_says(kind: Kind) -> None:
    page = AUTHORS / "hooks" / f"{HOOKS[kind]}.md"
    assert page.read_text(encoding="utf-8") == hook_page(kind)
    plugin = ModuleType("plugin")
    (example,) = [block for block in blocks(page) if block.language == "python"]
    exec(compile(example.text, str(page), "exec"), vars(plugin))
    assert [found for found, _ in registered_rows(plugin)] == [kind]
    assert f"authors/hooks/{page.name}" in GUIDE.read_text(encoding="utf-8")


def test_there_is_no_other_page_of_a_hook() -> None:
    assert {path.stem for path in (AUTHORS / "hooks").iterdir()} == set(HOOKS.values())


def test_every_public_name_is_documented() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for package in (*PACKAGES, "rr.testing"):
        section = re.search(rf"^## {re.escape(package)}\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
        assert section is not None, package
        for name in import_module(package).__all__:
            assert f"### `{name}`\n" in section[1], f"{package}.{name}"


def test_every_page_is_named_by_the_guide_or_the_tutorial() -> None:
    named = GUIDE.read_text(encoding="utf-8") + TUTORIAL.read_text(encoding="utf-8")
    for page in AUTHORS.glob("*.md"):
        assert f"{page.name})" in named, page.name


@pytest.mark.parametrize("page", [page for page in PAGES if page != TUTORIAL], ids=lambda page: page.stem)
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as if they were one module, in which other processes find what the blocks before have; a
    failing one fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = ModuleType(page.stem.replace("-", "_"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    file = tmp_path / f"{module.__name__}.py"
    for block in blocks(page):
        if block.language == "python" and not block.why:
            exec(compile(block.text, str(page), "exec"), vars(module))
            file.write_text((file.read_text("utf-8") if file.is_file() else "") + block.text, "utf-8")


def test_every_block_has_a_language_that_says_what_becomes_of_it() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert len(re.findall("^```", text, flags=re.M)) == 2 * len(blocks(page)), page.name
        for block in blocks(page):
            assert block.language in ("python", "sh", "text", "yaml"), (page.name, block.language)
            assert page == TUTORIAL or not block.path, page.name


def test_the_tutorial_is_followed_word_for_word(tmp_path: Path) -> None:
    venv = new_venv(tmp_path / "venv")
    folder = tmp_path
    for block, after in with_next(blocks(TUTORIAL)):
        if block.language == "python":
            assert (folder / block.path).is_file(), block.path  # it is edited, so that it was there
            (folder / block.path).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            done = venv.run(block.text + "\npwd >&2", folder)
            assert done.returncode == 0, block.text + done.stdout + done.stderr
            folder = Path(done.stderr.splitlines()[-1])
            if after is not None and after.language == "text":
                assert like(after.text, done.stdout), done.stdout
    assert folder.name == "my-first"


def with_next(found: list[Block]) -> Iterator[tuple[Block, Block | None]]:
    yield from zip(found, [*found[1:], None], strict=True)


def like(expected: str, shown: str) -> bool:
    """`…` alone is any number of lines, within a line any text."""
    parts = [".*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) for line in expected.splitlines()]
    pattern = "".join("(?:[^\n]*\n)*" if part == ".*" else part.replace(".*", "[^\n]*") + "\n" for part in parts)
    return re.fullmatch(pattern, shown) is not None


def test_what_is_shown_is_compared() -> None:
    assert like("a\n…\nb … d\n", "a\nx\ny\nb c d\n")
    assert not like("a\nb … d\n", "a\nx\nb c d\n")
    assert not like("a…\n", "b\n")


if __name__ == "__main__":
    (AUTHORS / "hooks").mkdir(exist_ok=True)
    for one in KINDS:
        (AUTHORS / "hooks" / f"{HOOKS[one]}.md").write_text(hook_page(one), encoding="utf-8")
