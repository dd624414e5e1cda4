"""Texts by id from disk, the index that finds them, and the file that grows part by part."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rr.errors import DataError, RerankError
from rr.files import home
from rr.types import Document, Query
from rr_bench.progress import SILENT
from rr_bench.stream.lookup import Lookup, collection
from rr_bench.stream.partial import partial
from rr_bench.stream.places import Place, stored_places
from rr_bench.stream.runs import read_run, scores


def fails(match: str) -> Any:
    return pytest.raises(DataError, match=match)


def written(path: Path, *lines: object, end: str = "\n") -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + end for line in lines)
    path.write_bytes(text.encode())
    return path


def documents(path: Path) -> Lookup:
    return Lookup(path, "document", SILENT)


def indexes() -> list[Path]:
    return sorted((home() / "indexes").iterdir())


# lookups


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n  \n"])
def test_every_row_is_found_whatever_stands_around_it(tmp_path: Path, end: str) -> None:
    rows = [
        {"_id": "a", "title": "Tiêu đề", "text": "một\u2028hai", "metadata": {"x": 1}},
        {"id": 5, "contents": ""},
        {"docno": "đ", "text": "cuối"},
    ]
    path = written(tmp_path / "corpus.jsonl", "\ufeff" + json.dumps(rows[0]), *rows[1:], end=end)
    for _ in range(2):  # made, then read again
        found = documents(path)
        assert found.document("đ") == Document("đ", "cuối")
        assert found.document("a") == Document("a", "một\u2028hai", "Tiêu đề")
        assert found.document("5") == Document("5", "")
        assert found.find("5") == "5"
        assert found.find("6") is None
        with fails("no document '6'"):
            found.document("6")
        found.close()
    assert len(indexes()) == 1


def test_the_last_line_may_end_with_the_file(tmp_path: Path) -> None:
    found = documents(written(tmp_path / "d.jsonl", {"id": "a", "text": "một"}, {"id": "b", "text": "hai"}, end="\n "))
    assert found.document("b").text == "hai"
    found.close()


def test_queries_may_stand_in_columns(tmp_path: Path) -> None:
    queries = Lookup(written(tmp_path / "topics.tsv", "q1\tcâu hỏi 1", "q2\tcâu hỏi 2"), "query", SILENT)
    assert queries.query("q2") == Query("q2", "câu hỏi 2")
    queries.close()


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (['{"id": "a", "text": "x"}', "{broken"], "d.jsonl, line 2: not JSON"),
        (['{"id": "a", "text": "x"}', '["a"]'], "line 2: expected a JSON object"),
        (['{"text": "x"}'], "line 1: key '_id' or 'id' or 'docno' is missing; there are: text"),
        (['{"id": "a", "txt": "x"}'], "line 1: key 'text' or 'contents' is missing"),
        (['{"id": "a", "text": 3}'], "line 1: 'text' must be text, not int"),
        (['{"id": "a", "text": "\\ud800"}'], "line 1: 'text'.*surrogate"),
        (['{"id": "a", "text": "x"}', "", '{"id": "b", "text": "y"}', '{"id": "a", "text": "z"}'],
         "line 4: document 'a' came already in line 1; keep one of them"),
        (["", " "], "d.jsonl: the file is empty"),
    ],
)  # fmt: skip
def test_a_bad_collection_names_the_line_and_leaves_no_index(tmp_path: Path, lines: list[str], match: str) -> None:
    with fails(match):
        documents(written(tmp_path / "d.jsonl", *lines))
    assert indexes() == []


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b'{"id": "a", "text": "x"}\n{"id": "b", "text": "\xe9"}\n')
    with fails("d.jsonl, line 2: byte 0xe9 is not UTF-8"):
        documents(path)
    path.write_text('{"id": "a", "text": "x"}\n', encoding="utf-16")
    with fails("UTF-16"):
        documents(path)
    with fails("no such file"):
        documents(tmp_path / "gone.jsonl")


def test_a_changed_file_has_another_index(tmp_path: Path) -> None:
    path = written(tmp_path / "d.jsonl", {"id": "a", "text": "một"})
    documents(path).close()
    found = documents(written(path, {"id": "b", "text": "hai"}, {"id": "a", "text": "ba"}))
    assert found.document("a").text == "ba"
    found.close()
    assert len(indexes()) == 2


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["corpus.jsonl"], "holds none of queries.jsonl, topics.jsonl"),
        (["queries.jsonl"], "holds none of corpus.jsonl, documents.jsonl"),
        (["corpus.jsonl", "documents.jsonl", "queries.jsonl"], "holds corpus.jsonl and documents.jsonl of"),
    ],
)
def test_a_folder_holds_one_file_of_each_kind(tmp_path: Path, names: list[str], match: str) -> None:
    for name in names:
        written(tmp_path / name, {"id": "a", "text": "x"})
    with fails(match), collection(tmp_path, SILENT):
        pytest.fail("was let in")
    with fails("no such folder"), collection(tmp_path / "gone", SILENT):
        pytest.fail("was let in")


# the index


def never(id_: str, first: int) -> str:
    raise AssertionError


def test_an_interrupted_index_is_made_again(tmp_path: Path) -> None:
    def broken() -> Iterator[Place]:
        yield "a", 1, 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored_places(tmp_path, "key", broken, never)
    assert indexes() == []
    found = stored_places(tmp_path, "key", lambda: [("a", 1, 0), ("b", 2, 7)], never)
    assert (len(found), found.find("b"), found.find("c")) == (2, ("b", 2, 7), None)
    found.close()


def test_two_may_make_it_at_once(tmp_path: Path) -> None:
    both = threading.Barrier(2)
    found: list[Place | None] = []

    def places() -> Iterator[Place]:
        for number in range(1000):
            if number == 500:
                both.wait(30)  # neither has finished when the other is half way
            yield f"d{number}", number, 10 * number

    def make() -> None:
        made = stored_places(tmp_path, "key", places, never)
        found.append(made.find("d777"))
        made.close()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("d777", 777, 7770)] * 2
    assert len(indexes()) == 1


def test_an_index_is_not_made_in_memory(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        stored_places(tmp_path, count, lambda: ((f"d{n:09}", n, n) for n in range(count)), never).close()
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    assert peak(100_000) < peak(1_000) + 50_000


# runs


def test_a_run_is_read_query_by_query(tmp_path: Path) -> None:
    path = written(
        tmp_path / "run", "q1 Q0 a 0 2.5 beir", "q1\tQ0\tb\t0\t-1e3\tbeir", "", "q2  Q0 a 0 3 beir", end="\r\n"
    )
    blocks = list(read_run(path))
    assert [block[0].id("query") for block in blocks] == ["q1", "q2"]
    assert [scores(block) for block in blocks] == [{"a": 2.5, "b": -1000.0}, {"a": 3.0}]


# the file that grows


def interrupted(out: Path, *parts: tuple[str, int]) -> Path:
    """The hidden folder that an interrupt leaves behind."""

    def work_until() -> None:
        with partial(out, "key") as work:
            for part in parts:
                work.append(*part)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_until()
    assert not out.exists()
    return out.with_name(f".{out.name}.partial")


def test_finished_parts_stay_and_the_torn_one_goes(tmp_path: Path) -> None:
    out = tmp_path / "out" / "run"
    with (interrupted(out, ("một\n", 2), ("hai\n", 3)) / "content").open("ab") as file:
        file.write(b"half a li")
    with partial(out, "key") as work:
        assert work.done == 5
        work.append("ba\n", 1)
        work.publish()
    assert out.read_text(encoding="utf-8") == "một\nhai\nba\n"
    assert [path.name for path in out.parent.iterdir()] == ["run"]


def test_parts_that_no_note_tells_of_are_done_again(tmp_path: Path) -> None:
    """The kill came between the content and its note, or right after the file had shown itself."""
    out = tmp_path / "run"
    for gone in ("partial.json", "content"):
        (interrupted(out, ("một\n", 2)) / gone).unlink()
        with partial(out, "key") as work:
            assert work.done == 0
            work.append("hai\n", 2)
            work.publish()
        assert out.read_text(encoding="utf-8") == "hai\n"
        out.unlink()


def test_other_work_is_refused_in_one_line_and_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    interrupted(out, ("một\n", 2))
    with pytest.raises(RerankError, match="interrupted work of another reranker") as error, partial(out, "other"):
        pytest.fail("was let in")
    assert "\n" not in str(error.value)
    with partial(out, "key") as work:
        assert work.done == 2
    out.write_text("", encoding="utf-8")
    with pytest.raises(RerankError, match="exists already"), partial(out, "key"):
        pytest.fail("was let in")
