"""What of a row makes its figures doubtful, and what its scores are worth as probabilities: worked out from what its
members were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rr.types import Dataset
from rr_bench.data.splits import answerable
from rr_bench.evaluate.asking import Asked, Bench
from rr_bench.evaluate.pairs import Answer
from rr_bench.evaluate.probabilities import abstention, calibration_of, figures_of, usable
from rr_bench.evaluate.probe import NOT_ASKED
from rr_bench.evaluate.results import Weights
from rr_bench.evaluate.validity import row_faults, row_figures
from rr_bench.members import Part


@dataclass(frozen=True)
class Doubts:
    """The fields of `Row` of these names; `notes`: why a calibration is not used."""

    validity: Mapping[str, float]
    faults: tuple[str, ...]
    calibration: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def doubts(part: Part, bench: Bench, asked: Sequence[Asked], answers: Mapping[str, Answer]) -> Doubts:
    """`answers`: of the whole, one a test query. What is made of others has the faults of
    its members; its own scores are places, and no probabilities."""
    dataset, view = bench.dataset, bench.view
    of_leaves = [(one.part.name, _faults(one, dataset)) for one in asked]
    if part.members:
        named = (f"{fault} ({name})" for name, found in of_leaves for fault in found)
        return Doubts(row_figures(bench.requests, answers, NOT_ASKED), (*bench.faults, *named))
    (one,) = asked
    scale, probe = one.scored.info.scale, one.probe
    calibration, remarks = usable(one.leaf.resolved, one.leaf.choice.checkpoint, dataset)
    tables = calibration_of(view, answers, scale, probe.scores, calibration)
    without = [query_id for query_id in dataset.splits["test"] if not answerable(dataset.qrels, query_id)]
    figures = {
        **row_figures(bench.requests, answers, probe),
        **figures_of(tables),
        **abstention(without, answers, scale, probe.scores, calibration),
    }
    return Doubts(figures, (*bench.faults, *of_leaves[0][1]), tables, tuple(remarks))


def _faults(one: Asked, dataset: Dataset) -> tuple[str, ...]:
    weights = Weights.of(one.leaf.choice)
    return row_faults(dataset, one.requests, one.scored.answers, one.diagnostics, one.probe, one.pointwise, weights)
