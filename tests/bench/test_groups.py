"""Groups of queries: where their fields come from, who sees them, and the figures of each."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from statistics import fmean

import pytest

import rr
from rr import Document, PluginError, Query
from rr.data.collection import Collection
from rr_bench.data.gate import checked_collection
from rr_bench.data.load import load_dataset
from rr_bench.data.store import read_dataset, write_dataset
from rr_bench.data.unfilled import without_unfilled
from rr_bench.data.view import without_test
from rr_bench.evaluate.significance import interval
from rr_bench.registry import load_registry
from rr_bench.report.comparisons import groups_csv
from rr_bench.report.files import markdown
from tests.bench.test_splits_and_candidates import candidate_plan, queries_only, split_plan
from tests.conftest import Rr
from tests.preparing import prepare, prepare_folds, read

NAMES = ("bm25", "random", "first-stage")


@pytest.fixture
def grouped_registry(small_registry: Path) -> Path:
    """Its queries have a difficulty (but the last), a length in words, a list, and a number with a fraction."""
    path = small_registry.parent / "small" / "queries.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, one in enumerate(rows):
        one |= {
            "length": number % 2 * 9 + 1,
            "typed": number % 3 == 0,
            "tags": ["x"],
            "score": 0.5,
            "id2": f"x{number}",
        }
        if number < 11:
            one["difficulty"] = ("dễ", "khó")[number % 2]
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    asked(small_registry, "difficulty")
    return small_registry


def asked(registry: Path, fields: str) -> None:
    text = registry.read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if "group_by" not in line]
    place = next(place for place, line in enumerate(lines) if "reader: jsonl" in line)
    lines.insert(place + 1, f"        group_by: {fields}")
    registry.write_text("\n".join(lines), encoding="utf-8")


def test_a_table_a_group_with_the_same_rows(grouped_registry: Path) -> None:
    asked(grouped_registry, "[difficulty, length]")
    result = rr.bench(NAMES, registry=grouped_registry)
    (data,) = result.datasets
    dataset = load_dataset("rooms", load_registry(grouped_registry).dataset("rooms"))
    assert set(dataset.facets) == {"difficulty", "length", "typed", "id2"}
    for field in ("difficulty", "length"):
        groups = [group for group in data.groups if group.field == field]
        seen = {dataset.facets[field].get(id_, "") for id_ in data.query_ids}
        assert {group.value for group in groups} == seen
        assert sum(group.queries["nDCG@10"] for group in groups) == len(data.query_ids)
        for group in groups:
            assert list(group.metrics) == [row.reranker for row in data.rows]
            assert "fewer than 30" in group.caution
            for row in data.rows:
                values = [
                    value
                    for id_, value in zip(data.query_ids, row.per_query["MRR@10"], strict=True)
                    if dataset.facets[field].get(id_, "") == group.value
                ]
                assert group.metrics[row.reranker]["MRR@10"] == interval(values)
    text = markdown(result)
    for group in data.groups:
        name = f"{group.field} {group.value}" if group.value else f"no {group.field}"
        assert f"**rooms, {name}: {group.queries['nDCG@10']} queries**" in text
    lines = list(csv.DictReader(io.StringIO(groups_csv(result))))
    assert len(lines) == len(data.groups) * len(NAMES) * len(result.metrics)


def test_groups_of_folds_and_of_populations(grouped_registry: Path) -> None:
    text = grouped_registry.read_text(encoding="utf-8")
    text = text.replace("metrics: [nDCG@10, MRR@10]", 'metrics: ["Hit@1:valid-retrieval", nDCG@10]')
    grouped_registry.write_text(text, encoding="utf-8")
    (data,) = rr.bench(NAMES, folds=3, registry=grouped_registry).datasets
    assert [group.value for group in data.groups] == ["dễ", "khó", ""]
    assert sum(group.queries["nDCG@10"] for group in data.groups) == 12
    valid = data.populations["valid-retrieval"]
    assert sum(group.queries["Hit@1:valid-retrieval"] for group in data.groups) == len(valid)
    row = data.rows[0]
    values = dict(zip(data.query_ids, row.per_query["nDCG@10"], strict=True))
    mean = fmean(value for id_, value in values.items() if int(id_[1:]) % 2 == 0)
    assert data.groups[0].metrics[row.reranker]["nDCG@10"].mean == pytest.approx(mean)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("dificulty", "data set 'rooms': group_by: its queries have no field 'dificulty'; did you mean 'difficulty'?"),
        ("tags", "data set 'rooms': group_by: its queries have no field 'tags'; known: difficulty, id2, length, typed"),
    ],
)
def test_an_unknown_field_is_one_line_before_the_work(
    rr_command: Rr, grouped_registry: Path, field: str, reason: str
) -> None:
    asked(grouped_registry, field)
    (data,) = rr.bench(NAMES, registry=grouped_registry).datasets
    assert (data.failure, data.rows) == (reason, ())
    ended = rr_command("bench", "bm25", "--registry", grouped_registry)
    assert ended.returncode == 1
    assert field in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_field_that_names_single_queries_is_refused(grouped_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rr_bench.evaluate.groups.MOST", 11)
    asked(grouped_registry, "id2")
    (data,) = rr.bench(NAMES, registry=grouped_registry).datasets
    assert data.failure.startswith("data set 'rooms': group_by: 'id2' has 12 values, which are no groups")


def test_asking_for_other_groups_changes_no_data(grouped_registry: Path) -> None:
    first = rr.bench(["bm25"], registry=grouped_registry).datasets[0]
    asked(grouped_registry, "length")
    again = rr.bench(["bm25"], registry=grouped_registry).datasets[0]
    assert again.fingerprint == first.fingerprint
    assert again.rows[0].scores_from_store
    folder = grouped_registry.parent / "rr-home" / "data"
    assert len(list(folder.iterdir())) == 1
    assert [group.value for group in again.groups] == sorted({g.value for g in again.groups}, key=int)


# where facets come from, and who sees them


FACETS = {"difficulty": {f"q{n}": "khó" if n % 3 else "dễ" for n in range(0, 30, 2)}}


def test_facets_are_kept_and_shown_to_nobody(tmp_path: Path) -> None:
    dataset = prepare("n", queries_only(30, facets=FACETS), split_plan(), candidate_plan())
    plain = prepare("n", queries_only(30), split_plan(), candidate_plan())
    assert dataset.fingerprint == plain.fingerprint  # nothing of it is ranked or judged
    assert dataset.facets == FACETS
    write_dataset(dataset, tmp_path / "kept")
    assert read_dataset(tmp_path / "kept") == dataset
    assert without_test(dataset).facets == {}
    assert dataset.requests("test") == plain.requests("test")
    for fold in prepare_folds("n", queries_only(30, facets=FACETS), split_plan(), candidate_plan(), 3):
        assert fold.facets == FACETS


@pytest.mark.parametrize(
    ("facets", "message"),
    [
        ({"x": {"q99": "a"}}, "field 'x' names query 'q99', which does not exist"),
        ({"x": {"q1": 5}}, "query 'q1' has 'x' 5; give a text"),
        ({"x": "easy"}, "field 'x' is str, not a mapping by id"),
        ({" ": {}}, "an id is a text that is not blank"),
        ([], "a field of queries is list, not a mapping"),
    ],
)
def test_what_a_reader_gives_as_facets_is_checked(facets: object, message: str) -> None:
    given = Collection({"d": Document("d", "x")}, {"q1": Query("q1", "y")}, {"q1": {"d": 1}}, facets=facets)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match=message):
        checked_collection(given, "reader 'x'")


def test_facets_of_what_is_left_out_go_with_it() -> None:
    queries = {f"q{n}": Query(f"q{n}", "{title}" if n == 0 else f"phòng {n}") for n in range(4)}
    collection = Collection(
        {"d": Document("d", "x")}, queries, {q: {"d": 1} for q in queries}, facets={"x": dict.fromkeys(queries, "1")}
    )
    assert set(without_unfilled(collection, "skip").facets["x"]) == {"q1", "q2", "q3"}


@pytest.mark.parametrize(("name", "field"), [("helpdesk", "general"), ("rentals", "marks"), ("films", "history")])
def test_generators_offer_a_group(name: str, field: str) -> None:
    collection = read(name)
    values = collection.facets[field]
    assert set(values) == set(collection.queries)
    assert len(set(values.values())) >= 2
    if name == "rentals":
        assert all(query.text.isascii() for id_, query in collection.queries.items() if values[id_] == "false")
    if name == "helpdesk":
        assert all((len(judged) == 2) == (values[id_] == "true") for id_, judged in collection.qrels.items())
    if name == "films":
        assert all(len(query.history) == int(values[id_]) for id_, query in collection.queries.items())


def test_the_metadata_of_beir_are_fields(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "x"}\n')
    lines = [{"_id": f"q{n}", "text": "y", "metadata": {"year": 2000 + n % 2, "url": "", "a": {}}} for n in range(3)]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td\t1\nq1\td\t1\n")
    assert read("beir", folder=tmp_path).facets == {"year": {"q0": "2000", "q1": "2001"}}
