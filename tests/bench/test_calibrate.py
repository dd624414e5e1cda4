"""Calibration: against scikit-learn, against known probabilities, kept where it belongs, and used by `rr rerank`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

import rr
from rr.errors import RerankError
from rr.registry.plugins import Registered, installed_plugins
from rr_bench.calibrate.figures import auroc, brier, equal_mass, expected_error, reliability, sigmoid
from rr_bench.calibrate.fit import FITS, Isotonic, Platt, coordinate
from rr_bench.calibrate.fitting import chosen_threshold, wilson_low
from rr_bench.evaluate.significance import wilson
from tests.bench import test_validity
from tests.bench.test_validity import PLUGINS, benched, registry, rows, source, unanswered
from tests.conftest import Rr

# --- figures

PAIRS = st.lists(st.tuples(st.floats(-8, 8, width=16), st.booleans()), min_size=4, max_size=60).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def arrays(pairs: Any) -> tuple[Any, Any]:
    scores, labels = zip(*pairs, strict=True)
    return np.array(scores, dtype=np.float64), np.array(labels, dtype=np.bool_)


@given(PAIRS)
def test_auroc_and_brier_are_those_of_scikit_learn(pairs: Any) -> None:
    scores, labels = arrays(pairs)
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    p = sigmoid(scores)
    assert brier(p, labels) == pytest.approx(brier_score_loss(labels, p), abs=1e-12)


def binned_error(p: Any, labels: Any, bins: int = 15) -> float:
    """As torchmetrics' BinaryCalibrationError(norm="l1") and Guo et al. (2017) have it, bin by bin."""
    error = 0.0
    for place in range(bins):
        inside = (p > place / bins) & (p <= (place + 1) / bins) | ((p == 0) & (place == 0))
        if inside.any():
            error += inside.mean() * abs(p[inside].mean() - labels[inside].mean())
    return float(error)


@given(PAIRS)
def test_the_calibration_error_is_that_of_its_bins(pairs: Any) -> None:
    scores, labels = arrays(pairs)
    p = np.round(sigmoid(scores), 3)
    bins = reliability(p, labels)
    assert (len(bins), sum(one.count for one in bins)) == (15, len(p))
    assert expected_error(bins) == pytest.approx(binned_error(p, labels), abs=1e-9)
    even = reliability(p, labels, equal_mass(p))
    assert sum(one.count for one in even) == len(p)
    assert expected_error(even) <= 1


def test_bins_of_equal_mass_are_even_where_nothing_ties() -> None:
    p = np.random.default_rng(0).random(1500)
    assert {one.count for one in reliability(p, p > 0.5, equal_mass(p))} == {100}


# --- maps


@settings(deadline=None)
@given(PAIRS)
def test_isotonic_is_scikit_learns(pairs: Any) -> None:
    x, labels = arrays(pairs)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, labels)
    asked = np.linspace(-9, 9, 200)
    try:
        ours = Isotonic.fit(x, labels)
    except RerankError:
        assert np.ptp(theirs.predict(x)) == pytest.approx(0, abs=1e-12)
        return
    assert ours(asked) == pytest.approx(theirs.predict(asked), abs=1e-9)


def test_platt_is_scikit_learns() -> None:
    generator = np.random.default_rng(3)
    for shift, width in ((0, 1), (500, 40), (-3, 1e-3)):
        x = generator.normal(size=400)
        labels = generator.random(400) < sigmoid(1.5 * x - 1)
        slope, intercept = _sigmoid_calibration(x, labels.astype(int))
        ours = Platt.fit(x * width + shift, labels)
        assert ours(x * width + shift) == pytest.approx(1 / (1 + np.exp(slope * x + intercept)), abs=1e-5)


def test_platt_stays_finite_where_a_score_separates_the_two() -> None:
    x, labels = np.arange(40.0), np.arange(40) >= 20
    found = Platt.fit(x, labels)
    assert 0 < found.slope < 100
    assert 0.9 < found(np.array([39.0]))[0] < 1


@settings(deadline=None)
@given(PAIRS, st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=30))
def test_no_map_ever_reorders(pairs: Any, scores: list[float]) -> None:
    x, labels = arrays(pairs)
    asked = np.sort(np.array(scores))
    for fit in FITS.values():
        try:
            found = fit.fit(x, labels)
        except RerankError as error:
            assert "not more often relevant" in str(error)  # noqa: PT017 - both outcomes are right
            continue
        p = found(asked)
        assert (np.diff(p) >= 0).all()
        assert ((p >= 0) & (p <= 1)).all()


def test_probabilities_are_fitted_by_their_log_odds() -> None:
    found = coordinate(np.array([0.0, 0.25, 0.5, 1.0]), "probability")
    assert np.isfinite(found).all()
    assert found[1:3] == pytest.approx([np.log(1 / 3), 0])
    assert coordinate(np.array([3.0]), "logit")[0] == 3.0


# --- thresholds


def test_the_threshold_is_the_lowest_whose_precision_is_sure() -> None:
    generator = np.random.default_rng(1)
    p = generator.random(4000)
    labels = generator.random(4000) < p
    threshold, found = chosen_threshold(p, labels, 0.8)
    assert threshold is not None
    kept = p >= threshold
    assert found["low"] >= 0.8
    assert wilson(int(labels[kept].sum()), int(kept.sum())).low == pytest.approx(found["low"])
    for lower in (threshold - 0.0001, threshold - 0.05, threshold / 2):
        kept = p >= lower
        assert wilson_low(int(labels[kept].sum()), int(kept.sum())) < 0.8
    assert chosen_threshold(p, labels, 0.9999)[0] is None
    assert chosen_threshold(p, labels, 0.9999)[1]["low"] < 0.9999


# --- the command


@pytest.fixture
def plugins() -> Iterator[None]:
    """The components of `test_validity`, as installed ones."""
    found = installed_plugins().components
    added = [one for one in PLUGINS.components if one not in found and isinstance(one, Registered)]
    found.extend(added)
    yield
    for one in added:
        found.remove(one)


@pytest.fixture
def rooms(tmp_path: Path, plugins: None) -> Path:
    return registry(tmp_path, source())


def calibrated(rr_command: Rr, path: Path, name: str, *more: str) -> str:
    ended = rr_command("calibrate", name, "-d", "rooms", "--registry", path, *more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def file_of(ended: str) -> Path:
    return Path(re.search(r"wrote (\S+)", ended)[1])  # type: ignore[index]


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibrating_makes_probabilities_better_on_dev_and_on_test(rr_command: Rr, rooms: Path, method: str) -> None:
    before = rows(benched(rooms, "fair"))["fair"]
    told = calibrated(rr_command, rooms, "fair", "--method", method, "--precision", "0.6")
    lines = {line.split("  ")[0].strip(): re.findall(r"\d\.\d{4}", line) for line in told.splitlines()}
    raw, crossed = lines["before"], lines[f"{method}, cross-fitted"]
    assert float(crossed[1]) < float(raw[1])
    assert float(crossed[2]) < float(raw[2])
    assert "40 queries, 400 candidates, 40 relevant" in told
    assert "threshold for precision 0.6" in told
    threshold = re.search(r"threshold for precision 0.6: (\S+) keeps", told)
    assert threshold is not None
    assert f"next: rr rerank fair --min-probability {threshold[1]} --registry" in told
    after = rows(benched(rooms, "fair"))["fair"]
    assert after.metrics == before.metrics
    assert after.validity["calibrated_ece"] < after.validity["ece"] == before.validity["ece"]
    assert after.validity["calibrated_brier"] < after.validity["brier"]
    assert after.calibration["calibrated"]["of"] == f"{method}, fitted on dev"


def test_a_calibration_lies_beside_its_checkpoint_and_is_no_part_of_it(rr_command: Rr, rooms: Path) -> None:
    before = rows(benched(rooms, "learnt"))["learnt"]
    ended = rr_command("calibrate", "learnt", "-d", "rooms", "--registry", rooms)
    assert ended.returncode == 0, ended.stderr
    path = file_of(ended.stderr)
    assert path.name == "rr-calibration.json"
    assert (path.parent / "training_info.json").is_file()
    after = rows(benched(rooms, "learnt"))["learnt"]
    assert after.scores_from_store
    assert after.weights == before.weights
    loaded = rr.load("learnt", dataset="rooms", registry=rooms)
    assert loaded.calibration is not None
    assert loaded.calibration.method == "platt"


def test_improbable_documents_are_dropped_and_the_order_stays(rr_command: Rr, rooms: Path) -> None:
    calibrated(rr_command, rooms, "fair", "--method", "isotonic", "--precision", "0.6")
    loaded = rr.load("fair", registry=rooms)
    query, documents = "gác lửng chợ", ["gác lửng chợ ban", "gác xe", "lửng chợ", "không gì", "chợ gác"]
    whole = loaded.rerank(query, documents)
    known = loaded.probabilities(whole)
    assert list(known) == [item.document.id for item in whole.items]
    assert sorted(known.values(), reverse=True) == list(known.values())
    for least in (0.0, 0.3, max(known.values()), 1.0):
        kept = loaded.rerank(query, documents, min_probability=least)
        assert kept.items == tuple(item for item in whole.items if known[item.document.id] >= least)
    common = ("rerank", "fair", "--registry", rooms)
    asked = {"id": "x", "query": query, "documents": documents}
    given = json.dumps(asked, ensure_ascii=False) + "\n" + json.dumps({**asked, "id": "y", "documents": ["xa"]}) + "\n"
    ended = rr_command(*common, "--input", "-", "--min-probability", "0.2", stdin=given)
    assert ended.returncode == 0, ended.stderr
    first, second = map(json.loads, ended.stdout.splitlines())
    assert {item["id"]: item["probability"] for item in first["ranking"]} == {
        k: p for k, p in known.items() if p >= 0.2
    }
    assert second["ranking"] == []
    assert "no document is probable enough (0.2 or more) for 1 of 2 queries: 'y'" in ended.stderr
    ended = rr_command(*common, "-q", query, "xa", "xa hơn", "--min-probability", "0.9")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "no document is probable enough (0.9 or more) for 1 of 1 queries" in ended.stderr
    ended = rr_command(*common, "--input", "-", stdin=given)  # without one, all are there, with their probabilities
    assert [len(json.loads(line)["ranking"]) for line in ended.stdout.splitlines()] == [5, 1]
    assert '"probability"' in ended.stdout


def test_files_and_runs_are_left_without_the_improbable(rr_command: Rr, rooms: Path, tmp_path: Path) -> None:
    calibrated(rr_command, rooms, "fair", "--precision", "0.5")
    asked = {"id": "x", "query": "gác lửng", "documents": ["gác lửng", "xa", "gác"]}
    (tmp_path / "in.jsonl").write_text(json.dumps(asked) + "\n", encoding="utf-8")
    least = rr.load("fair", registry=rooms).probabilities(
        rr.load("fair", registry=rooms).rerank("gác lửng", ["gác lửng", "xa", "gác"])
    )["0"]
    common = ("rerank", "fair", "--registry", rooms, "--min-probability", str(least))
    ended = rr_command(*common, "--input", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl")
    assert ended.returncode == 0, ended.stderr
    (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [item["id"] for item in json.loads(line)["ranking"]] == ["0"]
    folder = tmp_path / "beir"
    folder.mkdir()
    documents = [{"_id": name, "text": text} for name, text in (("a", "gác lửng"), ("b", "xa"))]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")
    queries = [{"_id": "q1", "text": "gác lửng"}, {"_id": "q2", "text": "không có"}]
    (folder / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries), encoding="utf-8")
    run = "".join(f"{q} Q0 {d} {n} {3 - n} x\n" for q in ("q1", "q2") for n, d in enumerate("ab", 1))
    (tmp_path / "run.txt").write_text(run, encoding="utf-8")
    ended = rr_command(*common, "--run", tmp_path / "run.txt", "--data", folder, "--out", tmp_path / "out.txt")
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[:3] for line in (tmp_path / "out.txt").read_text().splitlines()] == [["q1", "Q0", "a"]]
    assert "for 1 of 2 queries: 'q2'" in ended.stderr


def test_a_scale_of_probabilities_needs_no_calibration(rr_command: Rr, rooms: Path) -> None:
    loaded = rr.load("probable", registry=rooms)
    whole = loaded.rerank("gác lửng", ["gác lửng", "xa"])
    assert loaded.probabilities(whole) == whole.scores
    assert len(loaded.rerank("gác lửng", ["gác lửng", "xa"], min_probability=0.4).items) == 1


def test_what_cannot_be_done_is_one_line(rr_command: Rr, rooms: Path, tmp_path: Path) -> None:
    def refused(*arguments: str | Path) -> str:
        ended = rr_command(*arguments, "--registry", rooms)
        assert ended.returncode == 2
        assert ended.stdout == ""
        (line,) = [one for one in ended.stderr.splitlines() if one.startswith("error: ")]
        return line

    asked = ("-q", "gác", "gác lửng")
    assert "'fair': its scores are of scale logit and not calibrated" in refused(
        "rerank", "fair", *asked, "--min-probability", "0.5"
    )
    assert "run 'rr calibrate fair -d DATA' first" in refused("rerank", "fair", *asked, "--min-probability", "0.5")
    assert "ranks, which cannot be calibrated" in refused("rerank", "bm25", *asked, "--min-probability", "0.5")
    for value in ("1.5", "-0.1", "nan"):
        assert "lies between 0 and 1" in refused("rerank", "fair", *asked, f"--min-probability={value}")
    assert "'bm25' gives ranks" in refused("calibrate", "bm25", "-d", "rooms")
    assert "not more often relevant on dev" in refused("calibrate", "constant", "-d", "rooms")
    assert "not more often relevant on dev" in refused("calibrate", "constant", "-d", "rooms", "--method", "isotonic")
    assert "--precision lies between 0 and 1" in refused("calibrate", "fair", "-d", "rooms", "--precision", "90")
    files = source()
    for number, query in enumerate(files["queries"]):
        query["split"] = "dev" if number < 4 else "test" if number < 60 else "train"
    registry(tmp_path, files)
    assert "the 4 dev queries of 'rooms' have 4 relevant candidates, too few" in refused(
        "calibrate", "fair", "-d", "rooms"
    )


def test_a_stale_calibration_is_refused_and_a_damaged_one_is_named(rr_command: Rr, rooms: Path) -> None:
    ended = rr_command("calibrate", "fair", "-d", "rooms", "--registry", rooms)
    path = file_of(ended.stderr)
    text, plain = path.read_text(encoding="utf-8"), rooms.read_text(encoding="utf-8")
    asked = ("rerank", "fair", "--registry", rooms, "-q", "gác", "gác lửng", "--min-probability", "0.1")

    def refused(told: str) -> None:
        ended = rr_command(*asked)
        assert ended.returncode == 2, ended.stdout
        assert told in ended.stderr
        assert "run 'rr calibrate fair -d DATA' again" in ended.stderr
        assert rr_command(*asked[:-2]).returncode == 0  # who asks for no probability gets the ranking

    path.write_text(text.replace("platt", "plott"), encoding="utf-8")
    refused("damaged calibration, its checksum is of another content")
    (note,) = [note for note in rows(benched(rooms, "fair"))["fair"].notes if "not calibrated" in note]
    assert "damaged calibration" in note
    path.write_text(text, encoding="utf-8")
    rooms.write_text(plain.replace("fair: {scorer: fair}", "fair: {scorer: listwise, window: 5}"), encoding="utf-8")
    refused("is of other weights or settings")


def test_a_calibration_is_of_its_own_data_only_in_a_bench(rr_command: Rr, rooms: Path, tmp_path: Path) -> None:
    calibrated(rr_command, rooms, "fair")
    files = source()
    files["documents"][0]["text"] += " mới"
    row = rows(benched(registry(tmp_path, files), "fair"))["fair"]
    assert "its calibration was fitted on other data (rooms), and is not used here" in row.notes
    assert "calibrated" not in row.calibration


def test_the_test_split_is_never_asked(rr_command: Rr, rooms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    score = test_validity.Fair.score

    def watched(self: Any, requests: Any) -> Any:
        seen.update(request.query.id for request in requests)
        return score(self, requests)

    monkeypatch.setattr(test_validity.Fair, "score", watched)
    calibrated(rr_command, rooms, "fair")
    assert seen == {f"q{n}" for n in range(60, 100)}


def test_a_threshold_tells_queries_without_an_answer(rr_command: Rr, tmp_path: Path, plugins: None) -> None:
    path = registry(tmp_path, unanswered(source(), "relevant"))
    calibrated(rr_command, path, "fair", "--precision", "0.6")
    found = rows(benched(path, "fair"))["fair"].validity
    assert found["abstention_recall"] > 0.8
    assert found["abstention_precision"] > 0.5
