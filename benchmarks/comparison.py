"""How long a bench's intervals and comparisons take, and in how much memory: ten rows, 100,000 queries, five metrics.

    OMP_NUM_THREADS=1 python benchmarks/comparison.py [--json FILE]

Each piece of work is done in a fresh process, which has made the values as a bench holds them (a tuple of floats a row
and metric) before the clock starts. Memory is the peak of its resident set beyond what it had then. Values are like
those of a search: a third of the queries at the ends of the scale, rows that agree on most. Goals, for the intervals of
every row and metric and the comparisons of every row with one baseline by every metric (with p, correction, effect and
letters): 60 s and 500 MB. All pairs, and the mean over a suite of two such data sets, are for information.
Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from figures import Line, report

from rr_bench.evaluate.comparison import compared
from rr_bench.evaluate.conclusions import concluded
from rr_bench.evaluate.results import DatasetResult, Row
from rr_bench.evaluate.significance import interval
from rr_bench.evaluate.suite import suite_means

ROWS, QUERIES = 10, 100_000
METRICS = ("nDCG@10", "MRR@10", "MAP", "Recall@10", "Hit@10")
SECONDS, MEGABYTES = 60, 500


def values(seed: int) -> list[dict[str, tuple[float, ...]]]:
    """One a row: metric → one value a query."""
    generator = np.random.default_rng(seed)
    easy = generator.beta(0.6, 0.6, QUERIES)
    rows = []
    for row in range(ROWS):
        own = np.where(generator.random(QUERIES) < 0.4, generator.beta(0.6, 0.6, QUERIES), easy) * (1 - row / 200)
        own = np.where(generator.random(QUERIES) < 1 / 3, np.round(own), own)
        rows.append({metric: tuple((own ** (1 + number / 4)).tolist()) for number, metric in enumerate(METRICS)})
        rows[-1]["Hit@10"] = tuple(np.round(own).tolist())
    return rows


def measured(name: str, per_query: list[dict[str, tuple[float, ...]]]) -> DatasetResult:
    rows = tuple(
        Row(
            f"row {number}",
            metrics={metric: interval(one) for metric, one in of_row.items()},
            per_query=of_row,
        )
        for number, of_row in enumerate(per_query)
    )
    return DatasetResult(name, query_ids=tuple(map(str, range(QUERIES))), baseline="row 0", rows=rows)


def one_baseline(*of_datasets: list[dict[str, tuple[float, ...]]]) -> int:
    result = compared(measured("a", of_datasets[0]), METRICS, ["row 0"], all_pairs=False)
    return len(concluded([result])[0].comparisons)


def all_pairs(*of_datasets: list[dict[str, tuple[float, ...]]]) -> int:
    result = compared(measured("a", of_datasets[0]), METRICS, ["row 0"], all_pairs=True)
    return len(concluded([result])[0].comparisons)


def suite(*of_datasets: list[dict[str, tuple[float, ...]]]) -> int:
    results = [measured(str(number), one) for number, one in enumerate(of_datasets)]
    return len(suite_means(results, METRICS[0]))


WORK: dict[str, tuple[Callable[..., int], int]] = {
    "intervals and comparisons with one baseline": (one_baseline, 1),
    "intervals and comparisons of all pairs": (all_pairs, 1),
    "mean and ranks over a suite of two": (suite, 2),
}
"""What is done, and on how many data sets."""


def alone(name: str) -> None:
    """In a process of its own: prints seconds, megabytes, and how many figures there are."""
    work, count = WORK[name]
    given = [values(seed) for seed in range(count)]
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is from here on
    start = time.perf_counter()
    figures = work(*given)
    seconds = time.perf_counter() - start
    highest = _memory("VmHWM")
    print(json.dumps([seconds, (highest - before) / 1024, figures]))


def _memory(name: str) -> int:
    """Kilobytes of this process, as Linux counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def measure() -> list[Line]:
    lines = []
    for name in WORK:
        command = [sys.executable, __file__, "--alone", name]
        ended = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
        seconds, megabytes, figures = json.loads(ended.stdout)
        with_goal = name == next(iter(WORK))
        lines += [
            Line(f"{name}: seconds", seconds, SECONDS if with_goal else None, at_least=False),
            Line("  peak memory beyond the values, MB", megabytes, MEGABYTES if with_goal else None, at_least=False),
            Line("  figures", figures),
        ]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--alone", choices=list(WORK), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        alone(given.alone)
        return 0
    return report(measure(), given.json)


if __name__ == "__main__":
    sys.exit(main())
