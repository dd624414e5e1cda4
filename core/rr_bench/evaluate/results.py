"""What a bench finds out, as plain data: reports render it, JSON holds it whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rr.registry.expansion import as_written
from rr_bench.evaluate.significance import Difference, Interval


@dataclass(frozen=True)
class Weights:
    """The checkpoint that a row's weights are from, and what it was trained on."""

    checkpoint: str
    """The name of its folder."""
    fingerprint: str
    """SHA-256 over the names and contents of its files."""
    dataset: str
    data_fingerprint: str

    def __str__(self) -> str:
        return (
            f"checkpoint {self.checkpoint} ({self.fingerprint[:12]}), trained on {self.dataset}, "
            f"data {self.data_fingerprint[:12]}"
        )


class _FreeText:
    """A result may quote errors and notes of anyone; it shows paths as they are written, `${VARIABLE}` included."""

    def __post_init__(self) -> None:
        for name in {"notes", "skipped", "failure", "traceback"} & vars(self).keys():
            value = getattr(self, name)
            shown = as_written(value) if isinstance(value, str) else tuple(map(as_written, value))
            object.__setattr__(self, name, shown)


@dataclass(frozen=True)
class Row(_FreeText):
    """One reranker on one data set. Where `failure` or `skipped` is set nothing else was measured: a failed reranker
    has no figures, least of all zeros, and one that the data set cannot ask has none either."""

    reranker: str
    state: str = ""
    notes: tuple[str, ...] = ()
    metrics: Mapping[str, Interval] = field(default_factory=dict)
    difference: Difference | None = None
    """Of the leading metric, against the suite's baseline."""
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    """Means over the queries; `tied`: the share with equal scores among the candidates, `constant`: with no other."""
    train_seconds: float | None = None
    train_timed_on: Mapping[str, str] = field(default_factory=dict)
    """Of `train_seconds`: `rr_bench.environment.Conditions`."""
    ms_per_query: float = 0.0
    pairs_per_second: float = 0.0
    timed_on: Mapping[str, str] = field(default_factory=dict)
    """Of `ms_per_query` and `pairs_per_second`."""
    parameters: int = 0
    trainable: int = 0
    """Weights that the checkpoint's training has changed; 0 without one."""
    weights: tuple[Weights, ...] = ()
    """Of its checkpoint; of a cross-validation: of each fold's. Empty where it has none."""
    scores_from_store: bool = False
    per_query: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Metric → one value a query, in the order of the data set's `query_ids`, or of the population that it names."""
    folds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of a cross-validation: metric → the mean of each fold."""
    verdict: str = ""
    """Of `rr doctor`: `ok`, `warning`, `fault` or `cannot tell`."""
    findings: tuple[Mapping[str, str], ...] = ()
    """What it found, in its order: check, verdict, evidence, meaning, command."""
    chosen: tuple[int, ...] = ()
    """Place among the candidates → how many queries' best one was shown there."""
    skipped: str = ""
    """Why it does not apply here."""
    failure: str = ""
    traceback: str = ""
    validity: Mapping[str, float] = field(default_factory=dict)
    """Shares and means that say whether the figures mean what they seem to (docs/validity.md), with `diagnostics`."""
    faults: tuple[str, ...] = ()
    """Why a conclusion should not rest on this row; each begins with its kind."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """`rr_bench.evaluate.probabilities.calibration_of`: with the bins of the reliability diagram."""


@dataclass(frozen=True)
class Fold:
    """The data set that one fold of a cross-validation is."""

    fingerprint: str
    queries: Mapping[str, int]
    """Split → count."""


@dataclass(frozen=True)
class DatasetResult(_FreeText):
    """All rerankers on one data set; `rows` is empty where the data set itself could not be had (`failure`)."""

    name: str
    fingerprint: str = ""
    documents: int = 0
    queries: Mapping[str, int] = field(default_factory=dict)
    """Split → count."""
    retriever: str = ""
    protocol: str = ""
    order: str = "shuffled"
    """In which candidates were shown: `rr_bench.registry.Order`."""
    mean_candidates: float = 0.0
    recall_ceiling: float = 0.0
    notes: tuple[str, ...] = ()
    query_ids: tuple[str, ...] = ()
    populations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Each population that a metric names → its queries."""
    folds: tuple[Fold, ...] = ()
    """Empty where there was no cross-validation."""
    baseline: str = ""
    """The row that the others' differences are taken from."""
    rows: tuple[Row, ...] = ()
    failure: str = ""
    traceback: str = ""
    unanswerable: tuple[str, ...] = ()
    """Test queries that have no answer, as the data say: in no metric, and not among `query_ids`."""
    validity: Mapping[str, float] = field(default_factory=dict)
    """`rr_bench.evaluate.validity.dataset_figures`."""
    truth_places: tuple[float, ...] = ()
    """Shares of the relevant candidates in each tenth of their lists."""
    faults: tuple[str, ...] = ()
    """Why a conclusion should not rest on the data set; every row has them too."""


@dataclass(frozen=True)
class BenchResult:
    profile: str
    baseline: str
    metrics: tuple[str, ...]
    """The first one leads."""
    datasets: tuple[DatasetResult, ...]
    environment: Mapping[str, str]

    @property
    def failed(self) -> bool:
        return any(dataset.failure or any(row.failure for row in dataset.rows) for dataset in self.datasets)
