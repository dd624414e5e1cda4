"""docs/checks has a page for every check of scorers and rerankers, whose wrong example fails that very check."""

from __future__ import annotations

import math
import os
import random
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rr
from rr_bench.testing import BrokenRuleError, Check, all_checks, subject_of
from rr_bench.testing.checks import care
from rr_bench.testing.process import generators_kept, put_back, state
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "checks"
CHECKS = [check for check in all_checks() if check.part == "scorer"]
HEADINGS = ["What is expected", "Why", "The smallest wrong example", "How to mend it"]
GIVEN = {
    "math": math,
    "np": np,
    "os": os,
    "random": random,
    "rr": rr,
    "sys": sys,
    "time": time,
    "torch": torch,
    "unicodedata": unicodedata,
}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = state()
    with generators_kept():
        yield
    put_back(before)


class Begun:
    """What every example is laid over."""

    info = rr.ModelInfo("logit")

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        pass


def text(check: Check) -> str:
    return (ROOT / check.page).read_text(encoding="utf-8")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_each_has_a_page_of_one_form(check: Check) -> None:
    found = text(check)
    assert re.match(rf"# {check.name}\n\n[A-Z`][^\n]+\.\n\n## ", found)
    assert re.findall(r"^## (.+)$", found, flags=re.MULTILINE) == HEADINGS
    assert re.search(r"^1\. ", found.partition("## How to mend it")[2], flags=re.MULTILINE)
    assert check.function.__doc__


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_its_example_is_wrong_in_that_way(check: Check) -> None:
    (example,) = re.findall(r"^```python\n(.+?)^```", text(check), flags=re.MULTILINE | re.DOTALL)
    body: dict[str, Any] = {}
    exec(compile(example, check.page, "exec"), GIVEN, body)
    with pytest.raises(BrokenRuleError):
        check.function(subject_of(type("Wrong", (Begun,), body)))


def test_the_index_has_them_in_the_order_in_which_they_are_asked() -> None:
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", index.partition("## Scorers and rerankers\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| \[(\S+)\]\(\1\.md\) \| (.+) \|$", section, flags=re.MULTILINE)
    assert rows == [(check.name, text(check).splitlines()[2]) for check in CHECKS]


def test_figures_of_pages_are_those_of_the_code() -> None:
    (memory,) = (check for check in CHECKS if check.name == "memory-flat")
    for name, figure in re.findall(r"`([A-Z]+) = (\d+)`", " ".join(text(memory).split())):
        assert getattr(care, name) == float(figure)
