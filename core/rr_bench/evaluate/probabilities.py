"""The scores of a row as probabilities of relevance, and its best scores as signs that there is an answer at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from rr.errors import RerankError
from rr.types import Dataset, Scale
from rr_bench.calibrate.figures import Floats, Labels, auroc, brier, equal_mass, expected_error, reliability, sigmoid
from rr_bench.calibrate.fitting import as_probabilities
from rr_bench.calibrate.kept import Calibration, kept
from rr_bench.evaluate.company import WINDOWED
from rr_bench.evaluate.pairs import Answer
from rr_bench.resolve import Resolved
from rr_bench.train.checkpoints import Checkpoint


def usable(resolved: Resolved, checkpoint: Checkpoint | None, dataset: Dataset) -> tuple[Calibration | None, list[str]]:
    """The calibration that `rr calibrate` has fitted on this very data set's dev split; and what is to be said of one
    that cannot be used."""
    try:
        found = kept(resolved, checkpoint)
    except RerankError as error:
        return None, [f"not calibrated: {error}"]
    if found is None or found.data["fingerprint"] == dataset.fingerprint:
        return found, []
    return None, [f"its calibration was fitted on other data ({found.data['name']}), and is not used here"]


def calibration_of(
    dataset: Dataset,
    answers: Mapping[str, Answer],
    scale: Scale,
    link: str,
    calibration: Calibration | None,
) -> dict[str, Any]:
    """Of all pairs of a test query and a candidate: `raw`, of what a scale of probabilities or logits says (these by
    the sigmoid), and `calibrated`: AUROC, Brier, ECE of bins of equal width and of equal mass, and both tables of
    bins. Empty where there is neither. `link`: `Probe.scores`."""
    if link == "other" or _places(answers):
        return {}
    keys = np.array([value for answer in answers.values() for value in answer.scores.values()], dtype=np.float64)
    if not len(keys):
        return {}
    labels = np.array(
        [
            dataset.qrels[query_id].get(id_, 0) > 0
            for query_id, answer in answers.items()
            for id_ in answer.scores
        ],
        dtype=np.bool_,
    )  # fmt: skip
    scores = sigmoid(keys) if link == "sigmoid" else keys
    found = {}
    raw = as_probabilities(scores, scale)
    if raw is not None:
        found["raw"] = {"of": "the sigmoid of the logit" if scale == "logit" else "the score", **_table(raw, labels)}
    if calibration is not None:
        probabilities = np.array(calibration.probabilities(scores.tolist()))
        found["calibrated"] = {"of": f"{calibration.method}, fitted on dev", **_table(probabilities, labels)}
    return found


def _table(probabilities: Floats, labels: Labels) -> dict[str, Any]:
    wide = reliability(probabilities, labels)
    even = reliability(probabilities, labels, equal_mass(probabilities))
    area = auroc(probabilities, labels)
    return {
        "pairs": len(labels),
        "positives": int(labels.sum()),
        **({} if math.isnan(area) else {"auroc": area}),
        "brier": brier(probabilities, labels),
        "ece": expected_error(wide),
        "ece_mass": expected_error(even),
        "bins": [asdict(one) for one in wide],
        "bins_mass": [asdict(one) for one in even],
    }


def figures_of(calibration: Mapping[str, Any]) -> dict[str, float]:
    """What of `calibration_of` stands among a row's figures: `ece`, `calibrated_ece` …"""
    return {
        f"{'' if kind == 'raw' else 'calibrated_'}{name}": table[name]
        for kind, table in calibration.items()
        for name in ("auroc", "brier", "ece", "ece_mass")
        if name in table
    }


def abstention(
    unanswerable: Sequence[str],
    answers: Mapping[str, Answer],
    scale: Scale,
    link: str,
    calibration: Calibration | None,
) -> dict[str, float]:
    """`answered_auroc`: how often the best score of a query that has an answer is above that of one that has none. With
    a calibrated threshold, of the queries whose best document is less probable: `abstention_precision`, the share that
    has no answer, and `abstention_recall`, the share of all that have none. A query without candidates is below all.
    Empty where every query has an answer, or scores of different queries do not compare."""
    if not unanswerable or scale == "rank" or _places(answers):
        return {}
    without = set(unanswerable)
    best = np.array([max(answer.scores.values(), default=-math.inf) for answer in answers.values()])
    has_none = np.array([query_id in without for query_id in answers], dtype=np.bool_)
    area = auroc(best, ~has_none)
    found = {} if math.isnan(area) else {"answered_auroc": area}
    if calibration is None or calibration.threshold is None or link == "other":
        return found
    scores = sigmoid(best) if link == "sigmoid" else best
    finite = np.isfinite(best)
    abstained = ~finite
    abstained[finite] = np.array(calibration.probabilities(scores[finite].tolist())) < calibration.threshold
    if abstained.any():
        found["abstention_precision"] = float(has_none[abstained].mean())
    return {**found, "abstention_recall": float(abstained[has_none].mean())}


def _places(answers: Mapping[str, Answer]) -> bool:
    """Whether some scores are places only."""
    return any(answer.diagnostics.get(name) for answer in answers.values() for name in WINDOWED)


def pooled_tables(of_folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The tables of all folds as one, where all have it; bins of equal mass differ between folds, and are not kept."""
    found: dict[str, Any] = {}
    for kind in of_folds[0] if of_folds else ():
        tables = [one[kind] for one in of_folds if kind in one]
        if len(tables) < len(of_folds):
            continue
        pairs = sum(table["pairs"] for table in tables)
        bins = [_pooled_bin(rows) for rows in zip(*(table["bins"] for table in tables), strict=True)]
        found[kind] = {
            "of": tables[0]["of"],
            "pairs": pairs,
            "positives": sum(table["positives"] for table in tables),
            "brier": sum(table["brier"] * table["pairs"] for table in tables) / pairs,
            "ece": sum(one["count"] * abs(one["mean"] - one["relevant"]) for one in bins) / pairs,
            "bins": bins,
        }
    return found


def _pooled_bin(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    count = sum(row["count"] for row in rows)
    means = {
        name: sum(row[name] * row["count"] for row in rows) / count if count else 0.0 for name in ("mean", "relevant")
    }
    return {"low": rows[0]["low"], "high": rows[0]["high"], "count": count, **means}
