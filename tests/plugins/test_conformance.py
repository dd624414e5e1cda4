"""Our own scorers and rerankers pass the conformance kit, each with the smallest real model that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rr.registry.plugins import OURS, Registered, installed_plugins
from rr_bench.testing import Subject, checks_of, subject_of
from rr_bench.testing.asked import ask, known
from tests.plugins.conftest import MINILM
from tests.plugins.head.test_bge_m3 import bge_m3 as bge_m3  # a fixture

ADAPTERS = ("flagembedding", "http", "qwen3_reranker", "rerankers", "sentence_transformers")
"""Each is asked among its own tests, which have the models, and the server, that it needs."""
OWN = [
    one
    for kind in ("scorer", "reranker")
    for one in installed_plugins().of_kind(kind)
    if one.distribution == OURS and one.plugin not in ADAPTERS
]
EXPECTED: dict[str, dict[str, str]] = {}
"""Component → check → why it fails."""


@pytest.fixture
def settings(bert: Callable[..., Path], bge_m3: Path) -> dict[str, dict[str, Any]]:
    minilm = {"model": MINILM, "max_seq_length": 128}
    tiny = {"model": str(bge_m3), "max_seq_length": 64, "batch_size": 4}
    return {
        "bi_encoder": minilm,
        "cross_encoder": minilm,
        "flag_reranker": {"model": str(bert(1)), "max_seq_length": 64},
        "head": minilm,
        "bge_m3_sparse": tiny,
        "bge_m3_colbert": tiny,
        "letters": {"title_tokens": 16},
    }


def scorings(subject: Subject, expected: dict[str, str]) -> list[Any]:
    return [ask(check, subject, known(expected)) for check in checks_of(subject) if check.part == "scorer"]


@pytest.mark.parametrize("own", OWN, ids=lambda own: own.component.name)
def test_our_own_pass_all_checks(own: Registered, settings: dict[str, dict[str, Any]]) -> None:
    name = own.component.name
    found = scorings(
        subject_of(installed_plugins().load(own.kind, name), settings.get(name, {})), EXPECTED.get(name, {})
    )
    assert [(one.check, one.message) for one in found if one.bad] == []
    assert sum(one.verdict == "passed" for one in found) > 25


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_each_adapter_is_asked_among_its_own_tests(adapter: str) -> None:
    texts = [file.read_text(encoding="utf-8") for file in Path(__file__).with_name(adapter).glob("test_*.py")]
    assert any("passes_the_kit(" in text or "run_checks(" in text for text in texts)


@pytest.mark.parametrize("options", [{"scale": "probability"}, {"dtype": "bfloat16"}], ids=str)
def test_so_does_the_cross_encoder_in_other_ways(options: dict[str, Any], bert: Callable[..., Path]) -> None:
    target = installed_plugins().load("scorer", "cross_encoder")
    found = scorings(subject_of(target, {"model": str(bert(1)), "max_seq_length": 64, **options}), {})
    assert [(one.check, one.message) for one in found if one.bad] == []
