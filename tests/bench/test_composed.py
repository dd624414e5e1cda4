"""Entries made of others, as rows of a bench, in the command and in Python: each member computed once, and what goes
wrong with one is said of the whole."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import rr
from rr import Component, Dataset, ModelInfo, OnEvent, Request, Settings, TrainingEvent
from rr.errors import RegistryError, RerankError
from rr.files import home
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr_bench.entries import Failure, chosen_entries
from rr_bench.evaluate.results import Row
from rr_bench.registry import load_registry
from rr_bench.report.files import csv_text, markdown
from tests.conftest import Rr


class Counting:
    """Length of the text, times what its settings say; counts each pair that it scores, and what it was shown."""

    seen: ClassVar[Counter[tuple[float, str, str]]] = Counter()
    shown: ClassVar[list[tuple[float, int, bool]]] = []

    class Settings(Settings):
        times: float = 1.0

    def __init__(self, settings: Any, checkpoint: Path | None = None) -> None:
        self._times = settings.times * (float((checkpoint / "weights").read_text()) if checkpoint else 1.0)
        state = "trained" if checkpoint else "pretrained"
        self.info = ModelInfo("logit", state=state, parameters=10, trainable=4, notes=(f"times {self._times:g}",))

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        for one in requests:
            self.shown.append((self._times, len(one.candidates), one.first_stage is not None))
            self.seen.update((self._times, one.query.id, document.id) for document in one.candidates)
        return [
            [self._times * (len(d.text) + len(set(d.text) & set(r.query.text))) for d in r.candidates] for r in requests
        ]


class Breaks(Counting):
    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        raise ZeroDivisionError("no more")


class Trainer:
    trained: ClassVar[list[str]] = []

    class Settings(Settings):
        by: float = 2.0

    def __init__(self, settings: Any, scorer_settings: Any) -> None:
        self._by = settings.by

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        self.trained.append(dataset.name)
        on_event(TrainingEvent(1, 1, loss=1.0, trained=3))
        (out / "weights").write_text(str(self._by))


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.setattr(Counting, "seen", Counter())
    monkeypatch.setattr(Counting, "shown", [])
    monkeypatch.setattr(Trainer, "trained", [])
    rows = [("scorer", "counting", "Counting"), ("scorer", "breaks", "Breaks"), ("trainer", "by", "Trainer")]
    return Plugins(
        [
            *installed_plugins().components,
            *(
                Registered(Component(name, f"{__name__}:{target}", ""), kind, "toy", "toy", "1")  # type: ignore[arg-type]
                for kind, name, target in rows
            ),
        ]
    )


MEMBERS = """
  a: {scorer: counting}
  b: {scorer: counting, settings: {times: -1}}
  learns: {scorer: counting, trainer: by}
  broken: {scorer: breaks}
"""


def registry_with(path: Path, *entries: str) -> Path:
    text = path.read_text(encoding="utf-8") + MEMBERS + "".join(f"  {entry}\n" for entry in entries)
    path.write_text(text, encoding="utf-8")
    return path


def bench(path: Path, plugins: Plugins, *names: str, **options: Any) -> dict[str, Row]:
    found = rr.bench(names, registry=path, plugins=plugins, **options)
    assert not found.datasets[0].failure
    return {row.reranker: row for row in found.datasets[0].rows}


# --- computed once


def test_a_member_is_scored_once_however_many_rows_it_is_in(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "both: {fuse: [a, b]}", "more: {fuse: [both, a], method: combsum}")
    bench(path, plugins, "a", "b")
    alone = Counting.seen.copy()
    assert {times for times, _, _ in alone} == {1.0, -1.0}
    found = bench(path, plugins, "both", "more", "a", "b")
    assert Counting.seen == alone, "nothing of it is scored, or timed, again"
    assert all(row.scores_from_store for row in found.values())


def test_a_fusion_that_comes_first_leaves_its_members_nothing_to_do(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "both: {fuse: [a, b]}")
    bench(path, plugins, "both")
    alone = Counting.seen.copy()
    bench(path, plugins, "a", "b", "both")
    assert Counting.seen == alone


def test_the_stages_of_a_cascade_see_what_is_kept_in_scoring_and_in_timing(
    small_registry: Path, plugins: Plugins
) -> None:
    path = registry_with(
        small_registry, "steps: {cascade: [{reranker: a, keep: 4}, {reranker: b, keep: 2}, {reranker: bm25}]}"
    )
    found = bench(path, plugins, "steps")["steps"]
    assert not found.failure
    # once by halves, to see whether pairs of it may be used again
    assert {count for times, count, _ in Counting.shown if times == 1.0} == {6, 3}
    assert {count for times, count, _ in Counting.shown if times == -1.0} == {4, 2}
    assert found.metrics
    assert found.scores_from_store is False
    seen = Counting.seen.copy()
    assert bench(path, plugins, "steps")["steps"].scores_from_store
    assert Counting.seen == seen


def test_costs_are_added_and_parameters_counted_once_for_each_model(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(
        small_registry,
        "twin: {scorer: counting}",
        "three: {fuse: [a, b, twin]}",
        "steps: {cascade: [{reranker: a, keep: 2}, {reranker: b}]}",
    )
    found = bench(path, plugins, "a", "b", "twin", "three", "steps")
    assert found["three"].parameters == 20  # `twin` is `a`
    assert found["three"].size == 20 * 4
    members = [found[name] for name in ("a", "b", "twin")]
    assert found["three"].ms_per_query == pytest.approx(sum(row.ms_per_query for row in members))
    assert found["three"].ms_p95 == pytest.approx(sum(row.ms_p95 for row in members))
    rate = 1 / sum(1 / row.pairs_per_second for row in members)
    assert found["three"].pairs_per_second == pytest.approx(rate)
    assert found["steps"].ms_per_query > found["a"].ms_per_query
    if found["three"].memory is not None:
        assert found["three"].memory == sum(found[name].memory or 0 for name in ("b", "twin"))


# --- rows like any other


def test_the_whole_is_trained_if_a_member_is_and_names_its_checkpoint(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "whole: {fuse: [a, learns], method: combmnz}")
    result = rr.bench(["whole", "learns"], registry=path, plugins=plugins)
    rows = {row.reranker: row for row in result.datasets[0].rows}
    assert Trainer.trained == ["rooms"], "for the fusion and for its own row"
    row, alone = rows["whole"], rows["learns"]
    assert (row.state, row.trainable, row.train_seconds) == ("trained", 3, alone.train_seconds)
    assert row.weights == alone.weights != ()
    assert row.notes[0] == "CombMNZ of a and learns, min-max"
    assert row.notes[1] == f"members: a (pretrained), learns (trained, {alone.weights[0].checkpoint})"
    assert {"a: times 1", "learns: times 2"} <= set(row.notes)
    (line,) = [line for line in csv.DictReader(io.StringIO(csv_text(result))) if line["reranker"] == "whole"]
    assert line["checkpoint"] == alone.weights[0].checkpoint
    assert "fold" not in markdown(result)


def test_the_figures_are_those_of_the_fused_scores(small_registry: Path, plugins: Plugins) -> None:
    """Whoever asks: the bench through the stores, or Python with everything loaded."""
    from rr_bench.data.load import load_dataset

    path = registry_with(
        small_registry,
        "whole: {fuse: [a, bm25], method: weighted, weights: [1, 3], normalisation: zmuv}",
        "steps: {cascade: [{reranker: bm25, keep: 3}, {reranker: whole}]}",
    )
    rows = bench(path, plugins, "whole", "steps")
    dataset = load_dataset("rooms", load_registry(path).dataset("rooms"))
    from rr.measures import evaluate, metric

    for name, row in rows.items():
        loaded = rr.load(name, registry=path, plugins=plugins)
        runs = {one.query.id: one.run for one in loaded.rerank_all(dataset.requests("test"))}
        values = evaluate(runs, dataset.qrels, dataset.splits["test"], metric("nDCG@10"))
        assert tuple(values) == row.per_query["nDCG@10"]
        assert loaded.info.scale == "rank"


def test_folds_pool_a_fusion_like_any_row(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "whole: {fuse: [a, learns], method: weighted}")
    found = bench(path, plugins, "whole", folds=3)["whole"]
    assert len(found.folds["nDCG@10"]) == 3
    assert len(Trainer.trained) == 3
    assert sum("the best on dev" in note for note in found.notes) >= 1


# --- weights


def test_weights_are_found_on_dev_kept_and_never_on_test(
    small_registry: Path, plugins: Plugins, caplog: pytest.LogCaptureFixture
) -> None:
    path = registry_with(small_registry, "whole: {fuse: [bm25, b], method: weighted}")
    found = bench(path, plugins, "whole")["whole"]
    (kept,) = (home() / "weights").iterdir()
    assert kept.name.startswith("whole-rooms-")
    content = json.loads(kept.read_text(encoding="utf-8"))["content"]
    assert content["metric"] == "nDCG@10"
    assert content["queries"] == 2
    assert content["dataset"] == "rooms"
    assert sum(content["weights"]) == pytest.approx(1)
    listed = ", ".join(f"{weight:g}" for weight in content["weights"])
    assert f"weights {listed}: the best on dev of rooms, nDCG@10 {content['dev']:.3f} (2 queries)" in found.notes
    before = Counting.seen.copy()
    again = bench(path, plugins, "whole")["whole"]
    assert (again.notes, again.per_query, Counting.seen) == (found.notes, found.per_query, before)
    kept.write_bytes(kept.read_bytes().replace(b'"dev": ', b'"dev": 0'))
    assert bench(path, plugins, "whole")["whole"].notes == found.notes
    assert "is damaged" in caplog.text


def test_other_test_judgements_leave_the_weights_as_they_are(small_registry: Path, plugins: Plugins) -> None:
    from rr_bench.data.load import load_dataset

    path = registry_with(small_registry, "whole: {fuse: [bm25, b], method: weighted}")
    test = set(load_dataset("rooms", load_registry(path).dataset("rooms")).splits["test"])

    def weights() -> list[float]:
        bench(path, plugins, "whole")
        newest = max((home() / "weights").iterdir(), key=lambda one: one.stat().st_mtime_ns)
        content = json.loads(newest.read_text(encoding="utf-8"))["content"]
        return [*content["weights"], content["dev"]]

    before = weights()
    qrels = small_registry.parent / "small" / "qrels.jsonl"
    lines = [json.loads(line) for line in qrels.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["query"] in test:
            line["document"] = "d0" if line["document"] != "d0" else "d1"
    qrels.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert weights() == before
    assert len(list((home() / "weights").iterdir())) == 2, "of another data set all the same"


def test_python_finds_the_weights_of_a_data_set_and_asks_for_one(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "whole: {fuse: [bm25, b], method: weighted}")
    with pytest.raises(RerankError, match=r"'whole' finds its weights on the dev split of a data set; name it with"):
        rr.load("whole", registry=path, plugins=plugins)
    loaded = rr.load("whole", dataset="rooms", registry=path, plugins=plugins)
    assert len(loaded.rerank("phòng", ["a", "bb"]).items) == 2
    (kept,) = (home() / "weights").iterdir()
    bench(path, plugins, "whole")
    assert list((home() / "weights").iterdir()) == [kept], "the bench finds what Python found"


# --- what goes wrong


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{fuse: [a, bm52]}", "fuse: no reranker is called 'bm52'; did you mean 'bm25'?"),
        (
            "{cascade: [{reranker: a, keep: 3}, {reranker: bm52}]}",
            "cascade: no reranker is called 'bm52'; did you mean",
        ),
        ("{fuse: [a, x]}", "fuse goes in a circle: x → x"),
        ("{fuse: [a, y]}", "cascade goes in a circle: x → y → x"),
        ("{fuse: []}", "fuse names 0 of the two members or more that it needs"),
        ("{fuse: [a]}", "fuse names 1 of the two members"),
        ("{cascade: []}", "cascade names 0 of the two"),
        ("{fuse: [a, b, a]}", "fuse names 'a' twice"),
        ("{cascade: [{reranker: a, keep: 3}, {reranker: a}]}", "cascade names 'a' twice"),
        ("{cascade: [{reranker: a}, {reranker: b}]}", "cascade: stage 1, 'a', needs 'keep'"),
        (
            "{cascade: [{reranker: a, keep: 3}, {reranker: b, keep: 4}, {reranker: bm25}]}",
            "cascade: stage 2 keeps 4 of the 3 that stage 1 keeps; lower it",
        ),
        ("{fuse: [a, b], weights: [1, 1]}", "fuse: 'weights' goes with method weighted, not rrf"),
        ("{fuse: [a, b], method: combsum, k: 3}", "fuse: 'k' goes with method rrf, not combsum"),
        ("{fuse: [a, b], normalisation: sum}", "'normalisation' goes with method combsum or combmnz or weighted"),
        ("{fuse: [a, b], method: weighted, weights: [1]}", "fuse has 2 members and 1 weights; give one a member"),
        ("{fuse: [a, b], method: weighted, weights: [1, -1]}", "weights are 0 or more, and not all 0"),
        ("{fuse: [a, b], method: weighted, weights: [0, 0]}", "weights are 0 or more, and not all 0"),
        ("{fuse: [a, b], settings: {times: 2}}", "fuse: 'settings' belongs to a member's own entry; leave it out"),
        ("{fuse: [a, b], checkpoint: latest}", "'checkpoint' belongs to a member's own entry"),
        ("{cascade: [{reranker: a, keep: 3}, {reranker: b}], k: 3}", "cascade: 'k' belongs to 'fuse'; leave it out"),
        ("{fuse: [a, wrong]}", "member 'wrong': no scorer is called 'nothing'"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_loaded(
    small_registry: Path, plugins: Plugins, entry: str, told: str
) -> None:
    others = ("y: {cascade: [{reranker: b, keep: 2}, {reranker: x}]}", "wrong: {scorer: nothing}")
    path = registry_with(small_registry, f"x: {entry}", *others)
    found = chosen_entries(load_registry(path), plugins, None, ["x", "bm25"])
    failure = found["x"]
    assert isinstance(failure, Failure)
    assert told in failure.reason
    assert "\n" not in failure.reason
    assert not isinstance(found["bm25"], Failure), "the others stand"
    with pytest.raises(RerankError) as caught:
        rr.load("x", registry=path, plugins=plugins)
    assert told.removeprefix("member 'wrong': ") in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{cascade: [{reranker: a, keep: 0}, {reranker: b}]}", "rerankers.x.cascade.0.keep: Input should be greater"),
        ("{cascade: [{reranker: a, kepe: 1}, {reranker: b}]}", "'rerankers.x.cascade.0.kepe'; did you mean 'keep'?"),
        ("{fuse: [a, b], scorer: bm25}", "rerankers.x: give exactly one of 'scorer', 'reranker', 'fuse' and 'cascade'"),
        ("{fuse: [a, b], method: rff}", "rerankers.x.method: Input should be 'rrf'"),
        ("{fuse: [a, b], trainer: by}", "a 'trainer' needs a 'scorer'"),
        ("{scorer: bm25, price: {}}", "rerankers.x.price: give exactly one of 'per_hour', 'per_token' and 'per_call'"),
        ("{scorer: bm25, price: {per_hour: 1, per_call: 1}}", "rerankers.x.price: give exactly one of"),
        ("{scorer: bm25, price: {per_hour: -1}}", "rerankers.x.price.per_hour: Input should be greater"),
    ],
)
def test_what_is_no_entry_is_said_when_the_registry_is_read(small_registry: Path, entry: str, told: str) -> None:
    with pytest.raises(RegistryError) as caught:
        load_registry(registry_with(small_registry, f"x: {entry}"))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_member_that_fails_fails_the_whole_and_one_that_does_not_apply_skips_it(
    small_registry: Path, plugins: Plugins
) -> None:
    oracle = small_registry.read_text(encoding="utf-8").replace(
        "      rooms:\n", "      rooms:\n        candidates: {protocol: oracle}\n"
    )
    small_registry.write_text(oracle, encoding="utf-8")
    path = registry_with(
        small_registry,
        "bad: {fuse: [a, broken]}",
        "worse: {cascade: [{reranker: a, keep: 2}, {reranker: bad}]}",
        "given: {fuse: [first-stage, a]}",
        "good: {cascade: [{reranker: a, keep: 2}, {reranker: b}]}",
    )
    for names in (["bad", "worse", "given", "good"], ["broken", "first-stage", "worse", "bad", "given", "good", "a"]):
        found = bench(path, plugins, *names)
        assert set(found) == {*names}
        assert found["bad"].failure.startswith("member 'broken': ")
        assert "ZeroDivisionError: no more" in found["bad"].failure
        assert "member 'broken'" in found["worse"].failure or "member 'bad'" in found["worse"].failure
        assert "Traceback" in found["bad"].traceback
        assert not found["bad"].metrics
        assert found["given"].skipped.startswith("member 'first-stage': no first stage's order is shown here")
        assert found["good"].metrics
    assert not any(first_stage for _, _, first_stage in Counting.shown), (
        "oracle: no stage is shown the first one's scores"
    )


def test_where_a_first_stage_is_shown_a_later_stage_sees_it_too(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "x: {cascade: [{reranker: bm25, keep: 3}, {reranker: first-stage}]}")
    assert bench(path, plugins, "x")["x"].metrics


def test_a_stage_that_keeps_all_says_so(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "x: {cascade: [{reranker: a, keep: 50}, {reranker: b, keep: 2}]}")
    found = bench(path, plugins, "x", "b")
    assert "a keeps 50, and no query has more than 6: it leaves nothing out" in found["x"].notes
    assert found["x"].per_query == found["b"].per_query
    assert not any("b keeps" in note for note in found["x"].notes), "after the last there is nothing"


# --- the command


def test_the_command_knows_them(small_registry: Path, rr_command: Rr) -> None:
    path = small_registry
    path.write_text(
        path.read_text(encoding="utf-8")
        + "  fusion: {fuse: [bm25, random]}\n"
        + "  steps: {cascade: [{reranker: fusion, keep: 2}, {reranker: first-stage}], price: {per_call: 0.001}}\n",
        encoding="utf-8",
    )
    listed = {one["name"]: one for one in json.loads(rr_command("list", "--json", "--registry", path).stdout)}
    assert listed["fusion"]["component"] == "fuse"
    assert listed["fusion"]["summary"] == "RRF (k 60) of bm25 and random"
    assert listed["steps"]["summary"] == "fusion, then its best 2 by first-stage"
    told = rr_command("info", "steps", "--registry", path)
    assert told.returncode == 0
    assert "cascade:\n- reranker: fusion\n  keep: 2\n- reranker: first-stage\n" in told.stdout
    assert "per_call: 0.001" in told.stdout
    assert "bm25: bm25" in told.stdout
    assert "k: 60" in rr_command("info", "fusion", "--registry", path).stdout
    ended = rr_command("rerank", "fusion", "--registry", path, "-q", "phòng rẻ", "phòng rẻ", "nhà", "xe")
    assert ended.returncode == 0, ended.stderr
    assert sorted(line.split("\t")[2] for line in ended.stdout.splitlines()) == ["0", "1", "2"]
    ended = rr_command("bench", "fusion", "bm25", "steps", "--registry", path)
    assert ended.returncode == 0, ended.stderr
    for command in ("train fusion -d rooms", "bias fusion -d rooms", "doctor fusion -d rooms", "info fusion --verify"):
        ended = rr_command(*command.split(), "--registry", path)
        assert ended.returncode != 0, command
        assert "Traceback" not in ended.stderr
        assert "bm25" in ended.stderr or "reranker of its own" in ended.stderr, ended.stderr
    ended = rr_command("rerank", "fusion", "--checkpoint", "latest", "--registry", path, "-q", "a", "a", "b")
    assert "'fusion' is made of bm25, random: say 'checkpoint' in their own entries" in ended.stderr


def test_a_run_is_reranked_from_disk_and_resumes_under_its_members_key(small_registry: Path, plugins: Plugins) -> None:
    path = registry_with(small_registry, "x: {fuse: [a, b]}", "y: {fuse: [a, b], k: 10}", "z: {fuse: [b, a]}")
    keys = [rr.load(name, registry=path, plugins=plugins).fingerprint() for name in ("x", "x", "y", "z")]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{times: -1}", "{times: -2}"), encoding="utf-8")
    assert rr.load("x", registry=path, plugins=plugins).fingerprint() != keys[0]


def test_a_model_that_two_members_share_is_loaded_once(
    small_registry: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    before = Counting.__init__

    def counted(self: Counting, settings: Any, checkpoint: Path | None = None) -> None:
        made.append(settings.times)
        before(self, settings, checkpoint)

    path = registry_with(small_registry, "twin: {scorer: counting}", "x: {fuse: [a, twin, b]}")
    monkeypatch.setattr(Counting, "__init__", counted)
    rr.load("x", registry=path, plugins=plugins)
    assert sorted(made) == [-1.0, 1.0]
