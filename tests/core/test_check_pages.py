"""docs/checks has a page for every check of the kit, in one form, and its wrong example fails that very check."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import indent

import pytest

from rr_bench.testing import BrokenRuleError, Check, Subject, all_checks, run_checks, subject_of, subject_of_plugin
from rr_bench.testing import imported as of_imports
from rr_bench.testing.imported import HEAVY
from rr_bench.testing.process import generators_kept, put_back, state
from rr_bench.testing.subject import Part
from tests.conftest import ROOT
from tests.shelves.wrong_parts import Overlap, OverlapTrainer

FOLDER = ROOT / "docs" / "checks"
INDEX = (FOLDER / "index.md").read_text(encoding="utf-8")
CHECKS = all_checks()
HEADINGS = ["What is expected", "Why", "The smallest wrong example", "How to mend it"]
SECTIONS: dict[Part, str] = {
    "plugin": "Plugins",
    "scorer": "Scorers and rerankers",
    "trainer": "Trainers and their scorers",
    "reader": "Readers",
    "retriever": "First stages",
}
each = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)

GIVEN = """
import json
import math
import os
import random
import sys
import tempfile
import time
import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import rr
import torch
from rr.data import Row, read_text
from tests.shelves.wrong_parts import Lines, Overlap, OverlapTrainer, Shared


class Scorer:
    info = rr.ModelInfo("logit")

    def __init__(self, settings, checkpoint=None):
        pass


"""
"""What stands before an example, which is a class's body."""
BASES = {"scorer": "Scorer", "trainer": "OverlapTrainer", "reader": "Lines", "retriever": "Shared"}
"""What is right, and is made wrong by an example."""
OF_SCORERS = ("training-changes-scores", "checkpoint-loads-the-same")
"""Checks of trainers whose example is of the scorer."""
PLUGIN = """
import rr


@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("mine", "NAME_scorer:MyScorer", "Mine", settings="NAME_settings:MySettings")]


"""
SETTINGS = """
import rr


class MySettings(rr.Settings):
    pass
"""
SCORER = """
import rr


class MyScorer:
    info = rr.ModelInfo("rank")

    def __init__(self, settings, checkpoint=None):
        pass

    def score(self, requests):
        return [[0.0] * len(request.candidates) for request in requests]
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = state()
    with generators_kept():
        yield
    put_back(before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What is written into it can be imported, by other processes, too."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("wrong_") and (tmp_path / f"{name}.py").is_file()]:
        del sys.modules[name]


def text(check: Check) -> str:
    return (ROOT / check.page).read_text(encoding="utf-8")


def example_of(check: Check) -> str:
    (example,) = re.findall(r"^```python\n(.+?)^```", text(check), flags=re.MULTILINE | re.DOTALL)
    return str(example)


@each
def test_each_has_a_page_of_one_form(check: Check) -> None:
    found = text(check)
    assert re.match(rf"# {check.name}\n\n[A-Z`][^\n]+\.\n\n## ", found)
    assert re.findall(r"^## (.+)$", found, flags=re.MULTILINE) == HEADINGS
    for heading in HEADINGS:
        assert re.search(rf"^## {heading}\n\n\S", found, flags=re.MULTILINE), heading
    assert re.search(r"^1\. ", found.partition("## How to mend it")[2], flags=re.MULTILINE)
    assert example_of(check)
    assert check.function.__doc__


def test_there_is_no_other_page() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"index.md", *(f"{check.name}.md" for check in CHECKS)}


def test_the_index_has_all_in_the_order_in_which_they_are_asked() -> None:
    assert re.findall(r"^## (.+)$", INDEX, flags=re.MULTILINE) == list(SECTIONS.values())
    assert list(SECTIONS) == list(dict.fromkeys(check.part for check in CHECKS))
    for part, heading in SECTIONS.items():
        section = re.split(r"^## ", INDEX.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
        rows = re.findall(r"^\| \[(\S+)\]\(\1\.md\) \| (.+) \|$", section, flags=re.MULTILINE)
        assert rows == [(check.name, text(check).splitlines()[2]) for check in CHECKS if check.part == part]


@each
def test_its_example_is_wrong_in_that_way(check: Check, folder: Path) -> None:
    subject = wrong_plugin(example_of(check), folder) if check.part == "plugin" else wrong(check, folder)
    with pytest.raises(BrokenRuleError) as found:
        check.function(subject)
    assert "NameError" not in str(found.value)  # which any check would take for a fault


def wrong(check: Check, folder: Path) -> Subject:
    """A component whose class has the example as its body, over what is right."""
    name = f"wrong_{check.name.replace('-', '_')}"
    base = "Overlap" if check.name in OF_SCORERS else BASES[check.part]
    (folder / f"{name}.py").write_text(f"{GIVEN}class Wrong({base}):\n{indent(example_of(check), '    ')}", "utf-8")
    target = import_module(name).Wrong
    if check.part == "trainer":
        scorer, trainer = (target, OverlapTrainer) if check.name in OF_SCORERS else (Overlap, target)
        return subject_of(scorer, trainer=trainer)
    return subject_of(target, {"folder": _lines(folder)} if check.part == "reader" else None)


def _lines(folder: Path) -> Path:
    """What `Lines` reads."""
    for kind, more in (("documents", {}), ("queries", {"relevant": "1"})):
        rows = [{"id": str(number), "text": f"văn bản {number} dài hơn", **more} for number in range(8)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{kind}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def wrong_plugin(example: str, folder: Path) -> Subject:
    """A plugin whose settings or scorer are the example, or whose module ends with it."""
    modules = {"": PLUGIN, "_settings": SETTINGS, "_scorer": SCORER}
    place = "_settings" if "class MySettings" in example else "_scorer" if "class MyScorer" in example else ""
    modules[place] = PLUGIN + example if place == "" else example
    for suffix, code in modules.items():
        (folder / f"wrong_plugin{suffix}.py").write_text(code.replace("NAME", "wrong_plugin"), encoding="utf-8")
    return subject_of_plugin(EntryPoint("wrong_plugin", "wrong_plugin", "rr.plugins"))


def test_without_an_example_the_plugin_is_right(folder: Path) -> None:
    assert {one.verdict for one in run_checks(wrong_plugin("", folder))} == {"passed"}


@each
def test_figures_of_pages_are_those_of_the_code(check: Check) -> None:
    module = sys.modules[check.function.__module__]
    for name, figure in re.findall(r"`([A-Z]+) = (\d+)`", " ".join(text(check).split())):
        assert getattr(module, name, getattr(of_imports, name, None)) == float(figure)


def test_what_is_heavy_is_named() -> None:
    (check,) = (check for check in CHECKS if check.name == "plugin-imports-nothing-heavy")
    assert "None of " + ", ".join(HEAVY[:-1]) + f" and {HEAVY[-1]} comes" in " ".join(text(check).split())
