"""Formats as they are downloaded: each in a small file of its form, with its right counts, packed, and damaged."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pytest
from backports import zstd
from pyarrow import parquet

from rr.data.damage import MISSING
from rr_bench.registry import CandidatePlan, SplitPlan
from tests.plugins.data.test_readers import fails, written
from tests.preparing import component, prepare, read

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda content: zstd.compress(content),
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}


def pack(*paths: Path, ending: str = ".gz") -> None:
    for path in paths:
        path.with_name(path.name + ending).write_bytes(PACKERS[ending](path.read_bytes()))
        path.unlink()


def skipping(name: str, **options: Any) -> Any:
    """Read, with the rows that cannot be used left out."""
    token = MISSING.set("skip")
    try:
        return read(name, **options)
    finally:
        MISSING.reset(token)


def recognised(name: str, *paths: Path) -> Any:
    """The options that the reader would read the paths with; checked, where there are some."""
    reader = type(component("reader", name, **OPTIONS[name]))
    options = reader.recognise(paths)
    if options is not None:
        json.dumps(options)
        reader.Settings.model_validate(options)
    return options


OPTIONS: dict[str, dict[str, Any]] = {
    "beir": {"folder": "x"},
    "cranfield": {"folder": "x"},
    "hf": {"folder": "x"},
    "movielens": {"folder": "x"},
    "msmarco": {"collection": "x", "queries": "x", "qrels": "x"},
    "recbole": {"folder": "x"},
    "smart": {"documents": "x", "queries": "x", "qrels": "x"},
    "trec": {"documents": "x", "topics": "x", "qrels": "x"},
    "xquad": {"path": "x"},
    "zalo": {"corpus": "x", "questions": "x"},
}


def test_nobody_recognises_what_is_not_theirs(tmp_path: Path) -> None:
    """Nor raises at an empty folder, a missing path, or a file of another kind."""
    (tmp_path / "empty").mkdir()
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    other = written(tmp_path / "other.csv", "id,text", "1,one")
    (tmp_path / "binary.bin").write_bytes(bytes(range(256)))
    for name in OPTIONS:
        for paths in ([tmp_path / "empty"], [tmp_path / "absent"], [other], [tmp_path / "binary.bin"], [tmp_path], []):
            assert recognised(name, *paths) is None, (name, paths)


# beir


def beir(folder: Path, **qrels: list[str]) -> Path:
    written(folder / "corpus.jsonl", {"_id": "d1", "title": "T", "text": "one"}, {"_id": "d2", "text": "two"})
    written(folder / "queries.jsonl", *({"_id": f"q{n}", "text": f"query {n}"} for n in (1, 2, 3)))
    for name, lines in qrels.items():
        written(folder / "qrels" / f"{name}.tsv", *lines)
    (folder / ".DS_Store").write_bytes(b"\0")
    return folder


HEADER = "query-id\tcorpus-id\tscore"
FORMS = {
    "with a header": [HEADER, "q1\td1\t2", "q2\td2\t0"],
    "without one": ["q1\td1\t2", "q2\td2\t0"],
    "four columns": ["q1\t0\td1\t2", "q2\tQ0\td2\t0"],
    "four columns, a header": ["query-id\titer\tcorpus-id\tscore", "q1\t0\td1\t2", "q2\t0\td2\t0"],
    "other order": ["corpus-id\tquery-id\tscore", "d1\tq1\t2", "d2\tq2\t0"],
    "blanks": ["q1 d1 2", "q2  d2 0"],
    "blanks and tabs": ["q1 0\td1 2", "q2  0\td2 0"],
    "commas": ["query-id,corpus-id,score", "q1,d1,2", "q2,d2,0"],
    "quoted": ['"query-id"\t"corpus-id"\t"score"', '"q1"\t"d1"\t"2"', '"q2"\t"d2"\t"0"'],
    "floats": [HEADER, "q1\td1\t2.0", "q2\td2\t0.0"],
    "CRLF, a BOM": ["\ufeff" + HEADER + "\r", "q1\td1\t2\r", "q2\td2\t0\r", "\r"],
    "repeated alike": [HEADER, "q1\td1\t2", "q1\td1\t2", "q2\td2\t0"],
}


@pytest.mark.parametrize("form", FORMS)
def test_beir_judgements_in_every_form(tmp_path: Path, form: str) -> None:
    collection = read("beir", folder=beir(tmp_path, test=FORMS[form]))
    assert collection.qrels == {"q1": {"d1": 2}, "q2": {"d2": 0}}
    assert collection.splits == {"test": ["q1", "q2"]}
    again = [note for note in collection.notes if "come again, alike: 1, first line 3" in note]
    assert bool(again) == (form == "repeated alike")


def test_beir_judgements_may_be_json_lines(tmp_path: Path) -> None:
    folder = beir(tmp_path)
    written(folder / "test.jsonl", {"query-id": "q1", "corpus-id": "d1", "score": 1})
    assert read("beir", folder=folder).qrels == {"q1": {"d1": 1}}


@pytest.mark.parametrize("ending", PACKERS)
def test_beir_packed(tmp_path: Path, ending: str) -> None:
    folder = beir(tmp_path, test=FORMS["without one"])
    pack(folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / "test.tsv", ending=ending)
    collection = read("beir", folder=folder)
    assert (len(collection.documents), collection.qrels) == (2, {"q1": {"d1": 2}, "q2": {"d2": 0}})
    assert all(path.suffix == ending for path in component("reader", "beir", folder=folder).files())
    assert recognised("beir", folder) == {"folder": str(folder)}


def test_beir_validation_is_dev(tmp_path: Path) -> None:
    folder = beir(tmp_path, train=["q1\td1\t1"], validation=["q2\td2\t1"], test=["q3\td1\t1"])
    assert read("beir", folder=folder).splits == {"train": ["q1"], "dev": ["q2"], "test": ["q3"]}
    written(folder / "qrels" / "dev.tsv", "q2\td2\t1")
    with fails(r"dev\.tsv and validation\.tsv are both of split dev; keep one"):
        read("beir", folder=folder)


def test_beir_is_tested_on_dev_where_that_is_asked_for(tmp_path: Path) -> None:
    folder = beir(tmp_path, train=["q1\td1\t1"], dev=["q2\td2\t1"])
    with fails(r"there is no test\.tsv to test on, only train\.tsv, dev\.tsv; set `test_split: dev`"):
        read("beir", folder=folder)
    collection = read("beir", folder=folder, test_split="dev")
    assert collection.splits == {"train": ["q1"], "test": ["q2"]}
    assert "tested on dev.tsv, as `test_split: dev` says" in collection.notes
    assert recognised("beir", folder) == {"folder": str(folder), "test_split": "dev"}
    written(folder / "qrels" / "test.tsv", "q3\td1\t1")
    collection = read("beir", folder=folder, test_split="dev")
    assert collection.splits == {"train": ["q1"], "test": ["q2"]}
    assert "tested on dev.tsv, as `test_split: dev` says; not read: test.tsv" in collection.notes


RUN = {"q1": {"d1": 1.5, "d2": 1e-3}, "q2": {"d2": -2.0}}
RUNS: dict[str, list[object]] = {
    "TREC": ["q1 Q0 d1 1 1.5 t", "q1 Q0 d2 2 1e-3 t", "q2 Q0 d2 1 -2 t"],
    "TREC, tabs": ["q1\tQ0\td1\t1\t1.5\tt", "q1\tQ0\td2\t2\t1E-3\tt", "q2\tQ0\td2\t1\t-2\tt"],
    "JSON": [RUN],
    "rr rerank's lines": [
        {"id": query, "ranking": [{"id": id_, "score": score} for id_, score in scores.items()]}
        for query, scores in RUN.items()
    ],
}


@pytest.mark.parametrize("form", RUNS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_run_in_every_form(tmp_path: Path, form: str, packed: bool) -> None:
    folder = beir(tmp_path, test=["q1\td1\t1", "q2\td2\t1"])
    run = written(tmp_path / "run", *RUNS[form])
    if packed:
        run.write_bytes(gzip.compress(run.read_bytes()))
    assert read("beir", folder=folder, run=run).run == RUN
    trec = {
        "documents": written(tmp_path / "d.jsonl", {"id": "d1", "text": "a"}, {"id": "d2", "text": "b"}),
        "topics": written(tmp_path / "t.tsv", "q1\tone", "q2\ttwo"),
        "qrels": written(tmp_path / "r", "q1 0 d1 1"),
    }
    assert read("trec", **trec, run=run).run == RUN


def test_a_run_of_ranks_and_its_damage(tmp_path: Path) -> None:
    folder = beir(tmp_path, test=["q1\td1\t1"])
    run = written(tmp_path / "run", "q1\td2\t1", "q1\td1\t2")
    assert read("beir", folder=folder, run=run).run == {"q1": {"d2": -1.0, "d1": -2.0}}
    written(run, "q1\td2\t0.7", "q1\td1\t0.5")
    with fails("2 rows cannot be used.*the third column is no rank.*line 2"):
        read("beir", folder=folder, run=run)
    written(run, {"q1": 3})
    with fails(r"query 'q1': expected \{document: score\}, found 3"):
        read("beir", folder=folder, run=run)
    written(run, "q1 Q0 d1 1 2 t", "q1 Q0 d9 2 1 t", "q9 Q0 d1 1 1 t", "q1 Q0 d1 3 1 t", "q1 Q0 d2 4 x t", "q1 Q0")
    with fails("5 rows cannot be used; .*document 'd9' does not exist.*query 'q9' does not exist.*came already"):
        read("beir", folder=folder, run=run)
    assert skipping("beir", folder=folder, run=run).run == {"q1": {"d1": 2.0}}


def test_beir_damage_is_told_in_one_line(tmp_path: Path) -> None:
    folder = beir(tmp_path, test=["q1\td1\t1", "q1\td2", "q2\td1\thigh", "q2\td1\t0.5", "q2\td2\t-1"])
    with (folder / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "d1", "text": "again"}\n{"_id": "d3"}\nno JSON\n')
    with fails("6 rows cannot be used; mend them, or leave them out by `missing: skip`: .*corpus.jsonl, line 3"):
        read("beir", folder=folder)
    collection = skipping("beir", folder=folder)
    assert (len(collection.documents), collection.qrels) == (2, {"q1": {"d1": 1}, "q2": {"d2": -1}})
    assert len(collection.notes) >= 6


def test_beir_says_what_the_folder_is_not(tmp_path: Path) -> None:
    for name in ("android", "english"):
        beir(tmp_path / name, test=["q1\td1\t1"])
    with fails("its folders do; name one of android, english"):
        read("beir", folder=tmp_path)
    with fails("queries.jsonl: none of 2 judgements is of one of its 3 queries, first line 1, query 'd1'"):
        read("beir", folder=beir(tmp_path, test=["d1\tq1\t1", "d2\tq2\t1"]))
    with fails("all grades are 0, and the iterations are not"):
        read("beir", folder=beir(tmp_path, test=["q1 1 d1 0", "q2 2 d2 0"]))
    with fails(r"test\.tsv: no judgements below the header"):
        read("beir", folder=beir(tmp_path, test=[HEADER]))


def arguana(folder: Path) -> Path:
    """Each query is a document, under its own id, and its answer another one."""
    texts = [f"argument {word} of the debate" for word in ("alpha", "beta", "gamma", "delta")]
    written(folder / "corpus.jsonl", *({"_id": f"d{n}", "text": text} for n, text in enumerate(texts)))
    written(folder / "queries.jsonl", *({"_id": f"d{n}", "text": text} for n, text in enumerate(texts)))
    written(folder / "qrels" / "test.tsv", HEADER, *(f"d{n}\td{(n + 1) % 4}\t1" for n in range(4)))
    return folder


def test_candidates_that_share_the_id_of_their_query_are_dropped(tmp_path: Path) -> None:
    collection = read("beir", folder=arguana(tmp_path))
    assert any("queries that are documents too, under their own ids: 4" in note for note in collection.notes)
    plans = {drop: CandidatePlan(depth=3, drop_same_id=drop) for drop in (False, True)}
    kept, dropped = (prepare("a", collection, SplitPlan(), plan) for plan in plans.values())
    assert all(query in ids for query, ids in kept.candidates.items())
    assert {query: set(ids) for query, ids in dropped.candidates.items()} == {
        query: set(collection.documents) - {query} for query in collection.queries
    }
    told = "queries whose id is that of a document too, which is none of their candidates: 4 of 4"
    assert told in dropped.notes
    assert told not in kept.notes
    oracle = prepare("a", collection, SplitPlan(), CandidatePlan(depth=2, drop_same_id=True, protocol="oracle"))
    assert all(len(ids) == 2 and query not in ids for query, ids in oracle.candidates.items())


# msmarco


def msmarco(folder: Path) -> dict[str, Any]:
    return {
        "collection": written(folder / "collection.tsv", *(f"{n}\tpassage {n}" for n in range(20))),
        "queries": written(folder / "queries.dev.small.tsv", "1\tfirst", "2\tsecond", "3\tnever judged"),
        "qrels": written(folder / "qrels.dev.small.tsv", "1\t0\t7\t1", "2\t0\t9\t1", "2\t0\t99\t1"),
    }


def test_msmarco(tmp_path: Path) -> None:
    options = msmarco(tmp_path)
    collection = read("msmarco", **options)
    assert (len(collection.documents), list(collection.queries)) == (20, ["1", "2"])
    assert collection.documents["7"].text == "passage 7"
    assert collection.qrels == {"1": {"7": 1}, "2": {"9": 1, "99": 1}}
    assert collection.notes == ("queries that nothing judges, left out: 1",)
    assert recognised("msmarco", tmp_path) == {key: str(path) for key, path in options.items()}
    for key, header in (("collection", "pid\ttext"), ("queries", "qid\tquery")):
        options[key].write_text(f"{header}\n{options[key].read_text()}", encoding="utf-8")
    assert read("msmarco", **options) == collection
    pack(*options.values())
    assert read("msmarco", **options) == collection
    assert all(path.suffix == ".gz" for path in component("reader", "msmarco", **options).files())


def test_msmarco_by_split_and_of_several_files(tmp_path: Path) -> None:
    options = msmarco(tmp_path)
    train = written(tmp_path / "queries.train.tsv", "5\tfifth")
    qrels = {"train": written(tmp_path / "qrels.train.tsv", "5\t0\t1\t1"), "test": options["qrels"]}
    assert recognised("msmarco", tmp_path) is None  # which of two?
    collection = read("msmarco", **options | {"queries": [train, options["queries"]], "qrels": qrels})
    assert collection.splits == {"train": ["5"], "test": ["1", "2"]}


def test_msmarco_documents_and_their_second_version(tmp_path: Path) -> None:
    options = msmarco(tmp_path)
    pages = [f"D{n}\thttp://a/{n}\tTitle {n}\tbody {n}" for n in range(3)]
    options["collection"] = written(tmp_path / "msmarco-docs.tsv", *pages, "D3\thttp://a\t\t")
    options["qrels"] = written(tmp_path / "qrels", "1 0 D1 1")
    collection = read("msmarco", **options)
    assert (collection.documents["D1"].title, collection.documents["D1"].text) == ("Title 1", "body 1")
    assert collection.documents["D3"].blank
    folder = tmp_path / "msmarco_v2_passage"
    written(folder / "a", {"pid": "D1", "passage": "one", "docid": "x"})
    written(folder / "b", {"pid": "D2", "passage": "two"})
    pack(folder / "a", folder / "b")
    options["collection"] = folder
    assert {id_: d.text for id_, d in read("msmarco", **options).documents.items()} == {"D1": "one", "D2": "two"}


def test_msmarco_top1000(tmp_path: Path) -> None:
    options = msmarco(tmp_path)
    rows = [f"{query}\t{n}\t{text}\tpassage {n}" for query, text in ((2, "second"), (1, "first")) for n in (9, 7, 3)]
    options["top1000"] = written(tmp_path / "top1000.dev", *rows)
    collection = read("msmarco", **options)
    assert collection.run == {"2": {"9": 0.0, "7": 0.0, "3": 0.0}, "1": {"9": 0.0, "7": 0.0, "3": 0.0}}
    assert any("have no scores: they are tied" in note for note in collection.notes)
    assert recognised("msmarco", tmp_path) == {key: str(path) for key, path in options.items()}
    alone = read("msmarco", qrels=options["qrels"], top1000=options["top1000"])
    assert (list(alone.documents), alone.queries["1"].text) == (["9", "7", "3"], "first")
    dataset = prepare("m", alone, SplitPlan(), CandidatePlan(retriever="run", depth=10))
    assert set(dataset.candidates[dataset.splits["test"][0]]) == {"9", "7", "3"}


def test_msmarco_sampled(tmp_path: Path) -> None:
    options = msmarco(tmp_path)
    collection = read("msmarco", **options, sample=5)
    assert len(collection.documents) == 7
    assert {"7", "9"} < set(collection.documents)
    assert "documents neither judged nor candidates: 18, of which 5 are kept, drawn by lot" in collection.notes
    assert list(read("msmarco", **options, sample=5).documents) == list(collection.documents)
    assert list(read("msmarco", **options, sample=5, seed=1).documents) != list(collection.documents)
    assert len(read("msmarco", **options, sample=100).documents) == 20


def test_msmarco_damage(tmp_path: Path) -> None:
    options = msmarco(tmp_path)
    written(options["collection"], "7\ta passage\twith a tab", "9\tnine", "9\tagain", "no tab", "8\t ")
    with fails("line 1: 3 columns, parted by tabs; write id⇥text or id⇥url⇥title⇥text"):
        read("msmarco", **options)
    written(options["collection"], "9\tnine", "7\ta passage\twith a tab", "9\tagain", "no tab", "8\t ")
    with fails("3 rows cannot be used.*line 2: 3 columns; write 2: id text.*line 4.*came already in line 1"):
        read("msmarco", **options)
    assert list(skipping("msmarco", **options).documents) == ["9", "8"]


# trec

SGML = """<DOC>
<DOCNO> FT911-1 </DOCNO>
<HEADLINE>FT  13 MAY 91 / Caf&eacute; &amp; bar</HEADLINE>
<TEXT>
Profits &lt; 5% at AT&T; a < b.&blank;<P>A second
paragraph.</P>
</TEXT>
<TEXT>More.</TEXT>
</DOC>
<doc><docno>ft911-2</docno><text>On one line.</text></doc> <doc><docno>ft911-3</docno>
<date>910513</date><body>Without a text element.</body></doc>
"""
TOPICS = """<top>
<num> Number: 051
<title> Topic:  Airbus Subsidies

<desc> Description:
How do governments
help?

<narr> Narrative:
A relevant document ...
</top>

<top>
<num> Number: 301 </num>
<title> Organized crime </title>
<desc> Description: Which?
</top>
"""


def trec(folder: Path) -> dict[str, Any]:
    (folder / "docs" / "ft").mkdir(parents=True)
    (folder / "docs" / "ft" / "ft911").write_text(SGML, encoding="utf-8")
    (folder / "docs" / "ft" / "ft912").write_text("<DOC><DOCNO>FT912-1</DOCNO><TEXT>x</TEXT></DOC>", encoding="utf-8")
    (folder / "docs" / "readme").write_text("Documents of the Financial Times.\n", encoding="utf-8")
    (folder / "docs" / "empty").write_text("", encoding="utf-8")
    (folder / "docs" / ".DS_Store").write_bytes(b"\0\1")
    (folder / "topics").write_text(TOPICS, encoding="utf-8")
    return {
        "documents": folder / "docs",
        "topics": folder / "topics",
        "qrels": written(folder / "qrels", "51 0 FT911-1 1", "301 0 ft911-2 0", "301 0 ft911-3 2"),
    }


def test_trec_sgml(tmp_path: Path) -> None:
    options = trec(tmp_path)
    collection = read("trec", **options)
    documents = {id_: (document.title, document.text) for id_, document in collection.documents.items()}
    assert documents == {
        "FT911-1": ("FT 13 MAY 91 / Café & bar", "Profits < 5% at AT&T; a < b. A second paragraph.\nMore."),
        "ft911-2": ("", "On one line."),
        "ft911-3": ("", "Without a text element."),
        "FT912-1": ("", "x"),
    }
    assert {id_: query.text for id_, query in collection.queries.items()} == {
        "51": "Airbus Subsidies",
        "301": "Organized crime",
    }
    assert collection.qrels == {"51": {"FT911-1": 1}, "301": {"ft911-2": 0, "ft911-3": 2}}
    assert [note.partition(", first")[0] for note in collection.notes] == [
        "files without a document, passed over: 2",
        "topics whose judgements leave out the zeros before their number: 1",
    ]
    both = read("trec", **options, fields=["title", "description"])
    assert both.queries["51"].text == "Airbus Subsidies\nHow do governments help?"
    with fails("topic.*field 'query' is missing; there are: desc, narr, title; name others by `fields`"):
        read("trec", **options, fields=["query"])
    assert recognised("trec", tmp_path / "docs" / "ft", options["topics"], options["qrels"]) == {
        **{key: str(path) for key, path in options.items()},
        "documents": str(tmp_path / "docs" / "ft"),
    }


def test_trec_packed_and_in_latin_1(tmp_path: Path) -> None:
    options = trec(tmp_path)
    whole = read("trec", **options)
    file = tmp_path / "docs" / "ft" / "ft911"
    pack(file, options["topics"], options["qrels"], ending=".bz2")
    assert read("trec", **options) == whole
    file.with_name("ft911.bz2").unlink()
    file.write_bytes("<DOC><DOCNO>FT911-1</DOCNO><TEXT>café</TEXT></DOC>\n".encode("latin-1"))
    with fails("ft911, line 1: byte 0xe9 is not UTF-8"):
        read("trec", **options)
    assert read("trec", **options, encoding="latin-1").documents["FT911-1"].text == "café"


COVID = """<?xml version="1.0" encoding="UTF-8"?>
<topics task="COVIDSearch 2020" batch="5">
  <topic number="1">
    <query>coronavirus origin</query>
    <question>what is the origin of COVID-19</question>
    <narrative>seeking &quot;range&quot;</narrative>
  </topic>
  <topic number="2"><query>weather</query><question>how</question></topic>
</topics>
"""
CLEF = """<topics><topic lang="en"><identifier>10.2452/41-AH</identifier><title>Bull fighting</title>
<description>Find</description></topic><topic lang="en"><identifier>2</identifier><title>Cod</title></topic></topics>"""
OLDER = "<top>\n<num>C041</num>\n<EN-title>Pesticides</EN-title>\n<EN-desc>Find</EN-desc>\n</top>"
TRIALS = '<topics task="2021 TREC"><topic number="1">A 45-year-old man\nwith glioma.</topic></topics>'


@pytest.mark.parametrize(
    ("text", "queries", "fields"),
    [
        (COVID, {"1": "coronavirus origin", "2": "weather"}, ()),
        (COVID, {"1": "what is the origin of COVID-19", "2": "how"}, ("question",)),
        (CLEF, {"10.2452/41-AH": "Bull fighting", "2": "Cod"}, ()),
        (OLDER, {"C041": "Pesticides"}, ()),
        (TRIALS, {"1": "A 45-year-old man with glioma."}, ()),
    ],
)
def test_xml_topics(tmp_path: Path, text: str, queries: dict[str, str], fields: tuple[str, ...]) -> None:
    options = trec(tmp_path)
    options["topics"].write_text(text, encoding="utf-8")
    written(options["qrels"], *(f"{id_} 0 FT911-1 1" for id_ in queries))
    collection = read("trec", **options, fields=fields)
    assert {id_: query.text for id_, query in collection.queries.items()} == queries


def test_trec_damage(tmp_path: Path) -> None:
    options = trec(tmp_path)
    lines = ["<DOC><TEXT>no id</TEXT></DOC>", "<DOC><DOCNO>a</DOCNO>", "<DOC><DOCNO>b</DOCNO><TEXT>b</TEXT></DOC>"]
    lines += ["<DOC><DOCNO>b</DOCNO></DOC>", "<DOC><DOCNO>FT911-1</DOCNO><TEXT>cut"]
    written(tmp_path / "docs" / "ft" / "ft911", *lines)
    written(options["topics"], "<top><num>51<title>x</top>", "<top><title>no number</top>", "<top><num>9<desc>d</top>")
    with fails("6 rows cannot be used.*line 2: the <doc> is not closed.*line 5.*line 1: the <DOC> has no <DOCNO>"):
        read("trec", **options)
    written(options["qrels"], "51 0 b 1")
    collection = skipping("trec", **options)
    assert (set(collection.documents), list(collection.queries)) == ({"b", "FT912-1"}, ["51"])


# smart

CISI = """.I 1
.T
18 Editions of the Dewey Decimal Classifications
.A
Comaromi, J.P.
.W
   The present study is a history of the DEWEY Decimal
Classification.
.X
1\t5\t1
92\t1\t1
.I 2
.T
Use Made of Technical Libraries
.A
Slater, M.
.A
Second, A.
.W
This report is an analysis.
.X
2\t5\t2
"""
CISI_QUERIES = """.I 1
.W
What problems are there?
.I 2
.T
A title
.A
Someone
.W
How can data be retrieved?
.B
(A journal)
"""


def cisi(folder: Path) -> dict[str, Path]:
    (folder / "CISI.ALL").write_text(CISI, encoding="utf-8")
    (folder / "CISI.QRY").write_text(CISI_QUERIES, encoding="utf-8")
    qrels = written(
        folder / "CISI.REL", "     1      1\t0\t0.000000", "     2      1\t0\t0.000000", "     2      2\t0\t0"
    )
    return {"documents": folder / "CISI.ALL", "queries": folder / "CISI.QRY", "qrels": qrels}


def test_smart_cisi(tmp_path: Path) -> None:
    options = cisi(tmp_path)
    collection = read("smart", **options)
    assert collection.documents["1"].title == "18 Editions of the Dewey Decimal Classifications"
    text = "The present study is a history of the DEWEY Decimal Classification."
    assert collection.documents["1"].text == text  # and none of the references
    assert collection.documents["2"].text == "This report is an analysis."
    assert {id_: query.text for id_, query in collection.queries.items()} == {
        "1": "What problems are there?",
        "2": "How can data be retrieved?",
    }
    assert collection.qrels == {"1": {"1": 1}, "2": {"1": 1, "2": 1}}
    assert collection.notes == ("lines that look like a field, strewn into another: 1, first line 17, `.A`",)
    assert recognised("smart", tmp_path) == {key: str(path) for key, path in options.items()}
    pack(*options.values(), ending=".xz")
    assert read("smart", **options) == collection
    with_authors = read("smart", **options, text="WA")
    assert with_authors.documents["2"].text == "This report is an analysis.\nSlater, M. Second, A."


@pytest.mark.parametrize(
    ("lines", "qrels"),
    [
        (["1 0 2 1", "2 0 1 1"], {"1": {"2": 1}, "2": {"1": 1}}),  # MED
        (["01 0002  0 0", "02 0001  0 0"], {"1": {"2": 1}, "2": {"1": 1}}),  # CACM
        (["1 2", "2 1"], {"1": {"2": 1}, "2": {"1": 1}}),
        (["1 2 1", "2 1 0"], {"1": {"2": 1}, "2": {"1": 0}}),
    ],
)
def test_smart_judgements_are_told_by_their_columns(
    tmp_path: Path, lines: list[str], qrels: dict[str, dict[str, int]]
) -> None:
    options = cisi(tmp_path)
    written(options["qrels"], *lines)
    assert read("smart", **options).qrels == qrels


def test_smart_asks_what_cannot_be_told(tmp_path: Path) -> None:
    options = cisi(tmp_path)
    written(options["qrels"], "1 2 4", "2 1 -1")
    with fails("the third column holds -1, 4; say what by `codes`: grades .* or cranfield"):
        read("smart", **options)
    assert read("smart", **options, codes="grades").qrels == {"1": {"2": 4}, "2": {"1": -1}}
    assert read("smart", **options, codes="cranfield").qrels == {"1": {"2": 1}, "2": {"1": 4}}
    written(options["qrels"], "1 7 2 1", "2 7 1 1")
    with fails("of four columns, neither the second nor the last two are 0"):
        read("smart", **options)
    written(options["qrels"], "1 2 0 0 0")
    with fails("line 1: 5 columns"):
        read("smart", **options)


def test_smart_says_how_queries_are_numbered(tmp_path: Path) -> None:
    """Cranfield's way: `.I` of the second query is 004, and the judgements call it 2."""
    options = cisi(tmp_path)
    options["queries"].write_text(CISI_QUERIES.replace(".I 2", ".I 004"), encoding="utf-8")
    collection = read("smart", **options)
    assert list(collection.queries) == ["1", "2"]
    told = "queries are named by their place in the file, which 3 of 3 judgements know (the other way: 1)"
    assert any(note.startswith(told) for note in collection.notes)
    asked = read("smart", **options, numbering="I")
    assert (list(asked.queries), asked.qrels) == (["1", "4"], {"1": {"1": 1}})


def test_smart_damage(tmp_path: Path) -> None:
    options = cisi(tmp_path)
    options["documents"].write_text(CISI + ".I 1\n.W\nagain\n.I\n.W\nno number\n", encoding="utf-8")
    written(options["qrels"], "1 1 0 0", "2 1 0", "2 2 0 0")
    with fails("3 rows cannot be used.*line 23: document '1' came already in line 1.*line 26: 'I' is blank"):
        read("smart", **options)
    assert skipping("smart", **options).qrels == {"1": {"1": 1}, "2": {"2": 1}}
    written(options["documents"], "<DOC>")
    with fails("line 1: text before the first `.I`"):
        read("smart", **options)


# movielens and recbole


def ratings(separator: str) -> list[str]:
    return [separator.join(map(str, (user, film, 4, 10 * film))) for user in (1, 2) for film in range(1, 6)]


def movielens(folder: Path, release: str) -> Path:
    folder.mkdir(exist_ok=True)
    if release == "dat":
        written(folder / "ratings.dat", *ratings("::"))
        films = [f"{n}::Misérables, Les ({1990 + n})::Drama|Musical" for n in range(1, 6)]
        (folder / "movies.dat").write_bytes("\r\n".join(films).encode("latin-1"))
    else:
        written(folder / "u.data", *ratings("\t"))
        flags = "|".join("1" if n in (8, 12) else "0" for n in range(19))
        films = [f"{n}|Misérables, Les ({1990 + n})|01-Jan-1995||http://a|{flags}" for n in range(1, 6)]
        (folder / "u.item").write_bytes("\n".join(films).encode("latin-1"))
    return folder


@pytest.mark.parametrize("release", ["dat", "u"])
def test_movielens_older_releases(tmp_path: Path, release: str) -> None:
    folder = movielens(tmp_path / "ml", release)
    collection = read("movielens", folder=folder, core=1)
    assert (len(collection.documents), len(collection.queries)) == (5, 6)
    assert collection.documents["2"].title == "Misérables, Les (1992)"
    assert collection.documents["2"].text == "Drama, Musical"
    assert collection.qrels["u2/test"] == {"5": 1}
    assert recognised("movielens", folder) == {"folder": str(folder)}
    files = component("reader", "movielens", folder=folder).files()
    films, rated = files
    films.write_text(films.read_bytes().decode("latin-1"), encoding="utf-8")  # as ml-10m is
    pack(*files)
    assert read("movielens", folder=folder, core=1) == collection
    with fails("column 'caption' is missing"):
        read("movielens", folder=folder, text="caption")
    rated.write_text("1::2\n1 2 3 4\n", encoding="utf-8")
    with fails("2 rows cannot be used.*columns; write 4"):
        read("movielens", folder=folder)
    with fails("holds .* of two releases; keep one"):
        movielens(folder, "u" if release == "dat" else "dat")
        read("movielens", folder=folder)


def recbole(folder: Path, *more: str) -> Path:
    rows = [f"u{user}\ti{item}\t{item}.5" for user in (1, 2) for item in range(5, 0, -1)]
    written(folder / "ml.inter", "user_id:token\titem_id:token\ttimestamp:float", *rows, *more)
    items = [f"i{n}\tThe Film {n}\t{1990 + n}\tDrama Comedy" for n in range(1, 6)]
    header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
    written(folder / "ml.item", header, *items)
    written(folder / "ml.user", "user_id:token\tage:token\tx:float", "u1\t24\t1", "u2\t\t1")
    return folder


def test_recbole(tmp_path: Path) -> None:
    folder = recbole(tmp_path, "u1\ti1\t99", "u2\ti77\t3")
    collection = read("recbole", folder=folder, core=1)
    assert [document.title for document in collection.documents.values()] == [f"The Film {n}" for n in range(1, 6)]
    assert collection.documents["i1"].text == "1991, Drama Comedy"
    assert collection.qrels == {
        f"uu{user}/{split}": {f"i{item}": 1}
        for user in (1, 2)
        for split, item in (("train", 3), ("dev", 4), ("test", 5))
    }
    assert collection.facets["age"] == {f"uu1/{split}": "24" for split in ("train", "dev", "test")}
    assert collection.notes == (
        "1-core: 2 users, 5 items, 10 interactions, mean length 5.00",
        "interactions with an item that .item lacks, left out: 1, first line 13 (user 'u2', item 'i77')",
        "interactions that a user has had before, of which the first counts: 1, first line 12",
    )
    assert recognised("recbole", folder) == {"folder": str(folder)}
    by_class = read("recbole", folder=folder, core=1, title="class", text=["movie_title"])
    assert (by_class.documents["i1"].title, by_class.documents["i1"].text) == ("Drama Comedy", "The Film 1")
    pack(*folder.iterdir(), ending=".zst")
    assert read("recbole", folder=folder, core=1) == collection


def test_recbole_damage(tmp_path: Path) -> None:
    with fails("2 rows cannot be used.*cells under 3 fields.*'timestamp' must be a finite number"):
        read("recbole", folder=recbole(tmp_path, "u1\ti1", "u1\ti2\tyesterday"))
    with fails("field 'name' is missing"):
        read("recbole", folder=recbole(tmp_path), title="name")
    written(tmp_path / "b.inter", "user_id:token")
    with fails("several data sets, b, ml; set `dataset`"):
        read("recbole", folder=tmp_path)
    written(tmp_path / "ml.inter", "user_id\titem_id", "1\t2")
    with fails("line 1: 'user_id' is no field with its type"):
        read("recbole", folder=tmp_path, dataset="ml")


# xquad


def flat(number: int, context: str = "", **more: Any) -> dict[str, Any]:
    answers = {"text": ["a"], "answer_start": [0]}
    return {"id": f"q{number}", "title": "B_i", "context": context or f"đoạn {number}", "question": "câu"} | (
        {"answers": answers} | more
    )


ROWS = [flat(1), flat(2, "đoạn 1"), flat(3, answers={"text": [], "answer_start": []}, is_impossible=True)]


def nested(path: Path, *numbers: int) -> Path:
    paragraphs = [
        {
            "context": f"đoạn {n}",
            "qas": [
                {"id": f"q{n}", "question": f"câu {n}", "answers": [{"text": "a", "answer_start": 0}]},
                {
                    **{"id": f"x{n}", "question": f"câu {n}?", "answers": [], "is_impossible": True},
                    "plausible_answers": [{"text": "b", "answer_start": 1}],
                },
            ],
        }
        for n in numbers
    ]
    return written(path, {"version": "v2.0", "data": [{"title": "Bài_báo", "paragraphs": paragraphs}]})


def saved(rows: list[dict[str, Any]], path: Path, form: str) -> Path:
    """Rows in one of the forms that Hugging Face's datasets have on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "save_to_disk":
        datasets.Dataset.from_list(rows).save_to_disk(path)
    elif form == "parquet":
        path.mkdir()
        parquet.write_table(pyarrow.Table.from_pylist(rows), path / "test-00000-of-00001.parquet")
    elif form == "arrow":
        path.mkdir()
        table = pyarrow.Table.from_pylist(rows)
        with (
            pyarrow.OSFile(str(path / "data-test.arrow"), "wb") as file,
            pyarrow.ipc.new_stream(file, table.schema) as w,
        ):
            w.write_table(table)
    elif form == "jsonl":
        written(path, *rows)
    else:
        written(path, rows if form == "list" else {"data": rows})
    return path


@pytest.mark.parametrize("form", ["jsonl", "list", "data", "save_to_disk", "parquet", "arrow"])
def test_squad_flat(tmp_path: Path, form: str) -> None:
    path = saved(ROWS, tmp_path / "rows", form)
    collection = read("xquad", path=path)
    assert [(d.id, d.title, d.text) for d in collection.documents.values()] == [
        ("p001", "B i", "đoạn 1"),
        ("p002", "B i", "đoạn 3"),
    ]
    assert collection.qrels == {"q1": {"p001": 1}, "q2": {"p001": 1}, "q3": {"p002": 0}}
    assert collection.splits == ({"test": ["q1", "q2", "q3"]} if form in ("parquet", "arrow") else {})
    assert recognised("xquad", path) == {"path": str(path)}


def test_squad_by_split(tmp_path: Path) -> None:
    paths = {split: nested(tmp_path / f"{split}.json", n) for n, split in enumerate(("train", "dev", "test"), 1)}
    collection = read("xquad", path=paths)
    assert collection.splits == {"train": ["q1", "x1"], "dev": ["q2", "x2"], "test": ["q3", "x3"]}
    assert collection.qrels["q3"] == {"p003": 1}
    assert collection.qrels["x3"] == {"p003": 0}
    assert recognised("xquad", tmp_path) == {"path": {split: str(path) for split, path in paths.items()}}
    assert read("xquad", path=list(paths.values())).splits == {}
    whole = datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS[:1])})
    whole["validation"] = datasets.Dataset.from_list(ROWS[1:2])
    whole.save_to_disk(tmp_path / "saved")
    assert read("xquad", path=tmp_path / "saved").splits == {"train": ["q1"], "dev": ["q2"]}


def test_squad_damage(tmp_path: Path) -> None:
    rows = [flat(1), flat(1), flat(2, question=" "), flat(3, context=" "), {"id": "q4", "question": "?"}]
    with fails("4 rows cannot be used.*came already.*'context'"):
        read("xquad", path=written(tmp_path / "r.jsonl", *rows))
    assert list(skipping("xquad", path=tmp_path / "r.jsonl").queries) == ["q1"]
    path = saved(ROWS, tmp_path / "rows", "parquet") / "test-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with fails("test-00000-of-00001.parquet: not whole Parquet"):
        read("xquad", path=tmp_path / "rows")


# zalo

LAWS = [
    {
        "law_id": "47/2011/tt-bca",
        "articles": [{"article_id": "7", "title": "Điều 7.", "text": "Trách nhiệm"}, {"article_id": 8, "text": "b"}],
    }
]


def zalo(folder: Path) -> dict[str, Any]:
    relevant = [{"law_id": "47/2011/tt-bca", "article_id": "8"}]
    items = [
        {"question_id": "q1", "question": "Ai?", "relevant_articles": relevant},
        {"question_id": "q2", "text": "Gì?", "relevant_articles": []},
        {"question_id": "q3", "text": "Không xét"},
    ]
    folder.mkdir(exist_ok=True)
    questions = folder / "train_question_answer.json"
    content = {"_name_": "legal_text_retrieval", "_count_": 3, "items": items}
    questions.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return {"corpus": written(folder / "legal_corpus.json", LAWS), "questions": questions}


def test_zalo(tmp_path: Path) -> None:
    options = zalo(tmp_path)
    collection = read("zalo", **options)
    assert [(d.id, d.title, d.text) for d in collection.documents.values()] == [
        ("47/2011/tt-bca+7", "Điều 7.", "Trách nhiệm"),
        ("47/2011/tt-bca+8", "", "b"),
    ]
    assert collection.qrels == {"q1": {"47/2011/tt-bca+8": 1}, "q2": {}}
    assert collection.notes == ("questions without 'relevant_articles', left out: 1, first top level, items 3, 'q3'",)
    assert recognised("zalo", tmp_path) == {key: str(path) for key, path in options.items()}
    pack(*options.values())
    assert read("zalo", **options) == collection
    lines = [{"question_id": "a", "text": "Ai?", "relevant_articles": [{"law_id": "47/2011/tt-bca", "article_id": 7}]}]
    options["questions"] = {"test": written(tmp_path / "test.jsonl", *lines)}
    assert read("zalo", **options).splits == {"test": ["a"]}


def test_zalo_damage(tmp_path: Path) -> None:
    options = zalo(tmp_path)
    written(options["corpus"], [*LAWS, *LAWS, {"law_id": "x"}])
    with fails("3 rows cannot be used.*came already.*'articles' is missing"):
        read("zalo", **options)
    written(options["questions"], [{"question_id": "q", "text": " ", "relevant_articles": []}])
    with fails("4 rows cannot be used.*'text' is blank"):
        read("zalo", **options)


# hf

TABLES = {
    "corpus": [{"_id": "d1", "title": "T", "text": "one"}, {"_id": "d2", "title": "", "text": "two"}],
    "queries": [{"_id": "q1", "text": "first"}, {"_id": "q2", "text": "second"}, {"_id": "q3", "text": "third"}],
    "qrels": [{"query-id": "q1", "corpus-id": "d1", "score": 1.0}, {"query-id": "q2", "corpus-id": "d2", "score": 2.0}],
}


@pytest.mark.parametrize("form", ["save_to_disk", "parquet", "arrow"])
def test_hf(tmp_path: Path, form: str) -> None:
    for name, rows in TABLES.items():
        saved(rows, tmp_path / name, form)
    collection = read("hf", folder=tmp_path)
    assert collection.documents["d1"].content == "T\none"
    assert collection.qrels == {"q1": {"d1": 1}, "q2": {"d2": 2}}
    assert collection.splits == ({} if form == "save_to_disk" else {"test": ["q1", "q2"]})
    assert collection.notes == ("queries that nothing judges, left out: 1",)
    assert recognised("hf", tmp_path) == {"folder": str(tmp_path)}
    assert all(path.is_file() for path in component("reader", "hf", folder=tmp_path).files())


def test_hf_splits_and_columns(tmp_path: Path) -> None:
    saved([{"nr": 1, "body_vi": "một"}, {"nr": 2, "body_vi": "hai"}], tmp_path / "d", "save_to_disk")
    saved([{"qid": 1, "ask": "ai"}, {"qid": 2, "ask": "gì"}], tmp_path / "q", "parquet")
    judged = {
        "train": datasets.Dataset.from_list([{"qid": 1, "nr": 1}]),
        "validation": datasets.Dataset.from_list([{"qid": 2, "nr": 2}]),
    }
    datasets.DatasetDict(judged).save_to_disk(tmp_path / "r")
    options: dict[str, Any] = {
        **{"documents": tmp_path / "d", "queries": tmp_path / "q", "qrels": tmp_path / "r"},
        "columns": {"document_id": "nr", "document": "body_vi", "query": "ask"},
    }
    with fails("no split 'test' to test on, only train, validation; set `test_split`"):
        read("hf", **options)
    collection = read("hf", **options, test_split="validation")
    assert (collection.splits, collection.qrels) == ({"train": ["1"], "test": ["2"]}, {"1": {"1": 1}, "2": {"2": 1}})


def test_hf_damage(tmp_path: Path) -> None:
    for name, rows in TABLES.items():
        saved([*rows, *rows[:1]] if name == "corpus" else rows, tmp_path / name, "parquet")
    with fails("row 3: document 'd1' came already in row 1"):
        read("hf", folder=tmp_path)
    with fails("no such file or folder"):
        read("hf", folder=tmp_path / "absent")
    with fails("key 'headline' is missing; there are: _id, text, title"):
        read("hf", folder=tmp_path, columns={"document": "headline"})
    saved(TABLES["corpus"], tmp_path / "saved", "save_to_disk")
    (tmp_path / "saved" / "data-00000-of-00001.arrow").write_bytes(b"ARROW")
    with fails(r"data-00000-of-00001.arrow: not whole Arrow"):
        read("hf", folder=tmp_path, documents=tmp_path / "saved")


# ir_datasets

READS = """
import json, sys
from tests.preparing import component, read
from rr import DataError
reader = component("reader", "ir_datasets", **json.loads(sys.argv[1]))
try:
    found = reader.read()
    documents = {id_: document.text for id_, document in found.documents.items()}
    asked = {id_: query.text for id_, query in found.queries.items()}
    print(json.dumps([documents, asked, found.qrels, [path.name for path in reader.files()]]))
except DataError as error:
    print(error)
"""


def from_cache(home: Path, **options: Any) -> str:
    """In a process of its own: the library looks where its cache is once, when it is imported."""
    ended = subprocess.run(
        [sys.executable, "-c", READS, json.dumps(options)],
        env={**os.environ, "IR_DATASETS_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return ended.stdout.strip()


def vaswani(home: Path) -> Path:
    written(home / "vaswani" / "docs.txt", "1", "compact memories", "   /", "2", "analogue computer", "   /")
    written(home / "vaswani" / "queries.txt", "1", "DIELECTRIC", "/", "2", "COMPUTER", "/")
    written(home / "vaswani" / "qrels.txt", "1", " 1", "   /", "2", " 2 1", "   /")
    return home


def test_ir_datasets_from_its_cache(tmp_path: Path) -> None:
    documents, asked, qrels, files = json.loads(from_cache(vaswani(tmp_path), dataset="vaswani"))
    assert documents == {"1": "compact memories", "2": "analogue computer"}
    assert asked == {"1": "DIELECTRIC", "2": "COMPUTER"}
    assert qrels == {"1": {"1": 1}, "2": {"2": 1, "1": 1}}
    assert "docs.txt" in files


def test_ir_datasets_fetches_nothing(tmp_path: Path) -> None:
    told = from_cache(tmp_path, dataset="vaswani")
    assert "ir_datasets 'vaswani': a file of it is not in the cache" in told
    assert "run: ir_datasets export vaswani docs" in told
    assert "\n" not in told
    (vaswani(tmp_path) / "vaswani" / "qrels.txt").unlink()
    assert "not in the cache" in from_cache(tmp_path, dataset="vaswani")
    assert "has no data set 'vasvani'" in from_cache(tmp_path, dataset="vasvani")
    told = from_cache(vaswani(tmp_path), dataset={"train": "vaswani", "test": "msmarco-passage"})
    assert "ir_datasets 'msmarco-passage' has no queries; name a part that has" in told
