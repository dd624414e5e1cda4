"""docs/doctor has a page for every check, which says what the code does, and `rr doctor --explain` finds it."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rr import Component, Evidence, Finding, RerankError
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.doctor import asked, curve, hopeless, overfit, recipe
from rr_bench.doctor.diagnosis import CORE
from rr_bench.doctor.pages import page
from rr_bench.registry import load_registry
from tests.commands import parsed
from tests.conftest import ROOT, Rr
from tests.plugins.planted import examples

FOLDER = ROOT / "docs" / "doctor"
INDEX = (FOLDER / "index.md").read_text(encoding="utf-8")
CHECKS = [*CORE, "overfit", *(one.component.name for one in installed_plugins().of_kind("check"))]
HEADINGS = ["What is looked at", "What it means", "What to do", "Example"]
PLUGINS = ("rr_letters.checks", "rr_letters.scorer", "rr_head.checks", "rr_cross_encoder.checks")
EXAMPLE = re.compile(r"<!-- example -->\n.+\n\n```text\n(fault|warning|ok): (\S+)\n.+\n(.+\n)*```\n<!-- /example -->\n")


def sections(check: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", page(check, installed_plugins()), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(text: str) -> list[str]:
    return [" ".join(span.split()) for span in re.findall(r"`(rr [^`]+)`", text)]


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_has_a_page_of_one_form(check: str) -> None:
    text = page(check, installed_plugins())
    assert re.match(rf"# {check}\n\n[A-Z][^\n]+\n\n## ", text)
    assert list(sections(check)) == HEADINGS
    steps = re.findall(r"^\d+\. .+(?:\n   .+)*", sections(check)["What to do"], flags=re.MULTILINE)
    assert len(steps) >= 2


@pytest.mark.parametrize("check", CHECKS)
def test_every_page_has_what_the_shelf_was_told(check: str) -> None:
    found = EXAMPLE.search(sections(check)["Example"])
    assert found, "fill it: RR_PLANTED=FILE pytest -m planted; python -m tests.plugins.planted.examples FILE"
    assert found[2] == check


def test_every_page_is_of_a_check_and_stands_in_the_index() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*CHECKS, "index"}
    assert sorted(re.findall(r"^\| \[(\S+)\]\(\1\.md\) \|", INDEX, flags=re.MULTILINE)) == sorted(CHECKS)
    assert all(f"`{name}`" in INDEX for name in (*curve.SYMPTOMS, *hopeless.CHECKS))


def test_checks_that_pages_speak_of_exist() -> None:
    """A name with a dash is a check's, or another word of these."""
    others = {"bm25", "cross-encoder", "helpdesk", "letters-base"}
    for path in FOLDER.glob("*.md"):
        for name in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", path.read_text(encoding="utf-8")):
            assert name in {*CHECKS, *others}, f"{path.name}: {name}"


def test_figures_of_pages_are_those_of_the_code() -> None:
    modules = [curve, recipe, overfit, hopeless, asked, *map(import_module, PLUGINS)]
    counted = 0
    for path in FOLDER.glob("*.md"):
        for name, figure in re.findall(r"`([A-Z_]+) = ([^`]+)`", path.read_text(encoding="utf-8")):
            assert float(figure) in {getattr(module, name, None) for module in modules}, f"{path.name}: {name}"
            counted += 1
    assert counted > 15


@pytest.mark.parametrize("check", CHECKS)
def test_commands_can_be_pasted(check: str) -> None:
    """Their words are read as the command line reads them, and settings are those of the entry."""
    found = commands(sections(check)["What to do"])
    assert found
    registry, plugins = load_registry(None), installed_plugins()
    for text in found:
        asked_about = parsed(text, registry, plugins).get("dataset") or []
        for dataset in [asked_about] if isinstance(asked_about, str) else asked_about:
            registry.dataset(dataset)


def test_an_unknown_name_is_one_line_with_the_nearest(rr_command: Rr) -> None:
    ended = rr_command("doctor", "--explain", "los-flat")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert "no check is called 'los-flat'" in ended.stderr
    assert "loss-flat" in ended.stderr


@pytest.mark.parametrize("check", ["loss-flat", "temperature", "overfit"])
def test_the_command_prints_the_page(check: str, rr_command: Rr) -> None:
    ended = rr_command("doctor", "--explain", check)
    assert (ended.returncode, ended.stdout) == (0, (FOLDER / f"{check}.md").read_text(encoding="utf-8"))


def short_queries(evidence: Evidence) -> Finding | None:
    """Queries of a word."""
    return None


def untold(evidence: Evidence) -> Finding | None:
    return None


def test_a_check_of_someone_else_shows_what_it_says_of_itself() -> None:
    own = [
        Registered(Component(name, f"{__name__}:{function}", "How short they are"), "check", "own", "own", "1")
        for name, function in (("short-queries", "short_queries"), ("untold", "untold"))
    ]
    plugins = Plugins([*installed_plugins().components, *own], [])
    assert page("short-queries", plugins) == "# short-queries\n\nHow short they are\n\nQueries of a word.\n"
    assert page("untold", plugins) == "# untold\n\nHow short they are\n"
    with pytest.raises(RerankError, match="short-queries"):
        page("short-querys", plugins)


def test_the_check_of_the_guide_tells_short_queries() -> None:
    guide = (ROOT / "docs" / "plugin-guide.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(from rr import Evidence.+?)^```", guide, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "plugin-guide.md", "exec"), names)
    found = {
        words: names["short_queries"](Evidence(dataset="rooms", data={"words": {"queries": {"median": words}}}))
        for words in (1, 7)
    }
    assert [one.verdict for one in found.values()] == ["warning", "ok"]
    assert found[1].command == "rr data show rooms"
    assert names["short_queries"](Evidence()) is None


def finding(check: str, verdict: str, command: str = "") -> dict[str, str]:
    return {"check": check, "verdict": verdict, "evidence": f"{check} of 1", "meaning": "so", "command": command}


def test_examples_are_of_the_first_training_that_they_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plants = {
        "head: b": [finding("leak", "fault", "rr doctor /tmp/pytest-of-me/p-0/x"), finding("steps", "warning")],
        "counter: a": [finding("leak", "fault")],
        "letters: fine": [finding("steps", "ok"), finding("order", "ok"), finding("history", "cannot tell")],
        "letters: ill": [finding("leak", "warning"), finding("labels", "ok")],
    }
    file = tmp_path / "told"
    pages = {name: f"# {name}\n<!-- example -->\nold\n<!-- /example -->\n" for name in (*"ab", "leak", "steps")}
    pages |= dict.fromkeys(("order", "history", "labels"), pages["a"]) | {"index": "# none\n"}

    def run(names: list[str]) -> dict[str, str]:
        lines = [json.dumps({"plant": name, "findings": plants[name]}) for name in names]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        folder = tmp_path / "-".join(names).replace(": ", "")
        folder.mkdir()
        for name, text in pages.items():
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
        monkeypatch.setattr(examples, "PAGES", folder)
        assert examples.main(file) == 1
        return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}

    found = run(list(plants))
    assert found == run(list(plants)[::-1])
    assert "*head: b*" in found["leak"]
    assert "```text\nfault: leak\nleak of 1\nso\nnext: rr doctor CHECKPOINT\n```\n<!-- /example -->\n" in found["leak"]
    assert "*head: b* on the planted shelf, behind its cause `leak`" in found["steps"]
    assert "Of a healthy training, *letters: fine*" in found["order"]
    assert all(found[name] == pages[name] for name in ("a", "b", "history", "labels", "index"))
