"""What stands besides the table of a data set: the same rows a group of queries, and the mean over the suite; the same
cells for every format that people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rr_bench.evaluate.results import BenchResult, DatasetResult, Group
from rr_bench.evaluate.significance import Interval


@dataclass(frozen=True)
class Section:
    """A small table: texts as they are, to be escaped by each format. The first column is text, the others numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def of_dataset(dataset: DatasetResult, result: BenchResult) -> Iterator[Section]:
    """One a group of its queries."""
    leading, *others = result.metrics
    for group in dataset.groups:
        yield Section(
            title=f"{dataset.name}, {group_name(group)}: {group.queries[leading]} queries",
            header=("reranker", f"{leading} [95 % interval]", *others),
            rows=tuple(
                (
                    name,
                    _interval(metrics[leading]) if leading in metrics else "",
                    *(f"{metrics[one].mean:.3f}" if one in metrics else "" for one in others),
                )
                for name, metrics in group.metrics.items()
            ),
            notes=(group.caution,) if group.caution else (),
        )


def group_name(group: Group) -> str:
    return f"{group.field} {group.value}" if group.value else f"no {group.field}"


def of_suite(result: BenchResult) -> Iterator[Section]:
    """The mean over all data sets, where there are several."""
    if result.suite:
        yield Section(
            title=f"mean over {len(result.datasets)} data sets",
            header=("reranker", f"{result.metrics[0]} [95 % interval]", "rank [95 %]"),
            rows=tuple(
                (one.reranker, _interval(one.mean), f"{one.rank} [{one.rank_low}, {one.rank_high}]")
                if one.mean
                else (one.reranker, f"no figures on {', '.join(one.missing)}", "")
                for one in result.suite
            ),
            notes=(
                "each data set counts alike; 95 % t interval over the queries within them; ranks over samples of those "
                "queries, the same for all rows",
            ),
        )


def _interval(one: Interval) -> str:
    return f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]"
