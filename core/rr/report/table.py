"""The cells of the comparison table, the same for every format that people read."""

from __future__ import annotations

from rr.evaluate.results import BenchResult, DatasetResult, Row
from rr.report.times import machines

SHOWN_DIAGNOSTICS = (
    "constant",
    "tied",
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
EVEN_IF_0 = ("label_mass", "uniform", "truncated", "tau")
"""0 is what must be seen there."""


def header(result: BenchResult) -> list[str]:
    leading, *others = result.metrics
    return [
        "reranker",
        "state",
        f"{leading} [95 % interval]",
        f"Δ {leading} to {result.baseline}",
        *others,
        "train s",
        "ms/query",
        "pairs/s",
        "parameters",
        "trained",
        "notes",
    ]


def cells(row: Row, result: BenchResult) -> list[str]:
    """One text a column of `header`; a failed row has its reason and no figures."""
    if row.failure:
        return [row.reranker, "FAILED", *[""] * (len(header(result)) - 3), row.failure]
    leading, *others = (row.metrics[name] for name in result.metrics)
    gap = row.difference
    return [
        row.reranker,
        row.state,
        f"{leading.mean:.3f} [{leading.low:.3f}, {leading.high:.3f}]",
        f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] p {gap.p:.2g}" if gap else "",
        *(f"{one.mean:.3f}" for one in others),
        "" if row.train_seconds is None else f"{row.train_seconds:.1f}",
        f"{row.ms_per_query:.2f}",
        f"{row.pairs_per_second:,.0f}",
        count(row.parameters),
        count(row.trainable),
        "; ".join((*row.notes, *_diagnostics(row))),
    ]


def title(dataset: DatasetResult) -> str:
    """One line on what was compared on."""
    sizes = ", ".join(f"{count} {split}" for split, count in dataset.queries.items())
    if dataset.folds:
        sizes = f"{len(dataset.query_ids)} in {len(dataset.folds)} folds"
    populations = "".join(
        f"{name.replace('-', ' ')}: {len(ids)} of {len(dataset.query_ids)}; "
        for name, ids in dataset.populations.items()
    )
    return (
        f"{dataset.name}: {dataset.documents} documents, queries {sizes}; {dataset.mean_candidates:.1f} candidates by "
        f"{dataset.retriever}, {dataset.protocol}, recall ceiling {dataset.recall_ceiling:.3f}; "
        f"{populations}data {dataset.fingerprint[:12]}"
    )


def explanation(result: BenchResult) -> str:
    """What the columns mean, in one line under the tables."""
    named = ", or those of the population that a metric names" if any(":" in name for name in result.metrics) else ""
    means = f"Means over the test queries{named}. Intervals: 95 % percentile bootstrap over queries; Δ: paired"
    if any(dataset.folds for dataset in result.datasets):
        means = (
            f"Means over a fold's test queries{named}, then over the folds. Intervals: 95 % Student t over the folds' "
            "means; Δ: percentile bootstrap over the queries of all folds, paired"
        )
    return (
        f"{means}, against {result.baseline}, p two-sided. "
        f"{machines(result)}"
        "Notes: shares and means over the queries; tied = equal scores among the candidates."
    )


def count(number: int) -> str:
    """`0`, `98.3 K`, `22.7 M`."""
    if number == 0:
        return "0"
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number)


def _diagnostics(row: Row) -> list[str]:
    """Those that are not 0, and those of which 0 says much."""
    order = {name: place for place, name in enumerate(SHOWN_DIAGNOSTICS)}
    names = sorted(row.diagnostics, key=lambda name: (order.get(name, len(order)), name))
    return [
        f"{'τ' if name == 'tau' else name.replace('_', ' ')} {row.diagnostics[name]:.2g}"
        for name in names
        if row.diagnostics[name] or name in EVEN_IF_0
    ]
