"""What of a row makes its figures doubtful, and what its scores are worth as probabilities: worked out from what its
members were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rr.measures import Metric
from rr.types import Dataset, Request
from rr_bench.data.splits import answerable
from rr_bench.evaluate.asking import Asked
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


def doubts(
    part: Part,
    dataset: Dataset,
    view: Dataset,
    requests: Sequence[Request],
    faults: tuple[str, ...],
    leading: Metric,
    asked: Sequence[Asked],
    answers: Mapping[str, Answer],
    weights: Mapping[str, Sequence[Weights]],
    diagnostics: Mapping[str, Mapping[str, float]],
) -> Doubts:
    """`requests`: of the test split. `faults`: of the data set. `answers`: of the whole, one a test query. `weights`,
    `diagnostics`: of each leaf. What is made of others has the faults of its members; its own scores are places, and
    no probabilities."""
    cutoff = getattr(leading.settings, "cutoff", None)
    if part.members:
        of_members = [
            f"{fault} ({one.part.name})"
            for one in asked
            for fault in row_faults(
                dataset,
                one.requests,
                one.scored.answers,
                diagnostics[one.part.name],
                one.probe,
                one.pointwise,
                weights[one.part.name],
            )
        ]
        return Doubts(row_figures(view, requests, answers, NOT_ASKED, cutoff), (*faults, *of_members))
    (one,) = asked
    info, probe = one.scored.info, one.probe
    calibration, remarks = usable(one.leaf.resolved, one.leaf.choice.checkpoint, dataset)
    tables = calibration_of(view, answers, info.scale, probe.scores, calibration)
    without = [query_id for query_id in dataset.splits["test"] if not answerable(dataset.qrels, query_id)]
    return Doubts(
        {
            **row_figures(view, requests, answers, probe, cutoff),
            **figures_of(tables),
            **abstention(without, answers, info.scale, probe.scores, calibration),
        },
        (
            *faults,
            *row_faults(dataset, requests, answers, diagnostics[part.name], probe, one.pointwise, weights[part.name]),
        ),
        tables,
        tuple(remarks),
    )
