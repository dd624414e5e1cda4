"""What the documents say is what the code does."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import redirect_stdout
from typing import get_args

import pytest

from rr.measures import Population
from rr.registry.plugins import installed_plugins
from tests.conftest import ROOT
from tests.preparing import READERS

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_plugin_of_the_readme_is_the_one_that_the_tests_install() -> None:
    folder = ROOT / "tests" / "dist" / "rr_overlap"
    assert (folder / "rr_overlap.py").read_text(encoding="utf-8") in blocks(README, "python")
    assert blocks(README, "toml")[0].strip() in (folder / "pyproject.toml").read_text(encoding="utf-8")


def test_the_python_example_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (example,) = [block for block in blocks(README, "python") if "rr.load" in block]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == blocks(README, "text")[0]


def run_blocks(page: str, place: int | None = None) -> tuple[str, str]:
    """What the Python blocks of a page print, one of them or one after the other, and what the page says."""
    examples, told = blocks(DOCS[page], "python"), blocks(DOCS[page], "text")
    chosen = slice(None) if place is None else slice(place, place + 1)
    printed = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(printed):
        warnings.simplefilter("ignore")  # of frameworks, as they are imported
        names: dict[str, object] = {}
        for example in examples[chosen]:
            exec(compile(example, page, "exec"), names)
    return printed.getvalue(), "".join(told[chosen])


def test_the_examples_of_the_python_page_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found, told = run_blocks("python.md")
    assert found == told


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("place", "framework"), [*enumerate(("langchain_core", "llama_index.core", "haystack", "pyterrier"))]
)
def test_the_examples_of_the_frameworks_run(place: int, framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(framework)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    found, told = run_blocks("integrations.md", place)
    assert found == told


def test_every_reader_and_metric_is_documented() -> None:
    for name in READERS:
        assert f"| `{name}` |" in DOCS["data.md"]
    for one in installed_plugins().of_kind("measure"):
        assert f"`{one.component.name}" in DOCS["metrics.md"], one.component.name


def test_every_first_stage_and_population_is_documented() -> None:
    for name in [one.component.name for one in installed_plugins().of_kind("retriever")]:
        assert f"| `{name}` |" in DOCS["data.md"]
    for name in get_args(Population):
        assert f"| `{name}` |" in DOCS["metrics.md"]


def test_every_plugin_has_a_readme() -> None:
    for folder in (ROOT / "plugins").iterdir():
        if (folder / "plugin.py").is_file():
            assert (folder / "README.md").is_file(), folder
