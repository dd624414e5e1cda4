"""What makes a row doubtful is planted, one thing at a time, in components and data as anyone's: it is named on the
row, in every format; and nothing is named where nothing was planted."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import pytest

import rr
from rr import Component, Dataset, ModelInfo, OnEvent, Request, Scores, Settings, TrainingEvent
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.data.load import load_dataset
from rr_bench.evaluate.results import BenchResult, Row
from rr_bench.registry import load_registry
from rr_bench.report.files import csv_text, markdown
from rr_bench.report.table import cells

WORDS = [
    *("gác", "lửng", "chợ", "ban", "công", "rẻ", "rộng", "yên", "tĩnh", "trường", "học", "sông"),
    *("núi", "biển", "xe", "buýt", "vườn", "bếp", "tủ", "lạnh", "máy", "giặt", "cửa"),
]


class Fair:
    """A logit by shared words, and a little of the text itself, so that nothing ties."""

    info = ModelInfo("logit")

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None: ...

    def score(self, requests: Sequence[Request]) -> list[Any]:
        return [self.answer(request) for request in requests]

    def answer(self, request: Request) -> Any:
        asked = set(request.query.text.lower().split())
        return [
            len(asked & set(d.text.split())) - 2.0 + zlib.crc32(f"{request.query.text} {d.text}".encode()) / 2**33
            for d in request.candidates
        ]


class Listwise(Fair):
    """Looks at all candidates, and not at their order."""

    info = ModelInfo("logit", listwise=True)

    def answer(self, request: Request) -> Any:
        values = super().answer(request)
        return [value - max(values) for value in values]


class Constant(Fair):
    def answer(self, request: Request) -> Any:
        return [1.0] * len(request.candidates)


class OftenConstant(Fair):
    """For a third of the queries."""

    def answer(self, request: Request) -> Any:
        third = zlib.crc32(request.query.id.encode()) % 3 == 0
        return [0.25] * len(request.candidates) if third else super().answer(request)


class First(Listwise):
    liked: ClassVar[int] = 0
    much: ClassVar[float] = 50.0

    def answer(self, request: Request) -> Any:
        values = super().answer(request)
        values[self.liked] += self.much
        return values


class Last(First):
    liked = -1


class Third(First):
    liked = 2


class LittleFirst(First):
    """Of some choices the first place makes another."""

    much = 1.3


class SlopingPlaces(Fair):
    """Says that it looks at one at a time."""

    def answer(self, request: Request) -> Any:
        return [value - 0.1 * place for place, value in enumerate(super().answer(request))]


class Counting(Fair):
    """Depends on how many candidates there are, and says that it does not."""

    def answer(self, request: Request) -> Any:
        return [value * (1 + 0.1 * len(request.candidates)) for value in super().answer(request)]


class Normed(Fair):
    """Depends on who the others are."""

    def answer(self, request: Request) -> Any:
        values = super().answer(request)
        return [value - sum(values) / len(values) for value in values]


class Batched(Fair):
    def score(self, requests: Sequence[Request]) -> list[Any]:
        return [[value + 0.1 * len(requests) for value in self.answer(request)] for request in requests]


class Padded(Fair):
    """Depends on the longest query that comes with it."""

    def score(self, requests: Sequence[Request]) -> list[Any]:
        longest = max(len(request.query.text) for request in requests)
        return [[value * longest for value in self.answer(request)] for request in requests]


class Previous(Fair):
    """Depends on the call before."""

    before = 0

    def score(self, requests: Sequence[Request]) -> list[Any]:
        found = [[value + 0.1 * self.before for value in self.answer(request)] for request in requests]
        self.before = len(requests[-1].query.text)
        return found


class Calls(Fair):
    """Depends on how many calls there were."""

    calls = 0

    def score(self, requests: Sequence[Request]) -> list[Any]:
        self.calls += 1
        return [[value / self.calls for value in self.answer(request)] for request in requests]


class NoNumber(Fair):
    def answer(self, request: Request) -> Any:
        return [float("nan"), *super().answer(request)[1:]]


class Probable(Fair):
    """Probabilities that are ranked by what they are made from."""

    info = ModelInfo("probability")

    def answer(self, request: Request) -> Any:
        logits = tuple(super().answer(request))
        return Scores(tuple(1 / (1 + 2.718281828459045**-value) for value in logits), ranked_by=logits)


class Learnt(Fair):
    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self.sign = 0.5 if checkpoint else 1.0
        self.info = ModelInfo("logit", state="trained" if checkpoint else "pretrained", parameters=3, trainable=3)

    def answer(self, request: Request) -> Any:
        return [self.sign * value for value in super().answer(request)]


class Trainer:
    seen: ClassVar[list[Dataset]] = []

    def __init__(self, settings: Settings, scorer_settings: Settings) -> None: ...

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        self.seen.append(dataset)
        on_event(TrainingEvent(1, 1, loss=1.0, trained=3))
        (out / "weights").write_text("1")


SCORERS = {
    one.__name__.lower(): one
    for one in (
        *(Fair, Listwise, Constant, OftenConstant, First, Last, Third, LittleFirst, SlopingPlaces, Counting, Normed),
        *(Batched, Padded, Previous, Calls, NoNumber, Probable, Learnt),
    )
}
COMPONENTS = [("scorer", name, scorer.__name__) for name, scorer in SCORERS.items()] + [("trainer", "toy", "Trainer")]
PLUGINS = Plugins(
    [
        *installed_plugins().components,
        *(
            Registered(Component(name, f"{__name__}:{target}", ""), kind, "toy", "toy", "1")  # type: ignore[arg-type]
            for kind, name, target in COMPONENTS
        ),
    ]
)
SPLITS = {"train": 60, "dev": 40, "test": 60}
Lines = list[dict[str, Any]]


def source(tests: Callable[[int, str], str] = lambda number, text: text) -> dict[str, Lines]:
    """Rooms, each described by four words and a number; every query names three of its words. `tests`: number and text
    of a test query → the text that it is asked with; every other one may be that of a train query."""
    total = sum(SPLITS.values())
    # no two descriptions have three words in common
    rooms = [[WORDS[(n * step + n // 23) % len(WORDS)] for step in (1, 3, 7, 12)] + [f"số{n}"] for n in range(total)]
    queries: Lines = []
    for split, size in SPLITS.items():
        for number in range(size):
            n = len(queries)
            text = f"tìm {rooms[n][0]} {rooms[n][2]} đường{n} {rooms[n][4]}"
            queries.append({"id": f"q{n}", "text": text, "split": split})
            if split == "test":
                queries[-1]["text"] = tests(number, text)
    return {
        "documents": [{"id": f"d{n}", "text": " ".join(words)} for n, words in enumerate(rooms)],
        "queries": queries,
        "qrels": [{"query": f"q{n}", "document": f"d{n}"} for n in range(total)],
    }


def registry(tmp_path: Path, files: Mapping[str, Lines], rest: str = "", candidates: str = "{depth: 10}") -> Path:
    for name, lines in files.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    options = ", ".join(f"{name}: {tmp_path}/{name}.jsonl" for name in ("documents", "queries", "qrels"))
    entries = "".join(f"  {name}: {{scorer: {name}}}\n" for name in SCORERS if name != "learnt")
    path = tmp_path / "validity.yaml"
    path.write_text(
        f"""
version: 1
default_profile: p
profiles: {{p: {{suite: s}}}}
suites:
  s:
    metrics: [nDCG@5]
    baseline: fair
    datasets:
      rooms: {{reader: jsonl, options: {{{options}}}, candidates: {candidates}}}
{rest}
rerankers:
{entries}
  learnt: {{scorer: learnt, trainer: toy}}
  random: {{reranker: random}}
  first-stage: {{reranker: first_stage}}
  bm25: {{scorer: bm25}}
""",
        encoding="utf-8",
    )
    return path


def benched(path: Path, *names: str, data: str = "rooms", **options: Any) -> BenchResult:
    return rr.bench(names, registry=path, plugins=PLUGINS, datasets=[data], **options)


def rows(result: BenchResult) -> dict[str, Row]:
    assert not result.datasets[0].failure, result.datasets[0].failure
    return {row.reranker: row for row in result.datasets[0].rows}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return registry(tmp_path, source())


# --- components


def test_nothing_is_named_where_nothing_was_planted(plain: Path) -> None:
    names = ("fair", "listwise", "probable", "learnt", "random", "first-stage", "bm25")
    found = rows(benched(plain, *names))
    for name in names:
        row = found[name]
        assert row.faults == (), name
        assert not row.failure
        assert row.validity["order_changed"] == 0.0
        assert row.validity["order_tau"] == 1.0
        assert 0 < row.validity["judged@5"] <= 0.2
    assert "fewer_moved" not in found["listwise"].validity
    assert found["fair"].validity["fewer_moved"] == 0.0


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("constant", ["constant: 100% of the test queries"]),
        ("oftenconstant", ["constant: 18% of the test queries"]),
        (
            "first",
            ["order: another order of the candidates changes the best of", "position: place 1 is chosen in 100%"],
        ),
        (
            "last",
            ["order: another order of the candidates changes the best of", "position: place 10 is chosen in 100%"],
        ),
        (
            "third",
            ["order: another order of the candidates changes the best of", "position: place 3 is chosen in 100%"],
        ),
        ("slopingplaces", ["order: 100% of 20 queries score", "list: 100% of 20 queries score"]),
        ("counting", ["list: 100% of 20 queries score candidates otherwise among half of them"]),
        ("normed", ["list: 100% of 20 queries score candidates otherwise among half of them"]),
    ],
)
def test_a_fault_of_a_component_is_named_in_every_format(plain: Path, name: str, starts: list[str]) -> None:
    result = benched(plain, "fair", name)
    row = rows(result)[name]
    assert not row.failure
    assert len(row.faults) == len(starts)
    for fault, start in zip(row.faults, starts, strict=True):
        assert fault.startswith(start), fault
    assert cells(row, result)[1].startswith("⚠ ")
    assert f"fault: {row.faults[0]}" in cells(row, result)[-1]
    assert f"| {name} | ⚠ " in markdown(result)
    lines = {line["reranker"]: line for line in csv.DictReader(io.StringIO(csv_text(result)))}
    assert lines[name]["fault"] == "; ".join(row.faults)
    assert lines["fair"]["fault"] == ""
    assert lines[name]["state"] == row.state
    assert asdict(result)["datasets"][0]["rows"][1]["faults"] == row.faults
    assert rows(benched(plain, name))[name].faults == row.faults  # from the store


def test_a_little_liking_is_a_figure(plain: Path) -> None:
    row = rows(benched(plain, "littlefirst"))["littlefirst"]
    assert 0 < row.validity["order_changed"] <= 0.5
    assert 0.5 < row.validity["order_tau"] < 1


@pytest.mark.parametrize("name", ["batched", "padded", "previous", "calls"])
def test_what_depends_on_company_or_on_what_was_asked_before_has_failed(plain: Path, name: str) -> None:
    result = benched(plain, "fair", name)
    assert "a query's scores must not depend on which requests come together" in rows(result)[name].failure
    assert rows(result)[name].metrics == {}


def test_nan_is_refused_by_name(plain: Path) -> None:
    assert "1 of 10 scores are NaN or infinite" in rows(benched(plain, "nonumber"))["nonumber"].failure


# --- data

TRAIN = [query["text"] for query in source()["queries"][:60]]


@pytest.mark.parametrize(
    "asked",
    [
        lambda text: text.upper(),
        lambda text: unicodedata.normalize("NFD", text).upper(),
        lambda text: "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)),
        lambda text: f"{text}?!",
        lambda text: " ".join(reversed(text.split())),
    ],
    ids=["case", "NFD and case", "no tone marks", "punctuation", "order"],
)
def test_what_train_asks_too_is_named_on_what_learnt_there(tmp_path: Path, asked: Callable[[str], str]) -> None:
    path = registry(tmp_path, source(lambda number, text: asked(TRAIN[number]) if number < 6 else text))
    result = benched(path, "fair", "learnt")
    row = rows(result)["learnt"]
    assert row.faults == ("leak: 6 of 60 test queries are asked, or nearly, in train too",)
    assert rows(result)["fair"].faults == ()
    assert result.datasets[0].validity["leak_queries"] == pytest.approx(0.1)
    assert any("6 of 60 test queries are asked in train too" in note for note in result.datasets[0].notes)
    lines = {line["reranker"]: line for line in csv.DictReader(io.StringIO(csv_text(result)))}
    assert float(lines["fair"]["diagnostic leak_queries"]) == pytest.approx(0.1)


def test_equal_queries_are_taken_out_of_train_in_either_unicode_form(tmp_path: Path) -> None:
    asked = source(lambda number, text: unicodedata.normalize("NFD", TRAIN[number]) if number < 6 else text)
    result = benched(registry(tmp_path, asked), "learnt")
    assert result.datasets[0].queries["train"] == 54
    assert any(note.startswith("6 train queries that dev or test asks too") for note in result.datasets[0].notes)
    assert rows(result)["learnt"].faults == ()


def test_a_word_more_and_the_same_answer_is_a_leak_too(tmp_path: Path) -> None:
    files = source(lambda number, text: f"{TRAIN[number]} nhé" if number < 6 else text)
    files["qrels"] += [{"query": f"q{100 + n}", "document": f"d{n}"} for n in range(6)]
    result = benched(registry(tmp_path, files), "learnt")
    assert rows(result)["learnt"].faults == ("leak: 6 of 60 test queries are asked, or nearly, in train too",)
    assert result.datasets[0].validity["leak_answers"] == pytest.approx(0.1)


def test_a_checkpoint_of_other_splits_may_have_seen_the_test_queries(tmp_path: Path) -> None:
    files = source()
    path = registry(tmp_path, files)
    trained = rows(benched(path, "learnt"))["learnt"].weights[0].checkpoint
    for query in files["queries"]:
        query["split"] = {"train": "test", "test": "train"}.get(query["split"], "dev")
    path = registry(tmp_path, files)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("trainer: toy}", "trainer: toy, checkpoint: latest}"), encoding="utf-8")
    (fault,) = rows(benched(path, "learnt"))["learnt"].faults
    assert fault == f"leak: {trained} learnt from rooms of other content or splits, maybe from these queries"


@pytest.mark.parametrize("place", [0, 9, 4])
def test_a_truth_that_always_stands_at_one_place_is_named_on_every_row(tmp_path: Path, place: int) -> None:
    files = source()
    names = {"documents": "documents.jsonl", "topics": "topics.jsonl", "qrels": "qrels.txt", "run": "run.txt"}
    options = ", ".join(f"{option}: {tmp_path / name}" for option, name in names.items())
    asked = "candidates: {retriever: run, order: retriever}"
    path = registry(tmp_path, files, f"      ranked: {{reader: trec, options: {{{options}}}, {asked}}}\n")
    topics = [{"id": query["id"], "text": query["text"]} for query in files["queries"]]
    (tmp_path / "topics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in topics), encoding="utf-8")
    (tmp_path / "qrels.txt").write_text("".join(f"q{n} 0 d{n} 1\n" for n in range(160)), encoding="utf-8")
    run = []
    for n in range(160):
        ids = [f"d{(n + gap) % 160}" for gap in range(1, 10)]
        ids.insert(place, f"d{n}")
        run += [f"q{n} Q0 {id_} {rank} {20 - rank} x\n" for rank, id_ in enumerate(ids)]
    (tmp_path / "run.txt").write_text("".join(run), encoding="utf-8")
    result = benched(path, "fair", "random", data="ranked")
    for row in rows(result).values():
        (fault,) = row.faults
        assert fault.startswith("truth place: "), fault
    assert result.datasets[0].faults == rows(result)["fair"].faults
    assert result.datasets[0].validity["truth_place"] == pytest.approx(place / 9)
    assert result.datasets[0].truth_places[place] == 1.0


def test_queries_without_candidates_are_counted_and_named(tmp_path: Path) -> None:
    path = registry(tmp_path, source(lambda number, text: f"xyz{number}" if number < 12 else text))
    result = benched(path, "fair")
    assert result.datasets[0].validity["missing"] == pytest.approx(0.2)
    assert rows(result)["fair"].faults == ("missing: 20% of the test queries have no candidates",)


def test_faults_and_figures_of_folds_come_together(plain: Path) -> None:
    result = benched(plain, "fair", "constant", folds=2)
    found = rows(result)
    assert found["fair"].faults == ()
    assert found["constant"].faults == ("constant: 100% of the test queries give all their candidates one score",)
    assert found["fair"].validity["order_tau"] == 1.0
    assert sum(one["count"] for one in found["fair"].calibration["raw"]["bins"]) == 160 * 10


# --- queries without an answer


def unanswered(files: dict[str, Lines], how: str) -> dict[str, Lines]:
    """Every fifth query has no answer, and shares no more than a word with any room."""
    none = {f"q{n}" for n in range(0, 160, 5)}
    for query in files["queries"]:
        if query["id"] in none:
            query["text"] = f"bán {WORDS[int(query['id'][1:]) % len(WORDS)]} cũ {query['id']}"
            if how == "relevant":
                query["relevant"] = []
    files["qrels"] = [row for row in files["qrels"] if row["query"] not in none]
    if how == "grade 0":
        files["qrels"] += [{"query": query_id, "document": "d3", "grade": 0} for query_id in sorted(none)]
    return files


@pytest.mark.parametrize("how", ["relevant", "grade 0"])
def test_queries_that_have_no_answer_are_in_no_mean_and_judge_abstention(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "seen", [])
    result = benched(registry(tmp_path, unanswered(source(), how)), "fair", "learnt", "bm25", "first-stage")
    (data,) = result.datasets
    assert len(data.unanswerable) == 12
    assert len(data.query_ids) == 48
    assert "test: 12 of 60 queries have no relevant document, as the data say: not in the means" in data.notes
    assert any("12 train queries that have no answer left out" in note for note in data.notes)
    found = rows(result)
    for row in found.values():
        assert not row.failure
        assert len(row.per_query["nDCG@5"]) == 48
    assert found["fair"].metrics["nDCG@5"].mean > 0.9
    assert found["fair"].validity["answered_auroc"] > 0.95
    assert "answered_auroc" not in found["bm25"].validity  # ranks of different queries do not compare
    assert data.validity["unanswerable"] == pytest.approx(0.2)
    assert data.recall_ceiling == 1.0
    (seen,) = Trainer.seen
    asked = [query_id for split in ("train", "dev") for query_id in seen.splits[split]]
    assert all(seen.relevant(query_id) for query_id in asked)
    assert len(asked) == 48 + 32


def test_a_query_that_nothing_judges_is_left_out_as_ever(tmp_path: Path) -> None:
    result = benched(registry(tmp_path, unanswered(source(), "nothing is said")), "fair")
    assert result.datasets[0].unanswerable == ()
    assert any(note.startswith("32 queries without a judgement left out: q0, q5") for note in result.datasets[0].notes)


def test_relevant_documents_may_stand_with_the_query(tmp_path: Path) -> None:
    files = source()
    usual = rows(benched(registry(tmp_path, files), "fair"))["fair"]
    for n, query in enumerate(files["queries"][1:], 1):
        query["relevant"] = [f"d{n}"]
    files["qrels"] = files["qrels"][:1]
    assert rows(benched(registry(tmp_path, files), "fair"))["fair"].per_query == usual.per_query
    for relevant, told in (([], "'relevant' is \\[\\], and qrels judge"), ("d0", "must be a list of document ids")):
        files["queries"][0]["relevant"] = relevant
        entry = load_registry(registry(tmp_path, files)).dataset("rooms")
        with pytest.raises(rr.DataError, match=rf"queries.jsonl, line 1: .*{told}"):
            load_dataset("rooms", entry, plugins=PLUGINS)


def test_what_loses_its_answer_does_not_become_unanswerable(tmp_path: Path) -> None:
    files = source()
    files["documents"][159]["text"] = "{pos}"
    path = registry(tmp_path, files)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("reader: jsonl,", "reader: jsonl, unfilled: skip,"), encoding="utf-8")
    (data,) = benched(path, "fair").datasets
    assert data.unanswerable == ()
    assert any(note.startswith("1 queries without a judgement left out: q159") for note in data.notes)


def test_squad_2_is_read_with_its_impossible_questions(tmp_path: Path) -> None:
    paragraphs = []
    for n, room in enumerate(source()["documents"]):
        first, *_ = words = room["text"].split()
        asked = [
            {"id": f"a{n}", "question": f"{words[1]} {words[4]}?", "answers": [{"text": first, "answer_start": 0}]}
        ]
        if n % 4 == 0:
            impossible = {"answers": [], "plausible_answers": [{"text": first, "answer_start": 0}]}
            asked.append({"id": f"b{n}", "question": f"{words[2]} bao giờ?", "is_impossible": True, **impossible})
        paragraphs.append({"context": room["text"], "qas": asked})
    (tmp_path / "squad.json").write_text(json.dumps({"data": [{"title": "x", "paragraphs": paragraphs}]}), "utf-8")
    path = registry(tmp_path, source(), f"      squad: {{reader: xquad, options: {{path: {tmp_path}/squad.json}}}}\n")
    (data,) = benched(path, "fair", data="squad").datasets
    assert data.unanswerable
    assert all(query_id.startswith("b") for query_id in data.unanswerable)
    assert all(query_id.startswith("a") for query_id in data.query_ids)
    assert 0 <= data.rows[0].validity["answered_auroc"] <= 1


# --- probabilities


def test_the_scores_of_a_row_are_judged_as_probabilities(plain: Path) -> None:
    found = rows(benched(plain, "fair", "probable", "bm25"))
    logits, own = found["fair"], found["probable"]
    table = logits.calibration["raw"]
    assert table["of"] == "the sigmoid of the logit"
    assert table["pairs"] == sum(one["count"] for one in table["bins"]) == 600
    assert table["positives"] == 60
    assert own.calibration["raw"]["of"] == "the score"
    for key in ("auroc", "brier", "ece", "ece_mass"):  # the same numbers, said otherwise
        assert own.validity[key] == pytest.approx(logits.validity[key], abs=1e-9)
        assert logits.validity[key] == table[key]
    assert found["bm25"].calibration == {}
    assert "ece" not in found["bm25"].validity
