"""How often our p and our 95 % intervals err, on the per-query scores that docs/results holds.

    OMP_NUM_THREADS=1 python benchmarks/inference.py [--json FILE]

A population is what one row has by one metric on one data set: its values, or their differences from the baseline's.
Samples are drawn from it with replacement. Type I: each difference of a sample has a random sign, as if the two systems
had been swapped by lot, so that there is no difference to be found; goals: at most .06 below p = .05, and at least .04
where differences are continuous and n is 20 or more. Coverage: how often an interval has the population's own mean, or
the product says that it rests on too little; goal: .94. A line is of the worst population.

Monte-Carlo error does not decide: p's are of 20,000 trials, so that .06 and .04 are 6 standard errors from .05; of
intervals, samples are drawn until their share is 4 standard errors from .94, or is known to .001.
Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from figures import Line, report
from numpy.typing import NDArray

from rr_bench.evaluate.significance import DIFFERENCES, MEANS, Scale, doubtful, limits
from rr_bench.evaluate.signs import ROUNDING, sign_flip_p

RESULTS = Path(__file__).parent.parent / "docs" / "results"
SIZES = (10, 20, 30, 50, 100, 200, 500)
ALPHA, HIGHEST, LOWEST, COVERAGE = 0.05, 0.06, 0.04, 0.94
RESAMPLES, SIGNS = 20, 1000
FIRST, MOST = 2_000, 50_000
"""Samples of an interval: so many at first, and at most."""
AT_ONCE = 500_000
"""Values that are drawn at a time."""


@dataclass(frozen=True)
class Population:
    name: str
    metric: str
    values: NDArray[np.float64]
    scale: Scale

    @property
    def continuous(self) -> bool:
        """At most a quarter of the differences is 0, and the others are of 20 sizes or more; else they are sparse, or
        take so few values that few p's are possible."""
        sizes = np.abs(self.values[np.abs(self.values) > ROUNDING])
        return len(sizes) >= 0.75 * len(self.values) and len(np.unique(sizes.round(9))) >= 20

    def samples(self, count: int, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        return self.values[generator.integers(0, len(self.values), size=(count, n))]


def populations() -> Iterator[Population]:
    for file in sorted(RESULTS.glob("*/bench.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        for dataset in result["datasets"]:
            rows = {row["reranker"]: row["per_query"] for row in dataset["rows"] if row["per_query"]}
            baseline = rows[dataset.get("baseline") or result["baseline"]]
            for metric in result["metrics"]:
                for name, values in rows.items():
                    label = f"{file.parent.name}, {dataset['name']}, {name}, {metric}"
                    ours, theirs = np.array(values[metric]), np.array(baseline[metric])
                    yield Population(label, metric, ours, MEANS)
                    if values is not baseline:
                        yield Population(f"{label}, Δ", metric, ours - theirs, DIFFERENCES)


def type_one(population: Population, n: int, generator: np.random.Generator) -> float:
    """The share of trials with p ≤ .05. Trials that differ in their signs only share what these are held against."""
    below = 0
    for gaps in population.samples(RESAMPLES, n, generator):
        signs = generator.integers(0, 2, size=(SIGNS, n)) * 2.0 - 1.0
        below += int((sign_flip_p(gaps, signs @ gaps) <= ALPHA + ROUNDING).sum())
    return below / (RESAMPLES * SIGNS)


def coverage(population: Population, n: int, generator: np.random.Generator) -> tuple[float, float]:
    """The share of intervals that have the mean, and of those that have it or carry the note."""
    mean = population.values.mean()
    drawn = missed = unsaid = 0
    while drawn < MOST:
        samples = population.samples(min(FIRST, AT_ONCE // n), n, generator)
        low, high = limits(samples, population.scale)
        misses = samples[(mean < low - ROUNDING) | (mean > high + ROUNDING)]
        drawn, missed = drawn + len(samples), missed + len(misses)
        unsaid += int((~doubtful(misses, population.scale)).sum())
        said = 1 - unsaid / drawn
        if drawn >= FIRST and abs(said - COVERAGE) > 4 * (max(said * (1 - said), 1 / drawn) / drawn) ** 0.5:
            break
    return 1 - missed / drawn, said


def measure() -> list[Line]:
    generator, found = np.random.default_rng(0), list(populations())
    leading = {one.metric for one in found if one.metric.startswith(("nDCG", "Hit"))}
    tested: dict[str, list[Population]] = defaultdict(list)
    for one in found:
        if one.scale is DIFFERENCES and one.metric in leading:
            tested["continuous" if one.continuous else "sparse"].append(one)
    counts = ", ".join(f"{len(of_kind)} {kind}" for kind, of_kind in tested.items())
    print(f"{len(found)} populations; p is of the differences by {', '.join(sorted(leading))}: {counts}")
    lines = []
    for n in SIZES:
        for kind, of_kind in tested.items():
            lines += of_p(n, kind, {one.name: type_one(one, n, generator) for one in of_kind})
        for kind, scale in (("mean", MEANS), ("Δ", DIFFERENCES)):
            lines += of_intervals(n, kind, {p.name: coverage(p, n, generator) for p in found if p.scale is scale})
    return lines


def of_p(n: int, kind: str, shares: dict[str, float]) -> list[Line]:
    worst = max(shares, key=shares.__getitem__)
    print(f"n {n}, {kind}: p is most often below .05 on {worst}", flush=True)
    lines = [Line(f"n {n}, {kind}: Type I at .05, highest", shares[worst], HIGHEST, at_least=False)]
    if kind == "continuous":
        lowest = min(shares.values())
        lines.append(Line(f"n {n}, {kind}: Type I at .05, lowest", lowest, LOWEST if n >= 20 else None))
    return lines


def of_intervals(n: int, kind: str, covered: dict[str, tuple[float, float]]) -> list[Line]:
    worst = min(covered, key=lambda name: covered[name][1])
    print(f"n {n}, {kind}: intervals miss and say nothing most often on {worst}", flush=True)
    bare = [share for share, _ in covered.values()]
    return [
        Line(f"n {n}, {kind}: covered or noted, lowest", covered[worst][1], COVERAGE),
        Line("  covered, whether noted or not: median", statistics.median(bare)),
        Line("  covered, whether noted or not: lowest", min(bare)),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()
    return report(measure(), asked.json)


if __name__ == "__main__":
    sys.exit(main())
