"""A data set that is asked under both protocols is two, labelled, and never one mean."""

from __future__ import annotations

from pathlib import Path

import pytest

import rr
from rr.errors import RegistryError
from rr_bench.registry import load_registry
from rr_bench.report.files import csv_text, markdown
from tests.conftest import Rr


@pytest.fixture(params=["both", "[end-to-end, oracle]", "[oracle, end-to-end]"])
def two(small_registry: Path, request: pytest.FixtureRequest) -> Path:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(
        text.replace("      rooms:\n", f"      rooms:\n        candidates: {{depth: 3, protocol: {request.param}}}\n"),
        encoding="utf-8",
    )
    return small_registry


NAMES = ["rooms (end-to-end)", "rooms (oracle)"]


def test_both_protocols_are_two_labelled_data_sets(two: Path) -> None:
    registry = load_registry(two)
    assert list(registry.suite("small").datasets) == NAMES
    assert [registry.dataset(name).candidates.protocol for name in NAMES] == ["end-to-end", "oracle"]
    assert {registry.dataset(name).candidates.depth for name in NAMES} == {3}


@pytest.mark.parametrize("asked", [(), ("rooms",), tuple(NAMES)])
def test_the_bench_shows_them_one_after_the_other(two: Path, asked: tuple[str, ...]) -> None:
    found = rr.bench(["bm25", "random", "first-stage"], datasets=asked, registry=two)
    assert [(one.name, one.protocol) for one in found.datasets] == list(
        zip(NAMES, ["end-to-end", "oracle"], strict=True)
    )
    plain, oracle = found.datasets
    assert plain.fingerprint != oracle.fingerprint
    assert {row.reranker: bool(row.skipped) for row in oracle.rows}["first-stage"]
    assert not any(row.skipped for row in plain.rows)
    text = markdown(found)
    assert "**rooms (end-to-end)**: 6 documents" in text
    assert "**rooms (oracle)**: 6 documents" in text
    assert {line.split(",")[0] for line in csv_text(found).splitlines()[1:]} == set(NAMES)


def test_one_of_them_can_be_named_and_the_bare_name_says_which(two: Path, rr_command: Rr) -> None:
    (found,) = rr.bench(["bm25", "random"], datasets=["rooms (oracle)"], registry=two).datasets
    assert found.protocol == "oracle"
    with pytest.raises(RegistryError) as caught:
        load_registry(two).dataset("rooms")
    told = "data set 'rooms' is asked under both protocols; name 'rooms (end-to-end)' or 'rooms (oracle)'"
    assert str(caught.value) == told
    ended = rr_command("rerank", "bm25", "--registry", two, "-d", "rooms", "-q", "a", "a", "b")
    assert told in ended.stderr
    with pytest.raises(rr.RerankError, match=r"no data set .room.; known: rooms"):
        rr.bench(["bm25"], datasets=["room"], registry=two)


def test_a_name_that_is_taken_and_a_protocol_that_does_not_exist(small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    taken = text.replace(
        "      rooms:\n",
        "      rooms (oracle): {reader: jsonl}\n      rooms:\n        candidates: {protocol: both}\n",
    )
    wrong = text.replace("      rooms:\n", "      rooms:\n        candidates: {protocol: [oracle, orakle]}\n")
    for content, told in (
        (taken, "data set 'rooms' asks for both protocols, and 'rooms (oracle)' is taken"),
        (wrong, "candidates.protocol: Input should be 'end-to-end' or 'oracle'"),
    ):
        small_registry.write_text(content, encoding="utf-8")
        with pytest.raises(RegistryError) as caught:
            load_registry(small_registry)
        assert told in str(caught.value)
