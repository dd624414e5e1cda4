"""What a bench whose scores are all stored spends on judging them, on a CPU and one thread.

    OMP_NUM_THREADS=1 python benchmarks/warm_bench.py [--queries N] [--rounds N] [--json FILE]

Two rows on a data set of 10,000 test queries with 20 candidates each: the metrics, their intervals, the comparisons,
the figures of validity. Seconds are wall time; the rest is reading what is stored, and writing the run. Exits 0 only
where the goal holds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from figures import Line, report

import rr
from rr.files import home
from rr_bench.evaluate import bench as benching
from rr_bench.evaluate import measured
from rr_bench.keeping import home_at

GOAL = 0.15
WORDS = [f"w{number}" for number in range(400)]
JUDGING = {
    measured: ("_values", "interval", "doubts"),
    benching: ("_compared", "concluded", "grouped", "suite_means"),
}
"""Module → the functions that judge, as it calls them."""


def registry(folder: Path, queries: int) -> Path:
    generator = random.Random(5)

    def lines(name: str, rows: list[dict[str, Any]]) -> None:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    documents = [" ".join(generator.sample(WORDS, 8)) for _ in range(2_000)]
    lines("documents.jsonl", [{"id": f"d{n}", "text": text} for n, text in enumerate(documents)])
    truths = [generator.randrange(len(documents)) for _ in range(queries + 20)]
    splits = ["test"] * queries + ["train"] * 10 + ["dev"] * 10
    asked = [" ".join([*generator.sample(documents[truth].split(), 3), f"q{n}"]) for n, truth in enumerate(truths)]
    lines("queries.jsonl", [{"id": f"q{n}", "text": t, "split": splits[n]} for n, t in enumerate(asked)])
    lines("qrels.jsonl", [{"query": f"q{n}", "document": f"d{truth}"} for n, truth in enumerate(truths)])
    named = ", ".join(f"{kind}: {folder}/{kind}.jsonl" for kind in ("documents", "queries", "qrels"))
    text = (
        "version: 1\ndefault_profile: large\nprofiles: {large: {suite: large}}\n"
        f"suites: {{large: {{datasets: {{large: {{reader: jsonl, options: {{{named}}}}}}}}}}}\n"
        "rerankers: {first-stage: {reranker: first_stage}, random: {reranker: random}}\n"
    )
    path = folder / "registry.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def timed(spent: list[float], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            spent.append(time.perf_counter() - started)

    return call


def warm(path: Path) -> tuple[float, float]:
    """Seconds of a bench of which all is stored, and of judging in it."""
    spent: list[float] = []
    own = {(module, name): getattr(module, name) for module, names in JUDGING.items() for name in names}
    for (module, name), function in own.items():
        setattr(module, name, timed(spent, function))
    try:
        started = time.perf_counter()
        result = rr.bench(registry=path)
        seconds = time.perf_counter() - started
    finally:
        for (module, name), function in own.items():
            setattr(module, name, function)
    assert all(row.scores_from_store and row.metrics for row in result.datasets[0].rows)
    return seconds, sum(spent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, home_at(Path(folder) / "home"):
        home().mkdir()
        path = registry(Path(folder), options.queries)
        rr.bench(registry=path)
        rounds = [warm(path) for _ in range(options.rounds)]
    share = statistics.median(judging / seconds for seconds, judging in rounds)
    return report(
        [
            Line("share of a warm bench that is spent on judging", share, GOAL, at_least=False),
            Line("  seconds of the bench", statistics.median(seconds for seconds, _ in rounds)),
            Line("  seconds of judging", statistics.median(judging for _, judging in rounds)),
        ],
        options.json,
    )


if __name__ == "__main__":
    sys.exit(main())
