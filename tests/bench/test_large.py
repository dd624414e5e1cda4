"""Corpora that are not held: prepared as if they were, and in memory that does not grow with them."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rr.data.documents
from rr import Corpus, Document, Query
from rr.data import Collection, Documents, Row
from rr.files import fingerprint
from rr.registry.plugins import installed_plugins
from rr.types import Dataset
from rr_bench.data import corpus, sources
from rr_bench.data.corpus import Remaining, corpus_size, held
from rr_bench.data.load import load_dataset
from rr_bench.data.prepare import prepare
from rr_bench.data.sources import source_fingerprint
from rr_bench.data.unfilled import without_unfilled
from rr_bench.evaluate.first_stage import stored_retrieval
from rr_bench.fingerprints import streamed_fingerprint
from rr_bench.registry import DatasetEntry
from tests.bench.test_splits_and_candidates import candidate_plan, split_plan
from tests.conftest import Rr

WORDS = [f"từ{number}" for number in range(60)]
OF_ALL_TEXTS = ("documents", "duplicates", "words", "mojibake", "words_auc")
"""What of a report is counted among the documents that are kept."""


@pytest.fixture
def entry(tmp_path: Path) -> DatasetEntry:
    """400 documents, two of them templates, and 60 queries, each with six words of its document."""
    generator, folder = random.Random(7), tmp_path / "beir"
    texts = [" ".join(generator.choices(WORDS, k=12)) for _ in range(400)]
    texts[7] = texts[300] = "{title}"
    asked = {f"q{n}": (f"d{n * 6 + 1}", " ".join(texts[n * 6 + 1].split()[:6])) for n in range(60)}
    (folder / "qrels").mkdir(parents=True)
    write(folder / "corpus.jsonl", ({"_id": f"d{n}", "text": text} for n, text in enumerate(texts)))
    write(folder / "queries.jsonl", ({"_id": id_, "text": f"{text} {id_}"} for id_, (_, text) in asked.items()))
    for split, part in (("train", range(30)), ("dev", range(30, 40)), ("test", range(40, 60))):
        rows = "".join(f"q{n}\t{asked[f'q{n}'][0]}\t1\n" for n in part)
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}", encoding="utf-8")
    return DatasetEntry.model_validate(
        {"reader": "beir", "options": {"folder": str(folder)}, "candidates": {"depth": 5}}
    )


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nearly nothing is held, and no more than 60 documents, or 30 where that is too few, are kept besides."""
    monkeypatch.setattr(rr.data.documents, "HELD", 5_000)
    monkeypatch.setattr(rr.data.documents, "PAGE", 7)
    monkeypatch.setattr(corpus, "WHOLE", (60, 10**9))
    monkeypatch.setattr(corpus, "SAMPLE", (30, 10**9))
    return monkeypatch


def needed(dataset: Dataset) -> set[str]:
    return {id_ for q in dataset.queries for id_ in (*dataset.candidates[q], *dataset.qrels[q])}


def test_a_corpus_on_disk_is_prepared_as_one_in_memory(
    entry: DatasetEntry, tmp_path: Path, tiny: pytest.MonkeyPatch
) -> None:
    with tiny.context() as patch:
        patch.setattr(rr.data.documents, "HELD", 10**9)
        patch.setattr(corpus, "WHOLE", (10**9, 10**9))
        patch.setenv("RR_HOME", str(tmp_path / "whole"))
        whole = load_dataset("large", entry)
    found = load_dataset("large", entry)
    assert len(whole.documents) == corpus_size(whole) == corpus_size(found) == 398
    for part in ("queries", "qrels", "splits", "candidates", "first_stage", "groups", "protocol"):
        assert getattr(found, part) == getattr(whole, part), part
    # what is kept: all that the queries need, and a sample, in the order of the source
    kept = needed(whole)
    assert kept < found.documents.keys()
    assert len(found.documents) == len(kept) + 30
    assert list(found.documents) == [id_ for id_ in whole.documents if id_ in found.documents]
    assert all(found.documents[id_] == whole.documents[id_] for id_ in found.documents)
    assert [note for note in found.notes if note not in whole.notes] == [
        f"{len(kept) + 30} of 398 documents kept: what the queries need, and a sample of the others; copies, near "
        "duplicates, words and encodings are counted among these"
    ]
    # and every figure that is not of all texts is the same
    assert {key: value for key, value in found.report.items() if key not in OF_ALL_TEXTS} == {
        key: value for key, value in whole.report.items() if key not in OF_ALL_TEXTS
    }
    assert found.report["documents"] == whole.report["documents"] == 398
    # likewise what lies in the store
    assert load_dataset("large", entry) == found


@pytest.mark.usefixtures("tiny")
def test_the_sample_is_drawn_by_seed_and_is_even(entry: DatasetEntry) -> None:
    def sample(seed: int) -> set[str]:
        plan = {"candidates": {"depth": 5, "seed": seed}}
        found = load_dataset("large", entry.model_validate({**entry.model_dump(), **plan}))
        return found.documents.keys() - needed(found)

    drawn = [sample(seed) for seed in range(8)]
    assert drawn[0] == sample(0)
    assert len(set(map(frozenset, drawn))) == 8
    every = set().union(*drawn)
    assert len(every) > 100
    assert 0.3 < sum(int(id_[1:]) < 200 for one in drawn for id_ in one) / 240 < 0.7


def test_long_documents_count_for_what_they_are(entry: DatasetEntry, tiny: pytest.MonkeyPatch) -> None:
    tiny.setattr(corpus, "WHOLE", (10**9, 2_000))
    tiny.setattr(corpus, "SAMPLE", (10**9, 1_000))
    found = load_dataset("large", entry)
    others = [found.documents[id_].content for id_ in found.documents.keys() - needed(found)]
    assert 800 < sum(map(len, others)) <= 1_000


def test_what_fits_is_kept_whole_and_says_nothing(entry: DatasetEntry, tiny: pytest.MonkeyPatch) -> None:
    tiny.setattr(corpus, "WHOLE", (398, 10**9))
    found = load_dataset("large", entry)
    assert list(found.documents) == [f"d{n}" for n in range(400) if n not in (7, 300)]
    assert not [note for note in found.notes if "kept: what" in note]


@pytest.mark.usefixtures("tiny")
def test_a_first_stage_is_not_timed_on_a_part_of_its_corpus(entry: DatasetEntry) -> None:
    found = load_dataset("large", entry)
    assert stored_retrieval(entry.candidates, found, installed_plugins()) is None


@pytest.mark.usefixtures("tiny")
def test_tables_tell_the_size_of_the_corpus(entry: DatasetEntry, tmp_path: Path, rr_command: Rr) -> None:
    registry = tmp_path / "large.yaml"
    registry.write_text(
        "version: 1\ndefault_profile: one\nprofiles: {one: {suite: one}}\n"
        f"suites: {{one: {{datasets: {{large: {json.dumps(entry.model_dump(mode='json', exclude={'group_by'}))}}}}}}}\n"
        "rerankers: {first-stage: {reranker: first_stage}, bm25: {scorer: bm25}}\n",
        encoding="utf-8",
    )
    shown = rr_command("data", "show", "large", "--registry", registry)
    assert shown.stdout.startswith("large: 398 documents, ")
    assert "of 398 documents kept" in shown.stdout
    benched = rr_command("bench", "bm25", "first-stage", "-d", "large", "--registry", registry)
    assert "large: 398 documents, " in benched.stdout, benched.stderr


class Streams:
    """A retriever that holds nothing: those that begin with the query, of documents that it goes through once."""

    learns = False

    def __init__(self) -> None:
        self.corpus: Corpus | None = None

    def fit(self, corpus: Corpus) -> None:
        self.corpus = corpus

    def scores(self, query: Query) -> Mapping[str, float]:
        raise AssertionError("it is asked to search")

    def search(self, queries: Sequence[Query], depth: int) -> Iterable[Mapping[str, float]]:
        assert self.corpus
        found: dict[str, dict[str, float]] = {query.text: {} for query in queries}
        for document in self.corpus.documents:
            if (word := document.text.split(maxsplit=1)[0]) in found:
                found[word][document.id] = 1.0
        return [found[query.text] for query in queries]


def generated(count: int) -> Collection:
    documents = Documents()
    for n in range(count):
        head = f"w{n % 1000}" if n < 1_500 else "other"
        row = Row(Path("f"), f"line {n}", {})
        documents.add(f"d{n}", Document(f"d{n}", f"{head} passage number {n} " * 8), row)
    queries = {f"q{n}": Query(f"q{n}", f"w{n}") for n in range(20)}
    return Collection(documents, queries, {id_: {f"d{id_[1:]}": 1} for id_ in queries})


def test_memory_does_not_grow_with_the_corpus(tiny: pytest.MonkeyPatch) -> None:
    """Four times as many documents, of 1 KB each in memory, may take as much as a tenth of them."""
    tiny.setattr(rr.data.documents, "PAGE", 100)

    def peak(count: int) -> int:
        tracemalloc.start()
        collection = without_unfilled(generated(count), "skip")
        found = prepare("large", collection, split_plan(), candidate_plan(retriever="run"), Streams())
        assert corpus_size(found) == count > len(found.documents)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small = peak(2_000)
    assert peak(6_000) - small < 4_000 * 100


def test_documents_that_are_left_out_are_not_copied(tiny: pytest.MonkeyPatch) -> None:
    documents = {f"d{n}": Document(f"d{n}", "{title}" if n % 3 == 0 else f"text {n}") for n in range(9)}
    left = Remaining(documents, {"d0", "d3", "d6"})
    expected = {id_: one for id_, one in documents.items() if "text" in one.text}
    assert left == expected
    assert list(left.items()) == list(expected.items())
    assert list(left.values()) == list(expected.values())
    assert len(left) == 6
    assert ("d0" in left, "d1" in left, "d9" in left) == (False, True, False)
    assert (left.get("d0"), left.get("d9")) == (None, None)
    assert list(held(left)) == list(expected.values())


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=4),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), st.floats(allow_nan=False) | st.none())
        | st.lists(st.lists(st.integers()), max_size=5)
        | st.text(st.characters(codec="utf-8"), max_size=3),
        max_size=4,
    ),
    st.integers(1, 3),
)
def test_a_streamed_fingerprint_is_the_plain_one(value: dict[str, Any], at_once: int) -> None:
    def streamed(part: object) -> object:
        return iter(part) if isinstance(part, list) else part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rr_bench.fingerprints.AT_ONCE", at_once)
        assert streamed_fingerprint({key: streamed(part) for key, part in value.items()}) == fingerprint(value)


# large sources are read once for their fingerprint


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file counts as large, and as settled; gives the files whose bytes were read."""
    read = list[Path]()
    sha256 = sources.file_sha256

    def counted(path: Path) -> str:
        read.append(path)
        return sha256(path)

    monkeypatch.setattr(sources, "file_sha256", counted)
    monkeypatch.setattr(sources, "LARGE", 0)
    monkeypatch.setattr(sources, "SETTLED_NS", -1)
    return read


def test_a_large_source_is_read_once_until_it_changes(tmp_path: Path, hashed: list[Path]) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("one")
    first = source_fingerprint(path)
    assert [source_fingerprint(path) for _ in range(3)] == [first] * 3
    assert len(hashed) == 1
    # as long as before, and of the same time: to whoever looks at these alone nothing has changed
    told = path.stat()
    path.write_text("two")
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert source_fingerprint(path) != first
    # another file under the same name
    other = tmp_path / "other"
    other.write_text("six")
    os.utime(other, ns=(told.st_atime_ns, told.st_mtime_ns))
    other.rename(path)
    assert len({first, source_fingerprint(path), fingerprint("")}) == 3
    assert len(hashed) == 3
    path.unlink()
    assert source_fingerprint(path) == "missing"


def test_a_source_that_has_just_changed_is_read_again(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may change once more without another time stamp."""
    monkeypatch.setattr(sources, "SETTLED_NS", 3_600 * 10**9)
    path = tmp_path / "corpus.jsonl"
    path.write_text("one")
    assert source_fingerprint(path) == source_fingerprint(path)
    assert len(hashed) == 2


def test_a_damaged_record_of_a_source_is_made_anew(
    tmp_path: Path, hashed: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("one")
    first = source_fingerprint(path)
    (record,) = (tmp_path / "rr-home" / "sources").iterdir()
    record.write_text(record.read_text().replace(first, fingerprint("another")))
    assert source_fingerprint(path) == first
    assert len(hashed) == 2
    assert "is damaged" in caplog.text


def test_a_changed_large_source_is_prepared_anew(entry: DatasetEntry, hashed: list[Path]) -> None:
    first = load_dataset("large", entry)
    count = len(hashed)
    assert load_dataset("large", entry) == first
    assert len(hashed) == count
    path = Path(entry.options["folder"]) / "corpus.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("d399", "d999"), encoding="utf-8")
    assert "d999" in load_dataset("large", entry).documents
    assert replace(first, fingerprint="") != first
