"""A corpus that memory should not hold behaves as one that it holds."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rr.data.documents
from rr import DataError, Document, RerankError
from rr.data import ById, Documents, Row

IDS = st.sampled_from(["1", "1.0", "1.00", "01", "a", "A", "é", "e\u0301", "x y", "x\u00a0y", "\u2028", "đ", "%", "0"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
METADATA = st.dictionaries(TEXTS, st.none() | st.integers(-9, 9) | TEXTS | st.lists(TEXTS, max_size=2), max_size=2)


@pytest.fixture(params=[0, 1_500, 10**9], ids=["all on disk", "some on disk", "all held"])
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(rr.data.documents, "HELD", request.param)
    monkeypatch.setattr(rr.data.documents, "PAGE", 2)
    return int(request.param)


def at(line: int) -> Row:
    return Row(Path("corpus.jsonl"), f"line {line}", {})


def told(work: object, *arguments: object) -> object:
    """What a call gives, or says."""
    try:
        return work(*arguments)  # type: ignore[operator]
    except (DataError, KeyError) as error:
        return str(error)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(IDS, TEXTS, TEXTS, METADATA), max_size=9), asked=st.lists(IDS, max_size=6))
@pytest.mark.usefixtures("limit")
def test_it_is_as_a_table_in_memory(rows: list[tuple[str, str, str, dict[str, object]]], asked: list[str]) -> None:
    plain, found = ById[Document]("document"), Documents()
    for line, (id_, text, title, metadata) in enumerate(rows, 1):
        document = Document(id_, text, title, metadata)
        assert told(found.add, id_, document, at(line)) == told(plain.add, id_, document, at(line))
    assert len(found) == len(plain)
    assert list(found) == list(plain) == list(found)
    assert list(found.values()) == list(plain.values())
    assert [one.metadata for _, one in found.items()] == [one.metadata for one in plain.values()]
    assert [one.content for one in found.values()] == [one.content for one in plain.values()]
    assert found == plain
    for id_ in asked:
        assert (id_ in found) == (id_ in plain)
        assert found.find(id_) == plain.find(id_)
        assert told(found.__getitem__, id_) == told(plain.__getitem__, id_)
        assert found.get(id_) == plain.get(id_)
    assert 1 not in found
    assert None not in found


@pytest.mark.usefixtures("limit")
def test_a_document_that_comes_twice_is_named_with_both_places() -> None:
    documents = Documents()
    for line in range(1, 7):
        documents.add(f"d{line}", Document(f"d{line}", "x"), at(line))
    for line in (1, 4, 6):
        with pytest.raises(
            DataError, match=rf"corpus.jsonl, line 9: document 'd{line}' came already in line {line}; keep one of them"
        ):
            documents.add(f"d{line}", Document(f"d{line}", "y"), at(9))
    assert [one.text for one in documents.values()] == ["x"] * 6


@pytest.mark.usefixtures("limit")
def test_walks_do_not_disturb_each_other() -> None:
    documents = Documents()
    for line in range(7):
        documents.add(f"d{line}", Document(f"d{line}", f"{line}"), at(line))
    pairs = [(one.text, other.text) for one in documents.values() for other in documents.values()]
    assert pairs == [(str(one), str(other)) for one in range(7) for other in range(7)]


@pytest.mark.usefixtures("limit")
def test_threads_may_share_it() -> None:
    documents, wrong = Documents(), list[object]()
    for line in range(300):
        documents.add(f"d{line}", Document(f"d{line}", f"{line}"), at(line))

    def walk(start: int) -> None:
        try:
            for line in range(start, 300, 7):
                assert documents[f"d{line}"].text == str(line)
                assert documents.find(f"d{line}") == f"d{line}"
            assert [one.text for one in documents.values()] == list(map(str, range(300)))
        except BaseException as error:  # noqa: BLE001 - it would be lost in the thread
            wrong.append(error)

    threads = [threading.Thread(target=walk, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_stays_is_the_same_object_and_what_lies_on_disk_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rr.data.documents, "HELD", 1_500)
    documents = Documents()
    for line in range(4):
        documents.add(f"d{line}", Document(f"d{line}", "x"), at(line))
    assert [documents[id_] is documents[id_] for id_ in documents] == [True, True, False, False]


def test_a_full_disk_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rr.data.documents, "HELD", 0)
    documents = Documents()
    documents._disk.execute("PRAGMA max_page_count = 40")
    long = Document("d", "x" * 1_000_000)
    with pytest.raises(RerankError, match=r"cannot be held \(database or disk is full\); export SQLITE_TMPDIR=FOLDER"):
        documents.add("d", long, at(1))


ON_DISK = """
import os, sys
import rr.data.documents
from rr import Document
from rr.data import Documents, Row
rr.data.documents.HELD = 0
rr.data.documents._TABLE = rr.data.documents._TABLE.replace("-65536", "-64")
documents = Documents()
for line in range(2_000):
    documents.add(f"d{line}", Document(f"d{line}", "x" * 500), Row("f", "", {}))
def held():
    bytes_ = 0
    for one in os.scandir("/proc/self/fd"):
        if os.path.lexists(one.path) and os.readlink(one.path).startswith(sys.argv[1]):
            assert "(deleted)" in os.readlink(one.path)
            bytes_ += os.stat(one.path).st_size
    return bytes_
before = held()
del documents
print(before, held(), os.listdir(sys.argv[1]))
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux for open files")
def test_its_file_has_no_name_and_is_gone_with_it(tmp_path: Path) -> None:
    """So that nothing is left by whatever ends the process."""
    environment = {**os.environ, "SQLITE_TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", ON_DISK, str(tmp_path)]
    ended = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    before, after, *left = ended.stdout.split()
    assert (int(before) > 500_000, after, left) == (True, "0", ["[]"]), ended.stderr


def test_a_dropped_one_closes_its_file(recwarn: pytest.WarningsRecorder) -> None:
    documents = Documents()
    connection = documents._disk
    del documents
    gc.collect()
    with pytest.raises(Exception, match="closed"):
        connection.execute("SELECT 1")
    assert not recwarn.list
