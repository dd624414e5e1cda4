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
TIMES = ("train s", "ms/query", "p95 ms", "pairs/s", "$/1k")
SIZES = ("memory", "size", "parameters", "trained")
COST = (*TIMES, *SIZES)
"""The columns of what a row costs; `$/1k` stands only where a price is known."""
SURE = 20
"""Fewer timed queries than these have no 95th percentile to speak of: their number is shown."""
FAULT = "⚠"
"""Before the state of a row on which no conclusion should rest; its notes say why."""
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
        *_cost_columns(result),
        "notes",
    ]


def _cost_columns(result: BenchResult) -> list[str]:
    priced = any(row.dollars is not None for dataset in result.datasets for row in dataset.rows)
    return [name for name in COST if name != "$/1k" or priced]


def cells(row: Row, result: BenchResult) -> list[str]:
    """One text a column of `header`; a failed or skipped row has its reason and no figures."""
    if not row.metrics:
        return [
            row.reranker,
            "FAILED" if row.failure else "skipped",
            *[""] * (1 + len(result.metrics) + len(_cost_columns(result))),
            row.failure or row.skipped,
        ]
    leading, *others = (row.metrics[name] for name in result.metrics)
    gap = row.difference
    return [
        row.reranker,
        f"{FAULT} {row.state}" if row.worst == "fault" else row.state,
        f"{leading.mean:.3f} [{leading.low:.3f}, {leading.high:.3f}]" + (f" {row.letters}" if row.letters else ""),
        _difference(gap) if gap else "",
        *(f"{one.mean:.3f}" for one in others),
        *(_cost(row)[name] for name in _cost_columns(result)),
        "; ".join((*_faults(row), *_verdict(row), *row.notes, *_checkpoints(row), *_diagnostics(row))),
    ]


def _cost(row: Row) -> dict[str, str]:
    sure = "" if row.timed_queries >= SURE else f" (n {row.timed_queries})"
    p95 = f"{row.ms_p95:.2f}{sure}" if row.timed_queries else ""
    device = f" + {size(row.device_memory)} device" if row.device_memory else ""
    return {
        "train s": "" if row.train_seconds is None else f"{row.train_seconds:.1f}",
        "ms/query": f"{row.ms_per_query:.2f}{'*' * row.pareto}",
        "p95 ms": p95,
        "pairs/s": f"{row.pairs_per_second:,.0f}",
        "$/1k": "" if row.dollars is None else f"{row.dollars:.3g}",
        "memory": "" if row.memory is None else f"{size(row.memory)}{device}",
        "size": size(row.size),
        "parameters": count(row.parameters),
        "trained": count(row.trainable),
    }


def bold(row: Row, result: BenchResult) -> list[bool]:
    """Of each cell: whether it is the best of its column."""
    leading, *others = (metric in row.best for metric in result.metrics)
    return [False, False, leading, False, *others, *[False] * (len(_cost_columns(result)) + 1)]


def title(dataset: DatasetResult) -> str:
    """One line on what was compared on."""
    of_population = populations(dataset)
    return (
        f"{dataset.name}: {dataset.documents} documents, queries {sizes(dataset)}; {dataset.mean_candidates:.1f} "
        f"candidates by {dataset.retriever}{ordered(dataset.order)}, {dataset.protocol}, "
        f"recall ceiling {dataset.recall_ceiling:.3f}; {_retrieval(dataset)}"
        f"{of_population}{'; ' if of_population else ''}data {dataset.fingerprint[:12]}"
    )


def _retrieval(dataset: DatasetResult) -> str:
    """What the first stage takes, where it was timed."""
    one = dataset.first_stage
    return f"first stage {one['ms_per_query']:.2f} ms/query, p95 {one['ms_p95']:.2f}; " if one else ""


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
    compared = sum(not one.exploratory for dataset in result.datasets for one in dataset.comparisons)
    among = f"by {result.metrics[0]} of this bench"
    letters = "Rows that share a letter do not differ (all pairs of a data set, Holm, .05). "
    seeds = (
        "Rows of several seeds: means, intervals, Δ and p over queries and seeds; train s of one training. "
        if any(row.seeds for row in rows)
        else ""
    )
    told = (
        f"{FAULT}: no conclusion should rest on the row, its notes say why. "
        if any(r.worst == "fault" for r in rows)
        else ""
    )
    if any(row.calibration for row in rows):
        told += "auroc, brier, ece: of the scores as probabilities, logits by the sigmoid. "
    return (
        f"{means}, against the row that the column names. p: two-sided, by random signs; Holm, BH: that p among all "
        f"{compared} comparisons {among} (Holm; Benjamini and Hochberg). "
        f"{letters if any(row.letters for row in rows) else ''}{seeds}{machines(result)}{_costs(result)}{told}"
        "Notes: shares and means over the queries; tied = equal scores among the candidates."
    )


def _costs(result: BenchResult) -> str:
    """What the columns of cost mean, with a space behind it; nothing where nothing was timed."""
    rows = [row for dataset in result.datasets for row in dataset.rows if row.metrics]
    if not any(row.timed_queries for row in rows):
        return ""
    priced = "$/1k: of 1,000 queries, at the price in the registry. " if "$/1k" in _cost_columns(result) else ""
    return (
        f"* at ms/query: on the Pareto front, no other row has as high a {result.metrics[0]} in less time, nor a "
        "higher one in as little. Memory: the most that loading and asking took; size: parameters times the bytes of "
        f"the numbers computed with. {priced}"
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


def size(number: int) -> str:
    """Bytes: `0`, `412 KB`, `90.9 MB`, `1.2 GB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number} B" if number else "0"


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
    told, folds = list(map(str, row.weights)), len(next(iter(row.folds.values()), ()))
    parts = [f"seed {one.seed}" for one in row.seeds] or [f"fold {number}" for number in range(1, folds + 1)]
    return told if len(told) != len(parts) else [f"{part}: {text}" for part, text in zip(parts, told, strict=True)]


def _difference(gap: Difference) -> str:
    corrected = "" if gap.p_holm is None else f", Holm {p_value(gap.p_holm)}"
    corrected += "" if gap.p_bh is None else f", BH {p_value(gap.p_bh)}"
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
