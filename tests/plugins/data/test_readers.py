"""Every reader on tiny files, on bad ones, and (marked `real`) on the data it was written for."""

from __future__ import annotations

import datetime
import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pydantic import ValidationError

from rr.errors import DataError, PluginError
from rr_data.weights import WeightConfig, combined_weight
from tests.preparing import READERS, component, read


def written(path: Path, *lines: object) -> Path:
    """A file of one line each; what is not text is written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def fails(match: str) -> Any:
    return pytest.raises(DataError, match=match)


def test_every_reader_has_checked_options() -> None:
    for name in READERS:
        with pytest.raises(ValidationError, match="nonsense"):
            component("reader", name, nonsense=1)


def test_an_unknown_reader_is_named_with_the_nearest_one() -> None:
    with pytest.raises(PluginError, match=r"no reader is called 'movielense'; did you mean 'movielens'\?"):
        component("reader", "movielense")


# proptit


def club(folder: Path, *labels: object, columns: Sequence[str] = ("Query", "Ground truth document")) -> dict[str, Any]:
    """A corpus of documents 1 to 3, and a sheet with one query for each label cell."""
    written(folder / "corpus.csv", "STT,Văn bản", "1,Một", '2,"Hai, hai"', "3,Ba")
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append([*columns, "Ground truth answer", None, "Difficulty"])
    for number, label in enumerate(labels, 2):
        sheet.append([f"Câu {number}", label, "…", None, 1])
    sheet.append([None, " "])
    workbook.save(folder / "queries.xlsx")
    return {"corpus": folder / "corpus.csv", "queries": folder / "queries.xlsx"}


def test_proptit(tmp_path: Path) -> None:
    collection = read("proptit", **club(tmp_path, "1, 3", 2, 3.0, "2.0,"))
    assert collection.documents["2"].text == "Hai, hai"
    assert collection.queries["q2"].text == "Câu 2"
    assert collection.qrels == {"q2": {"1": 1, "3": 1}, "q3": {"2": 1}, "q4": {"3": 1}, "q5": {"2": 1}}
    assert collection.notes == ()


DAMAGED = ("1 + 3", datetime.datetime(2093, 4, 2), 99, None, 1.5, True)


def test_proptit_reports_all_damaged_cells_at_once(tmp_path: Path) -> None:
    with fails("6 rows cannot be used") as caught:
        read("proptit", **club(tmp_path, 1, *DAMAGED))
    message = str(caught.value)
    for part in (
        "row 3: column 'Ground truth document': '1 + 3' is not a document of the corpus",
        "row 4: column 'Ground truth document': a date (2093-04-02 00:00:00) where ids were",
        "(and 1 more of this kind: row 5)",
        "row 6: column 'Ground truth document': empty",
        "row 7: column 'Ground truth document': must be text or a whole number, not 1.5",
        "set damaged: skip",
    ):
        assert part in message
    assert "\n" not in message


def test_proptit_tells_all_that_is_wrong_in_one_line(tmp_path: Path) -> None:
    options = club(tmp_path, "?", 1)
    written(options["corpus"], "STT,Văn bản", "1,Một", "1,Hai", "x", ",Ba")
    workbook = openpyxl.load_workbook(options["queries"])
    workbook.active["A3"] = " "
    workbook.save(options["queries"])
    with fails("5 rows cannot be used") as caught:
        read("proptit", **options)
    for part in ("line 3: document '1' came already", "line 4: 1 cells", "line 5: 'STT' is blank", "row 3: 'Query'"):
        assert part in str(caught.value)


def test_proptit_lists_ten_cells_that_are_left_out_and_counts_the_others(tmp_path: Path) -> None:
    notes = read("proptit", **club(tmp_path, 1, *["?"] * 12), damaged="skip").notes
    assert notes[0].startswith("12 queries with damaged label cells")
    assert notes[0].endswith("; and 2 more")


def test_proptit_can_leave_damaged_rows_out(tmp_path: Path) -> None:
    collection = read("proptit", **club(tmp_path, 1, *DAMAGED), damaged="skip")
    assert list(collection.queries) == ["q2"]
    assert list(collection.qrels) == ["q2"]
    (note,) = collection.notes
    assert note.startswith("6 queries with damaged label cells are left out: row 3, column")


def test_proptit_names_what_is_wrong_with_its_files(tmp_path: Path) -> None:
    options = club(tmp_path, 1, columns=("Query", "Ground truth documents"))
    with fails("column 'Ground truth document' is missing; there are: .*; did you mean 'Ground truth documents'?"):
        read("proptit", **options)
    with fails(r"corpus\.csv: not an XLSX workbook"):
        read("proptit", corpus=options["corpus"], queries=options["corpus"])
    options = club(tmp_path, 1)
    written(options["corpus"], "STT,Văn bản", "1,Một", "1,Hai")
    with fails(r"corpus\.csv, line 3: document '1' came already in line 2"):
        read("proptit", **options)
    written(options["corpus"], "STT,Văn", "1,Một")
    with fails("column 'Văn bản' is missing; there are: STT, Văn; did you mean 'Văn'?"):
        read("proptit", **options)


def test_proptit_refuses_a_blank_query(tmp_path: Path) -> None:
    options = club(tmp_path, 1)
    workbook = openpyxl.load_workbook(options["queries"])
    workbook.active["A2"] = " "
    workbook.save(options["queries"])
    with fails("row 2: 'Query' is blank"):
        read("proptit", **options)


# rental

CONFIG = {
    "price": 2.0,
    "area": 1.5,
    "amenity": 1.0,
    "other": 0.5,
    "_metadata": {"increment_ratio": 0.3, "cap": 4.0},
}


def listing(query: str, pos: str, *negatives: dict[str, Any]) -> dict[str, Any]:
    return {"query": query, "pos": pos, "hard_neg": list(negatives)}


def negative(text: str, weight: object, *types: str) -> dict[str, Any]:
    return {"text": text, "type": list(types), "weight": weight}


def test_rental(tmp_path: Path) -> None:
    rows = [
        listing("q1 20m2", "A", negative("B", 2.0, "price"), negative("C", 1.5, "area")),
        listing("q2 30m2", "D", negative("A", 1.0, "amenity")),
        listing("q1 20m2", "B", negative("C", 1.5, "area"), negative("E", 1.0, "amenity")),
        listing("q3", "B"),
    ]
    collection = read("rental", rows=written(tmp_path / "rows.json", rows))
    assert {id_: document.text for id_, document in collection.documents.items()} == {
        "d0001": "A",
        "d0002": "B",
        "d0003": "C",
        "d0004": "D",
        "d0005": "E",
    }
    assert collection.qrels == {
        "q0001": {"d0001": 1, "d0002": 1},
        "q0002": {"d0004": 1},
        "q0003": {"d0002": 1},
    }
    negatives = collection.hard_negatives["q0001"]
    assert [(n.document_id, n.types, n.weight) for n in negatives] == [
        ("d0003", ("area",), 1.5),
        ("d0005", ("amenity",), 1.0),
    ]
    assert collection.groups["q0001"] == collection.groups["q0003"] != collection.groups["q0002"]
    assert collection.notes == (
        "rows that repeat a query, merged into it: 1",
        "hard negatives that came before for the same query, dropped: 1",
        "hard negatives that are positives of their own query, dropped: 1",
    )


def test_rental_groups_reach_through_chains_of_shared_listings(tmp_path: Path) -> None:
    pairs = [("a", "1"), ("b", "2"), ("c", "3"), ("b", "1"), ("c", "2"), ("d", "4")]
    collection = read("rental", rows=written(tmp_path / "rows.jsonl", *(listing(*pair) for pair in pairs)))
    assert sorted(Counter(collection.groups.values()).values()) == [1, 3]


def test_rental_texts_are_equal_in_both_unicode_forms(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Phòng trọ")
    path = written(tmp_path / "rows.json", [listing("phòng", "Phòng trọ"), listing("trọ", decomposed)])
    assert len(read("rental", rows=path).documents) == 1


def test_rental_fills_missing_weights_from_the_types(tmp_path: Path) -> None:
    row = listing(
        "q",
        "A",
        negative("B", 0, "price", "area"),
        negative("C", None, "colour"),
        {"text": "D"},
        negative("E", 3.0),
    )
    collection = read(
        "rental", rows=written(tmp_path / "r.jsonl", row), weight_file=written(tmp_path / "w.json", CONFIG)
    )
    weights = [n.weight for n in collection.hard_negatives["q0001"]]
    assert weights == pytest.approx([2.0 + 0.3 * 1.5, 0.5, 0.5, 3.0])
    assert collection.notes == ("weights of 0, null or missing, filled from their types: 3",)
    with fails("item 1, hard_neg 1: 'weight' is 0, null or missing; set `weight_file`"):
        read("rental", rows=written(tmp_path / "r.json", [row]))


@pytest.mark.parametrize(
    ("types", "weight"),
    [
        (["price"], 2.0),
        (["price", "area"], 2.0 + 0.3 * 1.5),
        (["area", "price", "amenity"], 2.0 + 0.3 * (1.5 + 1.0)),
        (["price", "price"], 2.0),
        (["colour"], 0.5),
        (["price", "colour", "smell"], 2.0 + 0.3 * (0.5 + 0.5)),
        (["colour", "smell"], 0.5),
        (["floor", "price", "rent"], 2.0 + 0.3 * 0.5),
        ([], 0.5),
    ],
)
def test_combined_weight(types: list[str], weight: float) -> None:
    config = WeightConfig({"price": 2.0, "rent": 2.0, "area": 1.5, "amenity": 1.0, "other": 0.5})
    assert combined_weight(types, config) == pytest.approx(weight)


def test_combined_weight_is_capped() -> None:
    assert combined_weight(["a", "b"], WeightConfig({"a": 3.9, "b": 3.0, "other": 1.0})) == 4.0


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            listing("q", "A", negative("B", -1.0)),
            r"item 1, hard_neg 1: 'weight' must not be negative, but is -1.0 \(query 'q', listing 'B'\)",
        ),
        (
            listing("q", "A", negative("B", float("nan"))),
            r"'weight' must be a finite number, not nan \(query 'q', listing 'B'\)",
        ),
        (listing("q", "A", {"text": "B", "type": 3, "weight": 1}), "'type' must be a list of words, not 3"),
        (listing(" ", "A"), "item 1: 'query' is blank"),
        (
            {"query": "q", "positive": "A", "hard_neg": []},
            "key 'pos' is missing; there are: hard_neg, positive",
        ),
    ],
)
def test_rental_refuses_bad_rows(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    path = written(tmp_path / "rows.json", [row])
    with fails(problem):
        read("rental", rows=path)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"price": 2.0}, "key 'other' is missing"),
        ({"price": -2.0, "other": 1.0}, "the weight of 'price' must be above 0"),
        (
            {"other": 1.0, "_metadata": {"method": "average"}},
            "unknown method 'average'; known: max_incremental",
        ),
    ],
)
def test_rental_refuses_a_bad_weight_file(tmp_path: Path, config: dict[str, Any], problem: str) -> None:
    with fails(problem):
        read(
            "rental",
            rows=written(tmp_path / "r.json", [listing("q", "A")]),
            weight_file=written(tmp_path / "w.json", config),
        )


# movielens


def films(folder: Path, *ratings: tuple[int, int, int], movies: int = 9) -> Path:
    written(
        folder / "ratings.csv",
        "userId,movieId,rating,timestamp",
        *(f"{u},{m},4.0,{t}" for u, m, t in ratings),
    )
    rows = (f'{m},"Film {m}, The (1999)",Comedy|Drama' for m in range(1, movies))
    written(folder / "movies.csv", "movieId,title,genres", *rows, f"{movies},Last (2000),(no genres listed)")
    return folder


def test_movielens_leaves_one_out(tmp_path: Path) -> None:
    # Films 10 and 9 at the same time: the smaller id comes first, as a number.
    ratings = [(1, 10, 50), (1, 9, 50), (1, 3, 10), (1, 4, 20), (1, 5, 30), (1, 6, 40), (2, 1, 1), (2, 2, 2)]
    folder = films(tmp_path, *ratings, (999, 77, 5), movies=10)
    collection = read("movielens", folder=folder, core=1, text_history=1)
    assert list(collection.documents) == ["1", "2", "3", "4", "5", "6", "9", "10"]
    assert collection.documents["3"].title == "Film 3, The (1999)"
    assert collection.documents["3"].text == "Comedy, Drama"
    assert collection.documents["10"].text == ""
    assert collection.splits == {"train": ["u1/train"], "dev": ["u1/dev"], "test": ["u1/test"]}
    assert collection.qrels == {"u1/train": {"6": 1}, "u1/dev": {"9": 1}, "u1/test": {"10": 1}}
    history = {id_: [film.id for film in query.history] for id_, query in collection.queries.items()}
    assert history == {
        "u1/train": ["3", "4", "5"],
        "u1/dev": ["3", "4", "5", "6"],
        "u1/test": ["3", "4", "5", "6", "9"],
    }
    assert collection.queries["u1/train"].text == "Film 5, The (1999)"
    assert collection.notes == (
        "1-core: 2 users, 8 items, 8 interactions, mean length 4.00",
        "ratings of films that movies.csv lacks, left out: 1, first line 10 (user 999, movie 77)",
        "users with fewer than 4 films, left out: 1",
    )


def test_movielens_filters_until_nothing_changes(tmp_path: Path) -> None:
    full = [(user, movie, movie) for user in range(1, 5) for movie in range(1, 5)]
    # Film 5 falls for having too few ratings; then user 9 has too few; then nothing else does.
    chain = [(9, 1, 1), (9, 2, 2), (9, 3, 3), (9, 5, 4), (1, 5, 9)]
    collection = read("movielens", folder=films(tmp_path, *full, *chain), core=4)
    assert sorted(collection.documents) == ["1", "2", "3", "4"]
    assert collection.splits["test"] == ["u1/test", "u2/test", "u3/test", "u4/test"]
    assert collection.queries["u1/test"].text == "Film 1, The (1999); Film 2, The (1999); Film 3, The (1999)"


def test_movielens_explains_what_is_wrong(tmp_path: Path) -> None:
    with fails("the 5-core filter leaves nothing; lower `core`"):
        read("movielens", folder=films(tmp_path, (1, 1, 1)))
    with fails("line 3: the rating of user and movie '1 2' came already in line 2"):
        read("movielens", folder=films(tmp_path, (1, 2, 1), (1, 2, 3)))
    written(tmp_path / "ratings.csv", "userId,movieId,rating,timestamp", "1,2,4.0,yesterday")
    with fails("line 2: 'timestamp' must be a finite number, not 'yesterday'"):
        read("movielens", folder=tmp_path)
    written(tmp_path / "ratings.csv", "user,movieId,timestamp", "1,2,3")
    with fails("column 'userId' is missing; there are: movieId, timestamp, user; did you mean 'user'?"):
        read("movielens", folder=tmp_path)
    with fails(r"movies\.csv: no such file"):
        read("movielens", folder=tmp_path / "elsewhere")


WATCHED = [(1, n, n) for n in range(1, 6)]


def described(folder: Path, *rows: str, columns: str = "movieId,title,genres,caption,semantic_summary") -> Path:
    """Five films that user 1 has watched, and others."""
    films(folder, *WATCHED)
    written(folder / "movies.csv", columns, *rows)
    return folder


def a_film(number: int, caption: str = "", summary: str = "") -> str:
    return f'{number},Film {number},Comedy|Drama,"{caption}","{summary}"'


@pytest.mark.parametrize("column", ["caption", "semantic_summary"])
def test_movielens_shows_films_by_the_column_that_is_named(tmp_path: Path, column: str) -> None:
    rows = [a_film(n, f"a heist, number {n}", f"tóm tắt {n}") for n in range(1, 6)]
    collection = read("movielens", folder=described(tmp_path, *rows), core=1, text_history=2, text=column)
    texts = {str(n): f"a heist, number {n}" if column == "caption" else f"tóm tắt {n}" for n in range(1, 6)}
    assert {id_: film.title for id_, film in collection.documents.items()} == texts
    assert {film.text for film in collection.documents.values()} == {"Comedy, Drama"}
    asked = collection.queries["u1/test"]
    assert [film.title for film in asked.history] == [texts[id_] for id_ in "1234"]
    assert asked.text == f"{texts['3']}; {texts['4']}"
    assert len(collection.notes) == 1
    titles = read("movielens", folder=tmp_path, core=1, text_history=2)
    assert {film.title for film in titles.documents.values()} == {f"Film {n}" for n in range(1, 6)}
    assert titles == read("movielens", folder=tmp_path, core=1, text_history=2, text="title")


def test_movielens_falls_back_to_the_title_and_counts_it(tmp_path: Path) -> None:
    """Films that nobody has watched are no documents, and are not counted."""
    rows = [a_film(1, "one"), a_film(2), a_film(3, "  "), *(a_film(n, "more") for n in (4, 5)), a_film(6), a_film(7)]
    collection = read("movielens", folder=described(tmp_path, *rows), core=1, text="caption")
    assert [film.title for film in collection.documents.values()] == ["one", "Film 2", "Film 3", "more", "more"]
    assert collection.notes[-1] == "documents without 'caption', shown by their titles: 2 of 5, first '2'"


def test_movielens_shows_no_text_twice(tmp_path: Path) -> None:
    rows = [a_film(n, "Comedy, Drama") for n in range(1, 6)]
    collection = read("movielens", folder=described(tmp_path, *rows), core=1, text_history=2, text="caption")
    assert {film.content for film in collection.documents.values()} == {"Comedy, Drama"}
    assert collection.queries["u1/test"].text == "Comedy, Drama; Comedy, Drama"


def test_movielens_names_the_columns_that_are_there(tmp_path: Path) -> None:
    folder = described(tmp_path, *(a_film(n, "x") for n in range(1, 6)))
    there = "genres, movieId, semantic_summary, title"
    with fails(f"movies.csv: column 'captions' is missing; there are: caption, {there}; did you mean 'caption'"):
        read("movielens", folder=folder, core=1, text="captions")
    with fails("movies.csv: column '' is missing"):
        read("movielens", folder=folder, core=1, text="")


# beir


def beir(folder: Path, **qrels: list[str]) -> Path:
    written(folder / "corpus.jsonl", {"_id": "d1", "title": "T", "text": "one"}, {"_id": 2, "text": "two"})
    written(folder / "queries.jsonl", *({"_id": f"q{n}", "text": f"query {n}"} for n in (1, 2, 3)))
    for split, lines in qrels.items():
        written(folder / "qrels" / f"{split}.tsv", "query-id\tcorpus-id\tscore", *lines)
    return folder


def test_beir(tmp_path: Path) -> None:
    folder = beir(tmp_path, train=["q1\td1\t2", "q1\t2\t0"], test=["q3\t2\t1"])
    collection = read("beir", folder=folder)
    assert collection.documents["d1"].content == "T\none"
    assert collection.documents["2"].content == "two"
    assert list(collection.queries) == ["q1", "q3"]
    assert collection.qrels == {"q1": {"d1": 2, "2": 0}, "q3": {"2": 1}}
    assert collection.splits == {"train": ["q1"], "test": ["q3"]}
    assert collection.notes == ("queries that no qrels file judges, left out: 1",)


@pytest.mark.parametrize(
    ("qrels", "problem"),
    [
        ({}, "qrels: none of train.tsv, dev.tsv, test.tsv is there"),
        (
            {"train": ["q1\td1\t1"], "dev": ["q1\t2\t1"], "test": ["q2\t2\t1"]},
            r"dev\.tsv: query 'q1' stands in train\.tsv too",
        ),
        (
            {"test": ["q1\td1\t1", "q1\td1\t2"]},
            "line 3: the judgement of query 'q1' for document 'd1' came already",
        ),
        ({"test": ["q1\td1\thigh"]}, "line 2: 'grade' must be a finite number"),
        ({"test": ["q1 d1 1"]}, "line 2: 1 columns; write 3"),
    ],
)
def test_beir_refuses_bad_judgements(tmp_path: Path, qrels: dict[str, list[str]], problem: str) -> None:
    with fails(problem):
        read("beir", folder=beir(tmp_path, **qrels))


def test_beir_refuses_bad_queries(tmp_path: Path) -> None:
    folder = beir(tmp_path, test=["q1\td1\t1"])
    written(folder / "queries.jsonl", {"_id": "q1", "text": "a"}, {"_id": "q1", "text": "b"})
    with fails(r"queries\.jsonl, line 2: query 'q1' came already in line 1"):
        read("beir", folder=folder)
    written(folder / "queries.jsonl", {"_id": "q1", "text": "a"}, {"id": "q2", "text": "b"})
    with fails("line 2: key '_id' is missing; there are: id, text; did you mean 'id'?"):
        read("beir", folder=folder)


# trec


def trec(folder: Path, qrels: Sequence[str] = ("1 0 d1 2", "1 0 d2 -1")) -> dict[str, Path]:
    return {
        "documents": written(
            folder / "docs.jsonl",
            {"docno": "d1", "contents": "one"},
            {"id": "d2", "text": "two", "title": "T"},
        ),
        "topics": written(folder / "topics.tsv", "1\tfirst topic", "2\tsecond topic"),
        "qrels": written(folder / "qrels.txt", *qrels),
    }


def test_trec(tmp_path: Path) -> None:
    run = written(tmp_path / "run.txt", "1 Q0 d2 1 7.5 bm25", "1 Q0 d1 2 -1e-3 bm25")
    collection = read("trec", **trec(tmp_path), run=run)
    assert [document.content for document in collection.documents.values()] == ["one", "T\ntwo"]
    assert [query.text for query in collection.queries.values()] == ["first topic", "second topic"]
    assert collection.qrels == {"1": {"d1": 2, "d2": -1}}
    assert collection.run == {"1": {"d2": 7.5, "d1": -0.001}}


def test_trec_topics_may_be_jsonl(tmp_path: Path) -> None:
    options = trec(tmp_path) | {"topics": written(tmp_path / "topics.jsonl", {"id": 1, "text": "first"})}
    collection = read("trec", **options)
    assert collection.queries["1"].text == "first"
    assert collection.run == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1 d1", "line 1: 2 columns; write query document grade or query iteration document grade"),
        ("1 0 d1 0.5", "line 1: 'grade' must be a whole number"),
    ],
)
def test_trec_refuses_bad_qrels(tmp_path: Path, line: str, problem: str) -> None:
    with fails(problem):
        read("trec", **trec(tmp_path, [line]))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["1 Q0 d9 1 2.0 t"], "line 1: document 'd9' does not exist"),
        (["1 Q0 d1 1 nan t"], "line 1: 'score' must be a finite number"),
        (
            ["1 Q0 d1 1 2 t", "1 Q0 d1 2 1 t"],
            "line 2: the run line of topic '1' for document 'd1' came already",
        ),
    ],
)
def test_trec_refuses_a_bad_run(tmp_path: Path, lines: list[str], problem: str) -> None:
    with fails(problem):
        read("trec", **trec(tmp_path), run=written(tmp_path / "run.txt", *lines))


def test_trec_refuses_a_document_without_id(tmp_path: Path) -> None:
    options = trec(tmp_path) | {"documents": written(tmp_path / "docs.jsonl", {"doc": "d1", "text": "one"})}
    with fails("line 1: key 'id' or 'docno' is missing; there are: doc, text"):
        read("trec", **options)


# jsonl

QUERIES = (
    {"id": "a", "text": "first", "split": "train", "history": ["d2", 1], "group": 7},
    {"id": "b", "text": "second", "split": "test"},
)


def plain(folder: Path, queries: Sequence[dict[str, Any]] = QUERIES) -> dict[str, Path]:
    return {
        "documents": written(folder / "d.jsonl", {"id": 1, "text": "one"}, {"id": "d2", "text": "two", "title": "T"}),
        "queries": written(folder / "q.jsonl", *queries),
        "qrels": written(
            folder / "r.jsonl", {"query": "a", "document": 1}, {"query": "a", "document": "d2", "grade": 3}
        ),
    }


def test_jsonl(tmp_path: Path) -> None:
    collection = read("jsonl", **plain(tmp_path))
    assert [document.id for document in collection.queries["a"].history] == ["d2", "1"]
    assert collection.qrels == {"a": {"1": 1, "d2": 3}}
    assert collection.splits == {"train": ["a"], "test": ["b"]}
    assert collection.groups == {"a": "7"}


def test_jsonl_shows_documents_by_the_key_that_is_named(tmp_path: Path) -> None:
    paths = plain(tmp_path)
    rows = [
        {"id": "d2", "text": "two", "title": "T", "caption": "hình hai"},
        {"id": 1, "text": "one", "title": "One", "caption": None},
        {"id": "d3", "text": "three", "title": "Three"},
        {"id": "d4", "text": "four", "caption": " "},
        {"id": "d5", "text": "five", "title": "Five", "caption": "five"},
    ]
    written(paths["documents"], *rows)
    collection = read("jsonl", **paths, text="caption")
    titles = {id_: document.title for id_, document in collection.documents.items()}
    assert titles == {"d2": "hình hai", "1": "One", "d3": "Three", "d4": "", "d5": ""}
    assert [document.title for document in collection.queries["a"].history] == ["hình hai", "One"]
    assert collection.notes == ("documents without 'caption', shown by their titles: 3 of 5, first '1'",)
    by_text = read("jsonl", **paths, text="text").documents
    assert {id_: document.content for id_, document in by_text.items()} == {
        **{"d2": "two", "1": "one", "d3": "three"},
        **{"d4": "four", "d5": "five"},
    }
    unnamed = read("jsonl", **paths)
    assert {id_: document.title for id_, document in unnamed.documents.items()} == {
        **{"d2": "T", "1": "One", "d3": "Three"},
        **{"d4": "", "d5": "Five"},
    }
    assert unnamed.notes == ()


def test_jsonl_names_the_keys_that_are_there(tmp_path: Path) -> None:
    paths = plain(tmp_path)
    with fails(r"d\.jsonl: key 'titles' is missing; there are: id, text, title; did you mean 'title'"):
        read("jsonl", **paths, text="titles")
    written(paths["documents"], {"id": 1, "text": "one", "caption": ["a", "b"]}, {"id": "d2", "text": "two"})
    with fails(r"d\.jsonl, line 1: 'caption' must be text, not list"):
        read("jsonl", **paths, text="caption")


def test_jsonl_without_splits(tmp_path: Path) -> None:
    assert read("jsonl", **plain(tmp_path, [{"id": "a", "text": "first"}])).splits == {}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"id": "b", "text": "x"}, "line 2: key 'split' is missing; there are: id, text"),
        ({"id": "b", "text": "x", "split": "tests"}, "line 2: unknown split 'tests'; did you mean 'test'?"),
        ({"id": "a", "text": "x", "split": "test"}, "line 2: query 'a' came already in line 1"),
        ({"id": "b", "text": "", "split": "test"}, "line 2: 'text' is blank"),
        (
            {"id": "b", "text": "x", "split": "test", "history": ["d9"]},
            "line 2: document 'd9' does not exist",
        ),
        (
            {"id": "b", "text": "x", "split": "test", "history": "d2"},
            "'history' must be a list of document ids",
        ),
    ],
)
def test_jsonl_refuses_bad_queries(tmp_path: Path, query: dict[str, Any], problem: str) -> None:
    with fails(problem):
        read("jsonl", **plain(tmp_path, [QUERIES[0], query]))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"id": "b", "text": "x \ud83d"}, r"q.jsonl, line 2: 'text': .* holds half of a surrogate pair"),
        ({"id": "\ude00", "text": "x"}, "holds half of a surrogate pair"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(tmp_path: Path, query: dict[str, Any], problem: str) -> None:
    with fails(problem):
        read("jsonl", **plain(tmp_path, [{"id": "a", "text": "x \ud83d\ude00"}, query]))


# xquad


def squad(folder: Path, *questions: tuple[str, str]) -> Path:
    qas = [{"id": id_, "question": text, "answers": [{"text": "a"}]} for id_, text in questions]
    articles = [
        {
            "title": "Super_Bowl_50",
            "paragraphs": [{"context": "P1", "qas": qas}, {"context": "P2", "qas": []}],
        },
        {"paragraphs": [{"context": "P1", "qas": [{"id": "z", "question": "again"}]}]},
    ]
    return written(folder / "xquad.json", {"data": articles})


def test_xquad(tmp_path: Path) -> None:
    collection = read("xquad", path=squad(tmp_path, ("x", "who"), ("y", "what")))
    assert [(d.id, d.title, d.text) for d in collection.documents.values()] == [
        ("p001", "Super Bowl 50", "P1"),
        ("p002", "Super Bowl 50", "P2"),
    ]
    assert collection.qrels == {"x": {"p001": 1}, "y": {"p001": 1}, "z": {"p001": 1}}
    assert collection.groups == {"x": "p001", "y": "p001", "z": "p001"}


def test_xquad_explains_what_is_wrong(tmp_path: Path) -> None:
    with fails("data 1, paragraphs 1, qas 2: question 'x' came already in .*data 1, paragraphs 1, qas 1"):
        read("xquad", path=squad(tmp_path, ("x", "who"), ("x", "what")))
    with fails("data 1, paragraphs 1, qas 1: 'question' is blank"):
        read("xquad", path=squad(tmp_path, ("x", " ")))
    with fails("top level: key 'data' is missing; there are: dataset"):
        read("xquad", path=written(tmp_path / "other.json", {"dataset": []}))
    with fails("item 1: expected a JSON object"):
        read("xquad", path=written(tmp_path / "list.json", [1]))


# cranfield


def cranfield(folder: Path, *judgements: str) -> Path:
    documents = [
        ".I 1",
        ".T",
        "wing in a",
        "slipstream .",
        ".A",
        "x",
        ".B",
        "y",
        ".W",
        "wing in a",
        "slipstream .",
    ]
    stray = ["  a study of", ".A", "propellers .", ".I 2", ".T", ".A", ".B", ".W"]
    written(folder / "cran.all.1400", "\r\n".join([*documents, *stray]))
    written(folder / "cran.qry", ".I 001", ".W", "what is", "lift .", ".I 004", ".W", "what is drag .")
    written(folder / "cranqrel", *judgements)
    return folder


def test_cranfield(tmp_path: Path) -> None:
    collection = read("cranfield", folder=cranfield(tmp_path, "1 1 4 ", "2 2 1", "2 1 -1"))
    assert collection.documents["1"].title == "wing in a slipstream ."
    assert collection.documents["1"].text == "a study of propellers ."
    assert collection.documents["2"].content == ""
    assert {id_: query.text for id_, query in collection.queries.items()} == {
        "1": "what is lift .",
        "2": "what is drag .",
    }
    assert collection.qrels == {"1": {"1": 1}, "2": {"2": 4, "1": 4}}
    assert collection.notes == (
        "judgements with code -1 (the paper the question came from) count as grade 4: 1",
        "documents without any text: 2",
    )


@pytest.mark.parametrize(
    ("judgement", "problem"),
    [
        ("1 1 7", "line 1: unknown code 7"),
        ("1 1", "line 1: 2 columns; write 3"),
    ],
)
def test_cranfield_refuses_bad_judgements(tmp_path: Path, judgement: str, problem: str) -> None:
    with fails(problem):
        read("cranfield", folder=cranfield(tmp_path, judgement))


def test_cranfield_refuses_other_files(tmp_path: Path) -> None:
    folder = cranfield(tmp_path, "1 1 1")
    written(folder / "cran.qry", "id,text", "1,what")
    with fails(r"cran\.qry, line 1: text before the first `\.I`"):
        read("cranfield", folder=folder)
    written(folder / "cran.qry", ".I 1", "what is lift .")
    with fails(r"cran\.qry, line 1: key 'W' is missing"):
        read("cranfield", folder=folder)


# the real data


@pytest.mark.real
def test_real_proptit(shared_data: Path) -> None:
    folder = shared_data / "proptit"
    collection = read("proptit", corpus=folder / "CLB_PROPTIT.csv", queries=folder / "train_data_proptit.xlsx")
    assert (len(collection.documents), len(collection.queries)) == (99, 100)
    assert sum(map(len, collection.qrels.values())) == 211
    assert collection.notes == ()


@pytest.mark.real
def test_real_rental(shared_data: Path) -> None:
    folder = shared_data / "rental"
    collection = read("rental", rows=folder / "data-set-with-weight.json", weight_file=folder / "weight-config.json")
    assert (len(collection.documents), len(collection.queries)) == (8838, 3058)
    assert sum(map(len, collection.qrels.values())) == 3135
    split_of: dict[str, str] = {}
    for query_id, positives in collection.qrels.items():
        for document_id in positives:
            assert split_of.setdefault(document_id, collection.groups[query_id]) == collection.groups[query_id]


@pytest.mark.real
def test_real_movielens_is_the_ml_100k_of_llamarec(shared_data: Path) -> None:
    collection = read("movielens", folder=shared_data / "ml-latest-small")
    assert collection.notes == (
        "5-core: 610 users, 3,650 items, 90,274 interactions, mean length 147.99",
        "ratings of films that movies.csv lacks, left out: 1, first line 100838 (user 999, movie 999999)",
    )
    assert (len(collection.documents), len(collection.queries)) == (3650, 3 * 610)
    whole = sum(len(collection.queries[id_].history) for id_ in collection.splits["test"])
    assert whole == 90_274 - 610


@pytest.mark.real
@pytest.mark.parametrize("language", ["vi", "en"])
def test_real_xquad(shared_data: Path, language: str) -> None:
    collection = read("xquad", path=shared_data / "xquad" / f"xquad.{language}.json")
    assert (len(collection.documents), len(collection.queries)) == (240, 1190)
    assert len(set(collection.groups.values())) == 240


@pytest.mark.real
def test_real_cranfield(shared_data: Path) -> None:
    collection = read("cranfield", folder=shared_data / "cranfield")
    assert (len(collection.documents), len(collection.queries)) == (1400, 225)
    grades = Counter(grade for judged in collection.qrels.values() for grade in judged.values())
    assert grades == {4: 128 + 225, 3: 387, 2: 734, 1: 363}
    assert [document.id for document in collection.documents.values() if not document.text] == ["471", "995"]
