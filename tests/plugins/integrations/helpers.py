"""What the tests of the adapters share: rerankers whose answers are known, and frameworks that warn as they load."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rr
from rr.registry.plugins import Plugins, Registered

TEXTS = ["a cat", "a dog", "the cat and a dog", "nothing", "the cat and a dog"]
"""Of which two are equal."""
QUERY = "cat dog"
BEST = [4, 2, 1, 0, 3]
"""Their places, best first; ties go to the higher id."""


class Words:
    """The share of the query's words that a document has, in tenths of logits or as it is."""

    info = rr.ModelInfo("logit")

    def __init__(self, settings: rr.Settings, checkpoint: Path | None) -> None:
        pass

    def score(self, requests: Sequence[rr.Request]) -> list[list[float]]:
        words = [{*request.query.text.split()} for request in requests]
        return [
            [len(asked & {*document.text.split()}) / len(asked) for document in request.candidates]
            for asked, request in zip(words, requests, strict=True)
        ]


class Shares(Words):
    info = rr.ModelInfo("probability")


class FirstStage(Words):
    """Answers with the scores of the first stage, and fails where it is shown none."""

    def score(self, requests: Sequence[rr.Request]) -> list[list[float]]:
        return [[*(request.first_stage or ())] for request in requests]


PLUGINS = Plugins(
    [
        Registered(rr.Component(name, f"{__name__}:{of.__name__}", ""), "scorer", "t", "t", "1")
        for name, of in {"words": Words, "shares": Shares, "shown": FirstStage}.items()
    ]
)


def named(folder: Path, name: str) -> rr.NamedReranker:
    path = folder / "adapters.yaml"
    entries = "".join(f"  {one.component.name}: {{scorer: {one.component.name}}}\n" for one in PLUGINS.components)
    path.write_text(
        "version: 1\ndefault_profile: p\nprofiles: {p: {suite: s}}\nsuites: {s: {datasets: {}}}\nrerankers:\n"
        + entries,
        encoding="utf-8",
    )
    return rr.load(name, registry=str(path), plugins=PLUGINS)


def framework(module: str) -> Any:
    """A module of a framework, or the test is skipped where that is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            pytest.skip(str(error))
