"""The cells of the comparison table, the same for every format that people read."""

from __future__ import annotations

from collections.abc import Mapping

from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import Difference
from rr_bench.report.times import machines

SHOWN_DIAGNOSTICS = (
    "constant",
    "tied",
    "lost_in_32_bits",
    "label_mass",
    "uniform",
    "tau",
    "permutations",
    "truncated",
    "history_dropped",
    "windowed",
    "tournament",
)
"""Named first and in this order; a plugin's own follow by name."""
FAULT = "⚠"
"""Before the state of a row on which no conclusion should rest; its notes say why."""
FIXED_COLUMNS = 9
"""Of `header`, besides one a metric."""
USUAL = {"order_tau": 1.0}
"""What goes without saying, of figures of which that is not 0."""
EVEN_IF_0 = ("label_mass", "uniform", "truncated", "tau")
"""0 is what must be seen there."""


def header(result: BenchResult, dataset: DatasetResult) -> list[str]:
    leading, *others = result.metrics
    return [
        "reranker",
        "state",
        f"{leading} [95 % interval]",
        f"Δ {leading} to {dataset.baseline}",
        *others,
        "train s",
        "ms/query",
        "pairs/s",
        "parameters",
        "trained",
        "notes",
    ]


def cells(row: Row, result: BenchResult) -> list[str]:
    """One text a column of `header`; a failed or skipped row has its reason and no figures."""
    if not row.metrics:
        return [
            row.reranker,
            "FAILED" if row.failure else "skipped",
            *[""] * (FIXED_COLUMNS + len(result.metrics) - 3),
            row.failure or row.skipped,
        ]
    leading, *others = (row.metrics[name] for name in result.metrics)
    gap = row.difference
    return [
        row.reranker,
        f"{FAULT} {row.state}" if row.faults else row.state,
        f"{leading.mean:.3f} [{leading.low:.3f}, {leading.high:.3f}]",
        _difference(gap) if gap else "",
        *(f"{one.mean:.3f}" for one in others),
        "" if row.train_seconds is None else f"{row.train_seconds:.1f}",
        f"{row.ms_per_query:.2f}",
        f"{row.pairs_per_second:,.0f}",
        count(row.parameters),
        count(row.trainable),
        "; ".join((*_faults(row), *_verdict(row), *row.notes, *_checkpoints(row), *_diagnostics(row))),
    ]


def title(dataset: DatasetResult) -> str:
    """One line on what was compared on."""
    of_population = populations(dataset)
    return (
        f"{dataset.name}: {dataset.documents} documents, queries {sizes(dataset)}; {dataset.mean_candidates:.1f} "
        f"candidates by {dataset.retriever}{ordered(dataset.order)}, {dataset.protocol}, "
        f"recall ceiling {dataset.recall_ceiling:.3f}; "
        f"{of_population}{'; ' if of_population else ''}data {dataset.fingerprint[:12]}"
    )


def ordered(order: str) -> str:
    """What is said of the order in which candidates are shown, behind the name of the retriever."""
    return ", in the retriever's order" if order == "retriever" else ""


def sizes(dataset: DatasetResult) -> str:
    """How many queries there are in each split, or in the folds."""
    if dataset.folds:
        return f"{len(dataset.query_ids)} in {len(dataset.folds)} folds"
    return ", ".join(f"{count} {split}" for split, count in dataset.queries.items())


def populations(dataset: DatasetResult) -> str:
    """How many queries each population has that a metric names."""
    return "; ".join(
        f"{name.replace('-', ' ')}: {len(ids)} of {len(dataset.query_ids)}" for name, ids in dataset.populations.items()
    )


def explanation(result: BenchResult) -> str:
    """What the columns mean, in one line under the tables."""
    named = ", or those of the population that a metric names" if any(":" in name for name in result.metrics) else ""
    means = f"Means over the test queries{named}. Intervals: 95 % Student t over queries; Δ: paired"
    if any(dataset.folds for dataset in result.datasets):
        means = (
            f"Means over a fold's test queries{named}, then over the folds. Intervals: 95 % Student t over the folds' "
            "means; Δ: Student t over the queries of all folds, paired"
        )
    rows = [row for dataset in result.datasets for row in dataset.rows]
    told = f"{FAULT}: no conclusion should rest on the row, its notes say why. " if any(r.faults for r in rows) else ""
    if any(row.calibration for row in rows):
        told += "auroc, brier, ece: of the scores as probabilities, logits by the sigmoid. "
    compared = sum(row.difference is not None for dataset in result.datasets for row in dataset.rows)
    return (
        f"{means}, against the row that the column names. p: two-sided, by random signs; Holm: that p among all "
        f"{compared} comparisons of this bench. {machines(result)}{told}"
        "Notes: shares and means over the queries; tied = equal scores among the candidates."
    )


def p_value(p: float) -> str:
    """`.042`, `< .0001`, `1`: two digits, without the 0 that all but 1 begin with."""
    return "< .0001" if p < 0.0001 else f"{p:.2g}".removeprefix("0")


def count(number: int) -> str:
    """`0`, `98.3 K`, `22.7 M`."""
    if number == 0:
        return "0"
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)


def bad_findings(row: Row) -> list[Mapping[str, str]]:
    """Its faults and warnings."""
    return [one for one in row.findings if one["verdict"] in ("fault", "warning")]


def _faults(row: Row) -> list[str]:
    return [f"fault: {one}" for one in row.faults]


def _verdict(row: Row) -> list[str]:
    """The doctor's, with the findings that are as bad, causes first: what to make of the row's figures."""
    bad = [f"{one['check']}: {one['evidence']}" for one in bad_findings(row) if one["verdict"] == row.verdict]
    return [", ".join((f"doctor: {row.verdict}", *bad))] if row.verdict else []


def _checkpoints(row: Row) -> list[str]:
    told = list(map(str, row.weights))
    return told if len(told) < 2 else [f"fold {number}: {text}" for number, text in enumerate(told, 1)]


def _difference(gap: Difference) -> str:
    corrected = "" if gap.p_holm is None else f", Holm {p_value(gap.p_holm)}"
    return f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] p {p_value(gap.p)}{corrected}"


def _diagnostics(row: Row) -> list[str]:
    """Those that are not 0, and those of which 0 says much."""
    order = {name: place for place, name in enumerate(SHOWN_DIAGNOSTICS)}
    figures = {**row.diagnostics, **row.validity}
    names = sorted(figures, key=lambda name: (order.get(name, len(order)), name))
    return [
        f"{'τ' if name == 'tau' else name.replace('_', ' ')} {figures[name]:.2g}"
        for name in names
        if figures[name] != USUAL.get(name, 0.0) or name in EVEN_IF_0
    ]
