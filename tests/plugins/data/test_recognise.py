"""Which reader takes files that nothing is said about: the one whose own form they have, or else `table`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import pytest

from rr.errors import DataError
from rr.registry.plugins import installed_plugins
from rr_data.readers.jsonl import Jsonl
from rr_data.readers.proptit import ProPtit
from rr_data.readers.rental import Rental
from tests.plugins.data.wild import delimited, jsonl, text, xlsx
from tests.preparing import component, read


def recognised(paths: Sequence[Path]) -> tuple[str, dict[str, Any]] | None:
    """As `rr data add` asks: specific readers first."""
    plugins = installed_plugins()
    readers = [plugins.load("reader", one.component.name) for one in plugins.of_kind("reader")]
    names = [one.component.name for one in plugins.of_kind("reader")]
    asked = sorted(zip(names, readers, strict=True), key=lambda one: bool(getattr(one[1], "general", False)))
    found = ((name, reader.recognise(paths)) for name, reader in asked if hasattr(reader, "recognise"))
    return next(((name, options) for name, options in found if options is not None), None)


def own(folder: Path) -> list[Path]:
    return [
        jsonl(folder / "documents.jsonl", [{"id": n, "text": f"văn bản {n}"} for n in range(3)]),
        jsonl(folder / "queries.jsonl", [{"id": f"q{n}", "text": f"câu {n}"} for n in range(3)]),
        jsonl(folder / "qrels.jsonl", [{"query": f"q{n}", "document": n} for n in range(3)]),
    ]


def listings(folder: Path) -> list[Path]:
    hard = [{"text": "B", "type": ["price"], "weight": 0}]
    return [
        text(folder / "weights.json", '{"price": 2.0, "other": 0.5}'),
        jsonl(folder / "rows.jsonl", [{"query": f"câu {n}", "pos": f"A{n}", "hard_neg": hard} for n in range(3)]),
    ]


def club(folder: Path) -> list[Path]:
    return [
        delimited(folder / "corpus.csv", [{"STT": n, "Văn bản": f"bài {n}"} for n in range(3)]),
        xlsx(folder / "train.xlsx", [{"Query": f"câu {n}", "Ground truth document": n} for n in range(3)]),
    ]


def triplets(folder: Path) -> list[Path]:
    rows = [{"anchor": f"câu {n}", "positive": f"A{n}", "negative": "B"} for n in range(3)]
    return [delimited(folder / f"{split}.csv", rows) for split in ("train", "test")]


def faq(folder: Path) -> list[Path]:
    return [xlsx(folder / "faq.xlsx", [{"Câu hỏi": f"câu {n}", "Trả lời": f"đáp {n}"} for n in range(3)])]


def saved(folder: Path) -> list[Path]:
    rows = [{"query": f"câu {n}", "passage": f"đoạn {n}"} for n in range(3)]
    datasets.Dataset.from_list(rows).save_to_disk(folder / "saved")
    return [folder / "saved"]


FILES: dict[str, Callable[[Path], list[Path]]] = {
    "jsonl": own,
    "pairs": triplets,
    "proptit": club,
    "rental": listings,
    "table": faq,
}


@pytest.mark.parametrize("name", FILES)
def test_the_reader_whose_form_it_is(tmp_path: Path, name: str) -> None:
    paths = FILES[name](tmp_path)
    for given in (paths, paths[::-1], [tmp_path]):
        found = recognised(given)
        assert found is not None
        assert found[0] == name
        assert len(read(name, **found[1]).queries) == (6 if name == "pairs" else 3)


def test_readers_do_not_take_each_other_s_files(tmp_path: Path) -> None:
    for name, reader in (("jsonl", Jsonl), ("proptit", ProPtit), ("rental", Rental)):
        for other, files in FILES.items():
            found: Any = reader
            assert (found.recognise(files(tmp_path / name / other)) is not None) == (name == other)
        assert found.recognise([tmp_path / "nowhere"]) is None
        assert found.recognise([text(tmp_path / name / "notes.md", "# Notes", "", "some text, with a comma")]) is None


def test_nothing_is_recognised_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)))
    assert recognised([tmp_path / "weights.bin"]) is None
    assert recognised([text(tmp_path / "story.txt", "Once upon a time, there was a query.")]) is None
    assert recognised([tmp_path]) is None


def trec(folder: Path, documents: Path) -> list[Path]:
    return [
        documents,
        text(folder / "topics.tsv", "q1\tcâu một", "q2\tcâu hai"),
        text(folder / "qrels", "q1 0 1 1", "q2 0 2 1"),
        text(folder / "run.json", '{"q1": {"1": 0.5, "2": 1}, "q2": {"1": 2}}'),
    ]


@pytest.mark.parametrize("form", ["SGML", "JSON lines"])
def test_trec_with_documents_of_either_form(tmp_path: Path, form: str) -> None:
    documents = (
        text(tmp_path / "docs", *(f"<DOC><DOCNO>{n}</DOCNO><TEXT>bài {n}</TEXT></DOC>" for n in (1, 2)))
        if form == "SGML"
        else jsonl(tmp_path / "docs.jsonl", [{"id": n, "contents": f"bài {n}"} for n in (1, 2)])
    )
    for given in (paths := trec(tmp_path, documents), [tmp_path]):
        found = recognised(given)
        assert found == (
            "trec",
            {"documents": str(documents), "topics": str(paths[1]), "qrels": str(paths[2])} | {"run": str(paths[3])},
        )
        collection = read("trec", **found[1])
        assert collection.qrels == {"q1": {"1": 1}, "q2": {"2": 1}}
        assert collection.run == {"q1": {"1": 0.5, "2": 1.0}, "q2": {"1": 2.0}}


def test_datasets_that_were_saved(tmp_path: Path) -> None:
    """One, and several splits together."""
    assert recognised(saved(tmp_path)) == (
        "table",
        {"rows": str(tmp_path / "saved"), "columns": {"query": "query", "document": "passage"}},
    )
    rows = {
        split: [{"anchor": f"{split} {n}", "positive": f"A{n}", "negative": "B"} for n in range(3)]
        for split in ("train", "test")
    }
    datasets.DatasetDict({split: datasets.Dataset.from_list(some) for split, some in rows.items()}).save_to_disk(
        tmp_path / "dict"
    )
    found = recognised([tmp_path / "dict"])
    assert found == ("pairs", {"rows": {split: str(tmp_path / "dict" / split) for split in rows}})
    collection = read("pairs", **found[1])
    assert {split: len(ids) for split, ids in collection.splits.items()} == {"train": 3, "test": 3}
    reader = component("reader", "pairs", **found[1])
    assert {path.name for path in reader.files()} >= {"state.json"}
    with pytest.raises(DataError, match="holds splits; name the folders of those that you want"):
        read("pairs", rows=tmp_path / "dict")


def test_where_there_is_no_test_split_dev_is_tested_on(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        rows = [{"anchor": f"{split} {n}", "positive": f"A{n}", "negative": "B"} for n in range(3)]
        delimited(tmp_path / f"{split}.csv", rows)
    found = recognised([tmp_path])
    assert found == ("pairs", {"rows": {"train": str(tmp_path / "train.csv"), "test": str(tmp_path / "dev.csv")}})
