"""Reader `pairs`: rows that bring their own candidates, in the forms of the wild, and their damaged twins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rr.data import Collection
from rr_data.readers.pairs import Pairs
from tests.plugins.data.wild import FORMATS, PACKED, delimited, fails, jsonl, packed, skipping, text
from tests.preparing import component, read

FLAG = [
    {
        "query": "a",
        "pos": ["A", "A2"],
        "neg": ["N", "M"],
        "pos_scores": [9.5, 9],
        "neg_scores": [0.5, 3],
        "prompt": "p",
    },
    {"query": "b", "pos": ["B"], "neg": ["A", "B"], "pos_scores": [9], "neg_scores": [1, 1], "prompt": "p"},
    {"query": "c", "pos": ["A2 "], "neg": []},
]


def by_text(found: Collection) -> dict[str, tuple[dict[str, int], list[str]]]:
    """Query → what is judged, with its grade, and its hard negatives, all by text."""
    texts = {id_: one.text for id_, one in found.documents.items()}
    return {
        query.text: (
            {texts[id_]: grade for id_, grade in found.qrels[query.id].items()},
            [texts[one.document_id] for one in found.hard_negatives.get(query.id, ())],
        )
        for query in found.queries.values()
    }


FLAGGED = {"a": ({"A": 1, "A2": 1}, ["M", "N"]), "b": ({"B": 1}, ["A"]), "c": ({"A2": 1}, [])}
"""The hardest first; B is no negative of a query that it answers."""


@pytest.mark.parametrize("form", ["jsonl", "json", "json, indented", "parquet"])
def test_flag_embedding(tmp_path: Path, form: str) -> None:
    found = read("pairs", rows=FORMATS[form](tmp_path / "rows", FLAG))
    assert by_text(found) == FLAGGED
    assert list(found.documents) == ["d1", "d2", "d3", "d4", "d5"]
    assert found.groups["q1"] == found.groups["q3"] != found.groups["q2"]
    assert found.notes == ("negatives that are positives of their own query, dropped: 1",)
    assert found.facets == {}


def test_lists_in_a_csv_are_json(tmp_path: Path) -> None:
    rows = [
        {key: json.dumps(cell) if isinstance(cell, list) else cell for key, cell in row.items()} for row in FLAG[:2]
    ]
    assert by_text(read("pairs", rows=delimited(tmp_path / "rows.csv", rows))) == {q: FLAGGED[q] for q in "ab"}


@pytest.mark.parametrize("packer", PACKED)
def test_packed(tmp_path: Path, packer: str) -> None:
    assert by_text(read("pairs", rows=packed(jsonl(tmp_path / "rows.jsonl", FLAG), packer))) == FLAGGED


WILD: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "Cohere": (
        [{"query": "a", "relevant_passages": ["A"], "hard_negatives": ["N", "M"]}],
        {"a": ({"A": 1}, ["N", "M"])},
    ),
    "Tevatron": (
        [
            {
                "query_id": "7",
                "query": "a",
                "positive_passages": [{"docid": "p", "title": "T", "text": "A"}],
                "negative_passages": [{"docid": "n", "title": "", "text": "N"}],
            }
        ],
        {"a": ({"A": 1}, ["N"])},
    ),
    "DPR": (
        [
            {
                "question": "a",
                "answers": ["x"],
                "positive_ctxs": [{"title": "", "text": "A", "passage_id": "1"}],
                "negative_ctxs": [],
                "hard_negative_ctxs": [{"title": "", "text": "N", "passage_id": "2"}],
            }
        ],
        {"a": ({"A": 1}, ["N"])},
    ),
    "triplets": ([{"anchor": "a", "positive": "A", "negative": "N"}], {"a": ({"A": 1}, ["N"])}),
    "many negatives": (
        [{"anchor": "a", "positive": "A", "negative_1": "N", "negative_2": "M"}],
        {"a": ({"A": 1}, ["N", "M"])},
    ),
    "pairs": ([{"anchor": "a", "positive": "A"}, {"anchor": "a", "positive": "B"}], {"a": ({"A": 1, "B": 1}, [])}),
    "scores": (
        [{"sentence1": "a", "sentence2": "A", "score": 0.75}, {"sentence1": "a", "sentence2": "B", "score": 0.25}],
        {"a": ({"A": 1, "B": 0}, ["B"])},
    ),
    "labels": (
        [{"query": "a", "passage": "A", "label": 2}, {"query": "a", "passage": "N", "label": 0}],
        {"a": ({"A": 2, "N": 0}, ["N"])},
    ),
}


@pytest.mark.parametrize("name", WILD)
def test_forms_of_the_wild(tmp_path: Path, name: str) -> None:
    rows, expected = WILD[name]
    flat = not any(isinstance(cell, list) for cell in rows[0].values())
    for form in FORMATS if flat else ["jsonl", "json", "parquet"]:
        path = FORMATS[form](tmp_path / "rows", rows)
        options = Pairs.recognise([path])
        assert options == {"rows": str(path)}
        assert by_text(read("pairs", **options)) == expected


def test_ids_of_the_source_are_kept(tmp_path: Path) -> None:
    found = read("pairs", rows=jsonl(tmp_path / "rows.jsonl", WILD["Tevatron"][0]))
    assert (list(found.queries), found.qrels, found.documents["p"].title) == (["7"], {"7": {"p": 1}}, "T")
    again = {"query_id": "8", "query": "b", "positive_passages": [{"docid": "p", "text": "other"}]}
    with fails("line 2: document 'p' has another text here than before"):
        read("pairs", rows=jsonl(tmp_path / "rows.jsonl", [*WILD["Tevatron"][0], again]))


def test_ms_marco_triples_of_texts(tmp_path: Path) -> None:
    lines = ['what is it\tit is a "thing\tit is not one', "what was it\tit was another thing\tit is not one"]
    path = text(tmp_path / "triples.train.small.tsv", *lines)
    assert Pairs.recognise([path]) == {"rows": str(path)}
    assert by_text(read("pairs", rows=path)) == {
        "what is it": ({'it is a "thing': 1}, ["it is not one"]),
        "what was it": ({"it was another thing": 1}, ["it is not one"]),
    }


def ids(folder: Path, *triples: str) -> dict[str, Path]:
    return {
        "rows": text(folder / "qidpidtriples.tsv", *triples),
        "collection": text(folder / "collection.tsv", "1\tmột", "2\thai", "3\tba"),
        "queries": text(folder / "queries.tsv", "10\tmột?", "11\thai?"),
    }


def test_ms_marco_triples_of_ids(tmp_path: Path) -> None:
    found = read("pairs", **ids(tmp_path, "10\t1\t2", "10\t1\t3", "11\t2\t3"))
    assert found.qrels == {"10": {"1": 1}, "11": {"2": 1}}
    assert {q: [one.document_id for one in hard] for q, hard in found.hard_negatives.items()} == {
        "10": ["2", "3"],
        "11": ["3"],
    }
    assert found.queries["10"].text == "một?"
    with fails("2 rows cannot be used") as caught:
        read("pairs", **ids(tmp_path, "10\t1\t2", "12\t1\t3", "11\t9\t3"))
    assert "line 2: query '12' does not exist" in str(caught.value)
    assert "line 3: document '9' does not exist" in str(caught.value)
    with pytest.raises(ValidationError, match="give both `collection` and `queries`"):
        component("reader", "pairs", rows="a", queries="b")


def test_files_by_split_and_named_columns(tmp_path: Path) -> None:
    parts = {
        split: jsonl(tmp_path / f"{split}.jsonl", [{"hỏi": "a", "đúng": f"{split}", "sai": ["N"]}])
        for split in ("train", "test")
    }
    found = read("pairs", rows=parts, columns={"query": "hỏi", "positive": "đúng", "negative": "sai"})
    assert found.splits == {"train": ["q1"], "test": ["q2"]}
    assert len(found.documents) == 3


def test_a_threshold_makes_grades_of_scores(tmp_path: Path) -> None:
    path = delimited(
        tmp_path / "sts.csv", [{"sentence1": n, "sentence2": f"{n} B", "score": n + 0.5} for n in range(4)]
    )
    with fails("3 rows cannot be used.*line 3: 'score' is 1.5, no grade; set threshold"):
        read("pairs", rows=path)
    found = read("pairs", rows=path, threshold=2.5)
    assert [*(grade for judged in found.qrels.values() for grade in judged.values())] == [0, 0, 1, 1]
    assert found.notes == ("scores that are no whole numbers, made grades by the threshold: 4",)


def test_fields_that_queries_are_grouped_by(tmp_path: Path) -> None:
    found = read("pairs", rows=jsonl(tmp_path / "r.jsonl", [{"query": "a", "pos": ["A"], "neg": ["N"], "type": "law"}]))
    assert found.facets == {"type": {"q1": "law"}}


DAMAGED: dict[str, tuple[dict[str, Any], str]] = {
    "no positive": ({"query": "x", "pos": [], "neg": ["N"]}, "line 2: 'pos' is empty; give what is relevant"),
    "null": ({"query": "x", "pos": None, "neg": ["N"]}, "line 2: 'pos' is empty"),
    "a blank query": ({"query": " ", "pos": ["X"], "neg": []}, "line 2: 'query' is blank"),
    "a blank positive": ({"query": "x", "pos": ["X", " "], "neg": []}, "line 2, pos 2: 'text' is blank"),
    "a number": ({"query": "x", "pos": ["X"], "neg": ["N", 5]}, "line 2, neg 2: 'text' must be text, not 5"),
    "a list in a list": (
        {"query": "x", "pos": [["X"]], "neg": []},
        "line 2, pos 1: 'text' must be text, not \\[\"X\"\\]",
    ),
    "an object without text": (
        {"query": "x", "pos": [{"txt": "X"}], "neg": []},
        r"line 2, pos 1: no text in \['txt'\]",
    ),
    "a score too few": (
        {"query": "x", "pos": ["X"], "neg": ["N", "M"], "neg_scores": [1]},
        "line 2: 'neg_scores' holds 1 scores for 2 negatives",
    ),
    "a score that is none": (
        {"query": "x", "pos": ["X"], "neg": ["N"], "pos_scores": ["high"]},
        "line 2: 'pos_scores' must be a finite number, not 'high'",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_rows(tmp_path: Path, name: str) -> None:
    row, problem = DAMAGED[name]
    path = jsonl(tmp_path / "rows.jsonl", [FLAG[0], row])
    with fails(problem):
        read("pairs", rows=path)
    with skipping():
        found = read("pairs", rows=path)
    assert by_text(found) == {"a": FLAGGED["a"]}
    assert len(found.documents) == 4, "a row that is left out leaves nothing behind"
    assert found.notes[0].startswith("left out, as the entry's `missing: skip` says")


def test_all_damage_is_told_in_one_line(tmp_path: Path) -> None:
    rows = [FLAG[0], *(row for row, _ in DAMAGED.values())] * 3
    with fails(f"{3 * len(DAMAGED)} rows cannot be used") as caught:
        read("pairs", rows=jsonl(tmp_path / "rows.jsonl", rows))
    assert "\n" not in str(caught.value)
    with fails("column 'positive' is missing; there are: hit, query; name yours under columns.positive"):
        read("pairs", rows=jsonl(tmp_path / "rows.jsonl", [{"query": "a", "hit": "A"}]))


OTHERS: dict[str, list[dict[str, Any]]] = {
    "rental": [{"query": "a", "pos": "A", "hard_neg": [{"text": "N", "type": ["price"], "weight": 2}]}],
    "questions and answers": [{"question": "a", "answer": "A"}],
    "judgements by id": [{"query-id": "a", "corpus-id": "A", "score": 0}],
    "documents": [{"id": "1", "text": "A"}],
}


@pytest.mark.parametrize("name", OTHERS)
def test_it_does_not_recognise_what_is_not_of_its_form(tmp_path: Path, name: str) -> None:
    assert Pairs.recognise([jsonl(tmp_path / "rows.jsonl", OTHERS[name])]) is None
