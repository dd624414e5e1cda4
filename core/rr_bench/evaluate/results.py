"""What a bench finds out, as plain data: reports render it, JSON holds it whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rr.registry.expansion import as_written
from rr_bench.evaluate.significance import Difference, Interval

if TYPE_CHECKING:
    from rr_bench.train.checkpoints import Choice


@dataclass(frozen=True)
class Weights:
    """The checkpoint that a row's weights are from, and what it was trained on."""

    checkpoint: str
    """The name of its folder."""
    fingerprint: str
    """SHA-256 over the names and contents of its files."""
    dataset: str
    data_fingerprint: str

    @classmethod
    def of(cls, choice: Choice) -> tuple[Weights, ...]:
        """Those of the checkpoint that was chosen, if one was."""
        if choice.checkpoint is None:
            return ()
        one, data = choice.checkpoint, choice.checkpoint.record["data"]
        return (cls(one.folder.absolute().name, one.fingerprint(), data["name"], data["fingerprint"]),)

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
class Seed:
    """One of the trainings of a row that was trained with several seeds."""

    seed: int
    per_query: Mapping[str, tuple[float, ...]]
    """Metric → one value a query, in the order of the row's."""

    def mean(self, metric: str) -> float:
        return fmean(self.per_query[metric])


@dataclass(frozen=True)
class Spread:
    """Where the variance of a metric over queries and seeds comes from: standard deviations."""

    queries: float
    """Between queries, whatever the seed."""
    seeds: float
    """Between seeds, over all queries: how far a new training's mean would lie from the others'."""
    rest: float
    """What a seed does to single queries."""


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
    ms_p95: float = 0.0
    """Milliseconds that 95 % of the timed queries stay below, interpolated."""
    timed_queries: int = 0
    memory: int | None = None
    """The most bytes of resident memory that loading and asking it took; None where the system does not tell."""
    device_memory: int = 0
    """Likewise, on the accelerator."""
    size: int = 0
    """Bytes: `parameters` times the width of the number format that it computes in (`ModelInfo.precision`)."""
    dollars: float | None = None
    """Of 1,000 queries; None where the registry knows no price."""
    pareto: bool = False
    """Whether no other row has as high a leading metric in less time a query, or a higher one in as little."""
    best: tuple[str, ...] = ()
    """The metrics whose mean is the highest on this data set; empty where nothing else has figures."""
    letters: str = ""
    """Rows of this data set that share one do not differ by the leading metric: `rr_bench.evaluate.letters`, after Holm
    at .05 over all pairs of them."""
    seeds: tuple[Seed, ...] = ()
    """The trainings that `per_query` and `metrics` are means over, where there are several."""
    spread: Mapping[str, Spread] = field(default_factory=dict)
    """Metric → its components of variance, where there are several seeds."""
    validity: Mapping[str, float] = field(default_factory=dict)
    """Shares and means that say whether the figures mean what they seem to (docs/validity.md), with `diagnostics`."""
    faults: tuple[str, ...] = ()
    """Why a conclusion should not rest on this row; each begins with its kind."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """`rr_bench.evaluate.probabilities.calibration_of`: with the bins of the reliability diagram."""

    @property
    def worst(self) -> str:
        """The doctor's verdict; `fault` where it has `faults` of its own, too."""
        return "fault" if self.faults else self.verdict

    def seed_means(self, metric: str) -> list[tuple[float, ...]]:
        """The means of its seeds, where it has some: what `significance.errors` counts."""
        return [tuple(seed.mean(metric) for seed in self.seeds)] if self.seeds else []


@dataclass(frozen=True)
class Comparison:
    """One row against another of the same data set, by one metric."""

    reranker: str
    baseline: str
    metric: str
    exploratory: bool
    """Whether the metric is not the leading one: such comparisons are corrected among themselves."""
    difference: Difference


@dataclass(frozen=True)
class Group:
    """The test queries that have one value of a field that the data set's `group_by` names."""

    field: str
    value: str
    """Empty: of those that have none."""
    queries: Mapping[str, int]
    """Metric → how many of them it is a mean over."""
    metrics: Mapping[str, Mapping[str, Interval]]
    """Reranker → metric → its mean over these; those that have figures."""
    caution: str = ""
    """That they are few, if they are."""


@dataclass(frozen=True)
class SuiteMean:
    """One reranker over all data sets of a bench, each counting alike, by the leading metric."""

    reranker: str
    mean: Interval | None = None
    """Over data sets, with its 95 % t interval over the queries (and seeds) within each; None with `missing`."""
    rank: int = 0
    """1 + how many of the rerankers with a mean have a better one."""
    rank_low: int = 0
    rank_high: int = 0
    """Between which 95 % of its ranks lie, over samples of each data set's queries."""
    missing: tuple[str, ...] = ()
    """Data sets that it has no figures on."""


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
    """Best first by the leading metric; behind them those without figures."""
    failure: str = ""
    traceback: str = ""
    first_stage: Mapping[str, float] = field(default_factory=dict)
    """What the retriever takes for a query, `ms_per_query` and `ms_p95` over `queries`; empty where it was not timed
    (a run that the source brought along)."""
    first_stage_timed_on: Mapping[str, str] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    """With each baseline, or of all pairs, by every metric."""
    groups: tuple[Group, ...] = ()
    unanswerable: tuple[str, ...] = ()
    """Test queries that have no answer, as the data say: in no metric, and not among `query_ids`."""
    validity: Mapping[str, float] = field(default_factory=dict)
    """`rr_bench.evaluate.validity.dataset_figures`."""
    truth_places: tuple[float, ...] = ()
    """Shares of the relevant candidates in each tenth of their lists."""
    faults: tuple[str, ...] = ()
    """Why a conclusion should not rest on the data set; every row has them too."""

    def queries_of(self, metric: str) -> tuple[str, ...]:
        """Those that the metric has a value of: of the population that it names, or all."""
        return self.populations.get(metric.partition(":")[2], self.query_ids)


@dataclass(frozen=True)
class BenchResult:
    profile: str
    baseline: str
    metrics: tuple[str, ...]
    """The first one leads."""
    datasets: tuple[DatasetResult, ...]
    environment: Mapping[str, str]
    suite: tuple[SuiteMean, ...] = ()
    """The best first; empty where there is one data set."""

    @property
    def failed(self) -> bool:
        return any(dataset.failure or any(row.failure for row in dataset.rows) for dataset in self.datasets)
