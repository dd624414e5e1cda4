"""Readers `jsonl` and `rental` tell all their damage in one line, and leave it out where that is asked for."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.data.wild import fails, jsonl, skipping, text
from tests.preparing import read


def test_jsonl_tells_all_that_is_wrong_in_one_line(tmp_path: Path) -> None:
    paths = {
        "documents": text(
            tmp_path / "d.jsonl",
            '{"id": "1", "text": "một"}',
            '{"id": "1", "text": "hai"}',
            '{"id": "2", "text": "ba"}',
            '{"id"',
        ),
        "queries": jsonl(
            tmp_path / "q.jsonl",
            [
                {"id": "a", "text": "x", "split": "test"},
                {"id": "b", "text": " ", "split": "test"},
                {"id": "c", "text": "z", "split": "tset"},
                {"id": "d", "text": "z", "split": "test", "history": ["9"]},
            ],
        ),
        "qrels": jsonl(
            tmp_path / "r.jsonl", [{"query": "a", "document": "1"}, {"query": "a", "document": "1", "grade": 2}]
        ),
    }
    with fails("6 rows cannot be used") as caught:
        read("jsonl", **paths)
    for part in (
        "d.jsonl, line 2: document '1' came already in line 1",
        "d.jsonl, line 4: not JSON",
        "q.jsonl, line 2: 'text' is blank",
        "q.jsonl, line 3: unknown split 'tset'",
        "q.jsonl, line 4: document '9' does not exist",
        "r.jsonl, line 2: the judgement of query 'a' for document '1' came already",
    ):
        assert part in str(caught.value)
    with skipping():
        found = read("jsonl", **paths)
    assert (list(found.documents), found.qrels, found.splits) == (["1", "2"], {"a": {"1": 1}}, {"test": ["a"]})
    assert len(found.notes) == 6


def test_rental_tells_all_that_is_wrong_in_one_line(tmp_path: Path) -> None:
    good = {"query": "a", "pos": "A", "hard_neg": [{"text": "B", "type": ["price"], "weight": 2}]}
    rows = [
        good,
        {**good, "query": " "},
        {"query": "b", "pos": "C", "hard_neg": [{"text": "D", "weight": 1}, {"text": " ", "weight": 1}]},
        {"query": "c", "pos": "E", "hard_neg": [{"text": "F", "weight": -1}]},
    ]
    path = jsonl(tmp_path / "rows.jsonl", rows)
    with fails("3 rows cannot be used") as caught:
        read("rental", rows=path)
    for part in (
        "line 2: 'query' is blank",
        "(and 1 more of this kind: line 3, hard_neg 2)",
        "line 4, hard_neg 1: 'weight' must not",
    ):
        assert part in str(caught.value)
    with skipping():
        found = read("rental", rows=path)
    assert [one.text for one in found.documents.values()] == ["A", "B"], "a row that is left out leaves nothing behind"
    assert list(found.qrels) == ["q0001"]
    assert len(found.notes) == 2
