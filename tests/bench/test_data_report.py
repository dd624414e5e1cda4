"""The report of a data set: each oddity, planted, is found and said; and none is where none was planted."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.data.collection import Collection
from rr.types import Dataset, Document, HardNegative, Query
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.data.report import data_report
from rr_bench.data.report_notes import report_notes
from rr_bench.data.store import read_dataset, write_dataset
from rr_bench.data.texts import mojibake, near
from rr_bench.data.view import shown, without_test
from rr_bench.registry import load_registry
from tests.bench.test_splits_and_candidates import candidate_plan, split_plan
from tests.conftest import ROOT, Rr
from tests.preparing import prepare

SIZES = {"train": 60, "dev": 30, "test": 40}
CANDIDATES = 20
KEYS = {
    *("sizes", "documents", "ceilings", "missing_truth", "overlap", "duplicates", "target_in_history", "history"),
    *("history_repeats", "candidates", "distinct_candidates", "most_common_candidate", "words", "truth_places"),
    *("truth_first", "truth_expected", "mojibake", "weights", "words_auc", "first_stage_auc", "history_auc"),
    *("auc_queries", "relevant", "popular_target", "unanswerable"),
}


def rooms(sequential: bool = False, seed: int = 0) -> Dataset:
    """As it should be: every query shares its words with the one relevant document, which stands anywhere among its
    candidates; with histories, items come in thirteen kinds, and the target is of the kind that the history is of."""
    generator = random.Random(seed)
    splits, start = {}, 0
    for split, size in SIZES.items():
        splits[split] = tuple(f"q{number}" for number in range(start, start + size))
        start += size
    documents = {f"d{n}": Document(f"d{n}", f"phòng số{n} đường tên{n} có gác") for n in range(start)}
    queries, candidates, first_stage, qrels = {}, {}, {}, {}
    for number in range(start):
        query_id, target = f"q{number}", f"d{number}"
        kind = [f"d{n}" for n in range(number % 13, start, 13) if n != number]
        history = tuple(documents[id_] for id_ in generator.sample(kind, 4)) if sequential else ()
        met = {target, *(item.id for item in history)}
        found = [target, *generator.sample([id_ for id_ in documents if id_ not in met], CANDIDATES - 1)]
        generator.shuffle(found)
        queries[query_id] = Query(query_id, f"tìm phòng số{number} ở đường tên{number}", history)
        candidates[query_id] = tuple(found)
        first_stage[query_id] = tuple(float(id_ == target) + generator.random() for id_ in found)
        qrels[query_id] = {target: 1}
    empty: dict[str, Any] = {"hard_negatives": {}, "retriever": "bm25", "protocol": "end-to-end", "notes": ()}
    return Dataset("rooms", documents, queries, qrels, splits, candidates, first_stage, **empty, fingerprint="")


def asking(dataset: Dataset, texts: Mapping[str, str]) -> Dataset:
    queries = {q: replace(query, text=texts.get(q, query.text)) for q, query in dataset.queries.items()}
    return replace(dataset, queries=queries)


def with_texts(dataset: Dataset, texts: Mapping[str, str]) -> Dataset:
    return replace(dataset, documents={**dataset.documents, **{id_: Document(id_, t) for id_, t in texts.items()}})


def ordered(dataset: Dataset, split: str, place: Callable[[int], int]) -> Dataset:
    """The truth of the split's queries at `place(number of candidates)`."""
    candidates = dict(dataset.candidates)
    for query_id in dataset.splits[split]:
        (truth,) = dataset.qrels[query_id]
        others = [id_ for id_ in candidates[query_id] if id_ != truth]
        others.insert(place(len(others)), truth)
        candidates[query_id] = tuple(others)
    return replace(dataset, candidates=candidates)


def judged(dataset: Dataset, qrels: Mapping[str, Mapping[str, int]]) -> Dataset:
    return replace(dataset, qrels={**dataset.qrels, **qrels})


def notes_of(dataset: Dataset) -> list[str]:
    report = data_report(dataset)
    assert set(report) == KEYS
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    return report_notes(report)


# nothing where nothing is


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_of_a_data_set_as_it_should_be_there_is_nothing_to_say(sequential: bool, seed: int) -> None:
    dataset = rooms(sequential, seed)
    report = data_report(dataset)
    assert notes_of(dataset) == []
    assert report["sizes"] == SIZES
    assert report["ceilings"] == {split: dataset.recall_ceiling(split) for split in SIZES}
    assert report["missing_truth"] == dict.fromkeys(SIZES, 0.0)
    assert report["relevant"] == dict.fromkeys(SIZES, 1.0)
    assert report["candidates"]["dev"] == dict.fromkeys(("min", "q25", "median", "q75", "max"), float(CANDIDATES))
    assert report["auc_queries"] == SIZES
    assert min(report["words_auc"].values()) == 1.0
    assert min(report["first_stage_auc"].values()) > 0.95
    assert report["truth_expected"] == dict.fromkeys(SIZES, pytest.approx(1 / CANDIDATES))
    assert {split: sum(tenths) for split, tenths in report["truth_places"].items()} == pytest.approx(
        dict.fromkeys(SIZES, 1)
    )
    if sequential:
        assert min(report["history_auc"].values()) > 0.6
        assert report["history"]["test"] == {**dict.fromkeys(("min", "q25", "median", "q75", "max"), 4.0), "empty": 0.0}
    else:
        assert report["history"] == report["history_auc"] == report["target_in_history"] == {}


@pytest.mark.parametrize("name", ["helpdesk", "rentals", "films"])
def test_of_the_embedded_data_sets_there_is_nothing_to_say(name: str) -> None:
    dataset = load_dataset(name, load_registry(ROOT / "registry.yaml").dataset(name))
    assert set(dataset.report) == KEYS
    assert report_notes(dataset.report) == []
    assert dataset.report["mojibake"] == {"documents": 0.0, "queries": 0.0}
    assert bool(dataset.report["first_stage_auc"]) == (name != "films"), "under oracle a score tells the truth"


# what is planted is found


def near_query(change: Callable[[str], str]) -> Callable[[], Dataset]:
    return lambda: asking(rooms(), {"q95": change(rooms().queries["q3"].text)})


def no_marks(text: str) -> str:
    parts = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(part for part in parts if not unicodedata.combining(part))


def with_met(dataset: Dataset, by: str) -> Dataset:
    """The target of q100 among its history: under its id, or its text under another."""
    met = dataset.documents["d100"] if by == "id" else Document("copy", dataset.documents["d100"].text)
    query = dataset.queries["q100"]
    queries = {**dataset.queries, "q100": replace(query, history=(*query.history, met))}
    return replace(dataset, queries=queries, documents={**dataset.documents, met.id: met})


def permuted(dataset: Dataset, split: str) -> Dataset:
    """Every query's relevant document is any one of its candidates."""
    generator = random.Random(1)
    return judged(dataset, {q: {generator.choice(dataset.candidates[q]): 1} for q in dataset.splits[split]})


def unfound(dataset: Dataset, split: str) -> Dataset:
    candidates = {q: tuple(id_ for id_ in ids if id_ not in dataset.qrels[q]) for q, ids in dataset.candidates.items()}
    kept = {q: candidates[q] if q in dataset.splits[split] else ids for q, ids in dataset.candidates.items()}
    return replace(dataset, candidates=kept, first_stage={q: (0.5,) * len(ids) for q, ids in kept.items()})


def few_dev(count: int) -> Dataset:
    dataset = rooms()
    return replace(dataset, splits={**dataset.splits, "dev": dataset.splits["dev"][:count]})


def same_steps() -> Dataset:
    """Every test query ends as a train query does, with another history before."""
    dataset = rooms(sequential=True)
    qrels, queries = dict(dataset.qrels), dict(dataset.queries)
    for test, train in zip(dataset.splits["test"], dataset.splits["train"], strict=False):
        queries[test] = replace(queries[test], history=(*queries[test].history[:2], queries[train].history[-1]))
        qrels[test] = qrels[train]
    return replace(dataset, queries=queries, qrels=qrels)


HOW = "but for case, accents, punctuation or the order of words"
NEAR = f"1 of 40 test queries are asked in train too {HOW}"
PLANTED: dict[str, tuple[Callable[[], Dataset], str]] = {
    "equal queries": (near_query(str), "1 of 40 test queries are asked in train too"),
    "near: case": (near_query(str.upper), NEAR),
    "near: no tone marks": (near_query(no_marks), NEAR),
    "near: punctuation": (near_query(lambda text: text.replace(" ", ", ") + "?!"), NEAR),
    "near: order": (near_query(lambda text: " ".join(text.split()[::-1])), NEAR),
    "near: dev": (
        lambda: asking(rooms(), {"q61": "Ở đường tên7, tìm phòng số7"}),
        NEAR.replace("40 test", "30 dev"),
    ),
    "near documents": (
        lambda: with_texts(rooms(), {"d5": "Phong so6, duong ten6: co gac!"}),
        "2 documents differ from another in",
    ),
    "target in history, by id": (
        lambda: with_met(rooms(True), "id"),
        "test: 2.5% of the queries with a history have a relevant document in it",
    ),
    "target in history, by text": (
        lambda: with_met(rooms(True), "text"),
        "test: 2.5% of the queries with a history have a relevant document in it",
    ),
    "steps of train": (same_steps, "40 of 40 test queries end as in train: last item, then target"),
    "broken documents": (
        lambda: with_texts(rooms(), {"d5": "phÃ²ng trá»\x8d"}),
        "0.8% of the documents hold text whose encoding was read wrongly",
    ),
    "broken queries": (
        lambda: asking(rooms(), {"q5": "ph\ufffdng"}),
        "0.8% of the queries hold text whose encoding was read wrongly",
    ),
    "dev ceiling": (
        lambda: unfound(rooms(), "dev"),
        "no dev query has a relevant candidate: a selection on it is by chance",
    ),
    "train ceiling": (lambda: unfound(rooms(), "train"), "no train query has a relevant candidate"),
    "one dev query": (lambda: few_dev(1), "dev holds 1 query: a selection on it rests on little"),
    "few dev queries": (lambda: few_dev(4), "dev holds 4 queries: a selection on it rests on little"),
    "first": (
        lambda: ordered(rooms(), "test", lambda others: 0),
        "test: the first candidate of 100% of the queries is relevant, 5% by chance",
    ),
    "last": (lambda: ordered(rooms(), "dev", lambda others: others), "dev: 100% of the relevant candidates stand in"),
    "middle": (
        lambda: ordered(rooms(), "train", lambda others: others // 2),
        "train: 100% of the relevant candidates stand in one tenth of their lists, number 5",
    ),
    "permuted test": (
        lambda: permuted(rooms(), "test"),
        "test: shared words rank relevant candidates by chance or worse",
    ),
    "permuted train": (
        lambda: permuted(rooms(), "train"),
        "train: the first stage ranks relevant candidates by chance",
    ),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_said(kind: str) -> None:
    make, note = PLANTED[kind]
    told = notes_of(make())
    assert any(one.startswith(note) for one in told), told
    assert len(told) <= 2 + (kind == "steps of train"), told


def test_overlaps_count_equal_near_and_known_targets_apart() -> None:
    dataset = asking(rooms(), {"q90": "tìm  phòng số1 ở đường tên1", "q91": "PHÒNG SỐ2 tìm ở đường tên2", "q92": "số3"})
    found = data_report(judged(dataset, {"q91": {"d2": 1}}))["overlap"]
    assert found["train/test"] == {"equal": 1, "near": 1, "targets": 1, "similar": 0, "answers": 1, "of": 40}
    assert found["dev/test"] == {"equal": 0, "near": 0, "targets": 0, "similar": 0, "answers": 0, "of": 40}
    # a text is a question of its own after each history
    sequential = asking(rooms(True), {"q90": "tìm phòng số1 ở đường tên1"})
    assert data_report(sequential)["overlap"]["train/test"]["equal"] == 0


def test_copies_and_near_copies_of_documents_are_counted_apart() -> None:
    texts = {"d1": "phòng rẻ", "d2": "phòng  rẻ", "d3": "Phòng rẻ!", "d4": "", "d5": " ", "d6": "?"}
    found = data_report(with_texts(rooms(), texts))["duplicates"]
    assert found == {"documents": 2, "positives": 2, "near": 3}
    both = judged(with_texts(rooms(), texts), {"q1": {"d1": 1, "d2": 2}, "q2": {"d1": 1, "d2": 0}})
    assert data_report(both)["duplicates"]["positives"] == 1


def test_weights_of_hard_negatives() -> None:
    first = (HardNegative("d2", ("price", "area"), 3.5), HardNegative("d3"))
    negatives = {"q1": first, "q2": (HardNegative("d1", ("price",), 0.0),)}
    found = data_report(replace(rooms(), hard_negatives=negatives))["weights"]
    types = {"price": 2, "area": 1}
    assert found == {"negatives": 3, "min": 0.0, "max": 3.5, "zero": 1 / 3, "types": types, "untyped": 1}
    assert data_report(rooms())["weights"] == {}


def test_candidates_and_targets_that_are_always_the_same_show() -> None:
    dataset = rooms()
    candidates = {q: ("d0", *(id_ for id_ in ids if id_ != "d0"))[:CANDIDATES] for q, ids in dataset.candidates.items()}
    found = data_report(replace(dataset, candidates=candidates))
    assert found["most_common_candidate"] == dict.fromkeys(SIZES, 1.0)
    assert data_report(dataset)["most_common_candidate"]["test"] < 0.5
    one = judged(dataset, {q: {"d0": 1} for q in dataset.splits["dev"]})
    assert data_report(one)["popular_target"] == {"train": 1 / 60, "dev": 1.0, "test": 1 / 40}
    few = replace(dataset, candidates=dict.fromkeys(dataset.queries, ("d1", "d2")))
    assert data_report(few)["distinct_candidates"]["test"] == 2 / 80


def test_repeats_and_empty_histories() -> None:
    dataset = rooms(True)
    item = dataset.documents["d1"]
    queries = {**dataset.queries, "q90": Query("q90", "a", (item,) * 4), "q91": Query("q91", "b")}
    found = data_report(replace(dataset, queries=queries))
    assert found["history"]["test"]["empty"] == 1 / 40
    assert found["history"]["test"]["min"] == 0
    assert found["history_repeats"] == pytest.approx(0.75 / 129)


# labels


def test_met_together_leaves_the_query_itself_out() -> None:
    """Otherwise every train target has been met with its history once, and alone."""
    generator = random.Random(3)
    dataset = rooms()
    items = [dataset.documents[id_] for id_ in dataset.documents]
    queries = {q: Query(q, "x", tuple(generator.sample(items, 3))) for q in dataset.queries}
    aucs = data_report(replace(dataset, queries=queries))["history_auc"]
    assert all(abs(auc - 0.5) < 0.15 for auc in aucs.values()), aucs
    # nor does another query of its group tell
    twins = {q: f"{int(q[1:]) // 2}" for q in queries}
    doubled = {q: replace(query, history=queries[f"q{int(q[1:]) // 2 * 2}"].history) for q, query in queries.items()}
    qrels = {q: {f"d{int(q[1:]) // 2 * 2}": 1} for q in queries}
    alike = replace(dataset, queries=doubled, qrels=qrels)
    candidates = {q: tuple(dict.fromkeys([*qrels[q], *ids])) for q, ids in dataset.candidates.items()}
    alike = replace(alike, candidates=candidates, first_stage={q: (0.0,) * len(c) for q, c in candidates.items()})
    assert data_report(alike)["history_auc"]["train"] > 0.9
    assert data_report(replace(alike, groups=twins))["history_auc"]["train"] < 0.65


def test_aucs_are_of_at_most_500_queries_the_same_every_time() -> None:
    dataset = rooms()
    many = {f"r{n}": Query(f"r{n}", f"tìm phòng số{n % 130}") for n in range(1200)}
    from_room = {id_: dataset.queries[f"q{int(id_[1:]) % 130}"].id for id_ in many}
    grown = replace(
        dataset,
        queries=many,
        qrels={id_: dataset.qrels[q] for id_, q in from_room.items()},
        splits={"test": tuple(many)},
        candidates={id_: dataset.candidates[q] for id_, q in from_room.items()},
        first_stage={id_: dataset.first_stage[q] for id_, q in from_room.items()},
    )
    found = data_report(grown)
    assert found["auc_queries"] == {"test": 500}
    assert found == data_report(grown)


# encoding

REAL = [
    "Phòng trọ giá rẻ gần Đại học Bách khoa, có gác lửng; điện 3k5/số – «cá»… “ổn định”",
    "Ước gì được ở quận Bình Thạnh? Từ đó tới Thủ Đức xa lắm ạ. Ấy là chữ “Â”, chữ «Ă»",
    "Où est l’œuf ? À la Noël, ça coûte 20 €… « terminé\u00a0»",
    "terminé\u00a0»",
    "NESCAFÉ® et L’ORÉAL™",
    "NESCAFÉ®",
    "10 Å³, 5 Å–6 Å",
    "Straße, Ärger, Öl; “È”; ESPAÑA, MAÇÃ",
    "こんにちは 世界, привет, γειά, שלום, مرحبا",
]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("text", REAL)
def test_real_text_is_not_taken_for_broken(text: str, form: Any) -> None:
    assert not mojibake(unicodedata.normalize(form, text))
    assert not any(mojibake(unicodedata.normalize(form, word)) for word in text.split(" "))


BROKEN = [
    "Élève très doué",
    "cœur",
    "Thủ Đức",
    "được",
    "ở",
    "ộ",
    "«très»",
    "It’s",
    "100 °C",
    "20 €",
    "français",
    "Łódź",
]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("text", BROKEN)
def test_utf_8_read_as_something_else_is_found(text: str, form: Any, encoding: str) -> None:
    raw = unicodedata.normalize(form, text).encode()
    read = "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in raw)
    assert mojibake(unicodedata.normalize("NFC", read))


@pytest.mark.parametrize("run", ["Ã¡", "áº", "Æ°", "Ä‘", "â€™", "\ufffd", "ï»¿"])
def test_a_broken_run_is_found_in_good_text(run: str) -> None:
    assert mojibake(f"Phòng ở quận Bình Thạnh {run} được")


def test_near_copies() -> None:
    assert near("Thủ đô của Việt-Nam là gì?") == near("GI LA: thu do, cua viet nam")
    assert near("phòng 3") != near("phòng 2")
    assert near("?!") != near("!?")
    assert near("किताब") != near("कतब"), "a vowel sign is no accent"


# where it goes


def test_it_is_stored_and_is_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    dataset = load_dataset("helpdesk", load_registry(ROOT / "registry.yaml").dataset("helpdesk"))
    write_dataset(dataset, tmp_path / "kept")
    assert read_dataset(tmp_path / "kept") == dataset
    write_dataset(replace(dataset, report={}), tmp_path / "other")
    assert read_dataset(tmp_path / "other").fingerprint == dataset.fingerprint


def test_trainers_get_nothing_of_test_and_oracle_keeps_the_rest() -> None:
    dataset = rooms(True)
    other = asking(judged(dataset, {q: {"d1": 1, "d2": 1} for q in dataset.splits["test"]}), {"q95": "\ufffd a" * 50})
    changed = {**other.candidates, **dict.fromkeys(dataset.splits["test"], ("d1", "d3"))}
    other = replace(other, candidates=changed, hard_negatives={"q99": (HardNegative("d1"),)})
    first, second = (replace(one, report=data_report(one), protocol="oracle") for one in (dataset, other))
    assert first.report != second.report
    assert without_test(first).report == without_test(second).report
    assert "test" not in json.dumps(without_test(first).report)
    assert without_test(first).report["ceilings"].keys() == {"train", "dev"}
    assert shown(first).report == first.report


def test_folds_have_a_report_of_their_own_splits() -> None:
    folds = load_folds("helpdesk", load_registry(ROOT / "registry.yaml").dataset("helpdesk"), 3)
    for fold in folds:
        assert fold.report["sizes"] == {split: len(ids) for split, ids in fold.splits.items()}
        assert fold.report == json_like(data_report(fold))
    assert len({fold.fingerprint for fold in folds}) == 3


def json_like(report: Mapping[str, Any]) -> Mapping[str, Any]:
    return replace(rooms(), report=report).report


def test_notes_of_a_prepared_data_set_hold_them_once() -> None:
    documents = {f"d{n}": Document(f"d{n}", f"phòng {n}") for n in range(20)}
    queries = {f"q{n}": Query(f"q{n}", f"phòng {n}" if n != 19 else "PHONG: 0") for n in range(20)}
    qrels = {f"q{n}": {f"d{n}": 1} for n in range(20)}
    splits = {"train": [f"q{n}" for n in range(8)], "dev": ["q8"], "test": [f"q{n}" for n in range(9, 20)]}
    collection = Collection(documents, queries, qrels, splits)
    dataset = prepare("rooms", collection, split_plan(), candidate_plan(depth=5))
    assert dataset.notes == (
        f"1 of 11 test queries are asked in train too {HOW}",
        "dev holds 1 query: a selection on it rests on little",
    )
    assert dataset.report == json_like(data_report(dataset))


def test_it_is_shown(rr_command: Rr, small_registry: Path) -> None:
    shown = rr_command("data", "show", "rooms", "--registry", small_registry)
    assert shown.returncode == 0, shown.stderr
    assert "  overlap: train/dev (equal 0, near 0, targets 0, similar 0, answers " in shown.stdout
    assert "  words: queries (min 4" in shown.stdout


# odd data

EMPTY: dict[str, Any] = {"hard_negatives": {}, "retriever": "run", "protocol": "end-to-end", "notes": ()}


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_no_data_set_is_too_odd(data: st.DataObject) -> None:
    texts = st.sampled_from(["", " ", "?", "a", "A!", "phòng", "phong", "\ufffd", "Ã¡", "a b", "b a"])
    documents = {f"d{n}": Document(f"d{n}", data.draw(texts)) for n in range(data.draw(st.integers(0, 4)))}
    ids = [*documents, "absent"]
    queries, qrels, candidates, first_stage = {}, {}, {}, {}
    for number in range(data.draw(st.integers(0, 5))):
        id_ = f"q{number}"
        history = data.draw(st.lists(st.sampled_from([*documents.values()]), max_size=3)) if documents else []
        queries[id_] = Query(id_, data.draw(texts), tuple(history))
        qrels[id_] = data.draw(st.dictionaries(st.sampled_from(ids), st.integers(0, 2), max_size=3))
        candidates[id_] = tuple(data.draw(st.lists(st.sampled_from([*documents]), unique=True)) if documents else ())
        first_stage[id_] = tuple(data.draw(st.sampled_from([0.0, 1.0])) for _ in candidates[id_])
    place = {id_: data.draw(st.sampled_from(["train", "dev", "test"])) for id_ in queries}
    names = {*place.values(), *data.draw(st.sets(st.sampled_from(["train", "dev", "test"])))}
    splits = {name: tuple(id_ for id_ in queries if place[id_] == name) for name in sorted(names)}
    dataset = Dataset("odd", documents, queries, qrels, splits, candidates, first_stage, **EMPTY, fingerprint="")
    notes: Iterable[str] = notes_of(dataset)
    assert all(notes)
    shares: Sequence[str] = ("missing_truth", "popular_target", "most_common_candidate", "truth_first", "words_auc")
    report = data_report(dataset)
    assert all(0 <= value <= 1 for key in shares for value in report[key].values())
    without_test(replace(dataset, splits={"train": (), "dev": (), **splits}, report=report))
