"""What runs and pairs cost on disk and in time.

    OMP_NUM_THREADS=1 python benchmarks/stores.py [--json FILE]

Runs: 100 of 10 rows with 10,000 values a query each, written one run at a time, as benches do, then found, listed and
read; in SQLite as `rr_bench.runs` keeps them, and in Parquet files that DuckDB queries, where it is installed. The
values are nDCG@10s of one relevant document. Pairs: a million of them in queries of twenty, and the time to find those
of 1,000 queries; goals: at most 60 MB, and 1 second. Times are of the CPU, since machines are shared. Exits 0 only
where both goals hold.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rr.types import Document, Query, Request
from rr_bench.evaluate.pairs import Answer, Pairs
from rr_bench.runs import database
from rr_bench.runs.packing import Blobs, packed, unpacked

RUNS, ROWS, QUERIES = 100, 10, 10_000
PAIRS, LIST, ASKED = 1_000_000, 20, 1_000
MOST_BYTES, MOST_SECONDS = 60e6, 1.0
GAINS = [0.0, *(1 / math.log2(rank + 1) for rank in range(1, 11))]


def timed(work: Callable[[], object]) -> float:
    """Of this process's own work: a disk is waited for by `fsync` alone, once a run."""
    started = time.process_time()
    work()
    return time.process_time() - started


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def values(run: int) -> dict[str, list[float]]:
    generator = random.Random(run)
    return {f"row {row}": generator.choices(GAINS, k=QUERIES) for row in range(ROWS)}


def in_sqlite(folder: Path) -> dict[str, float]:
    os.environ["RR_HOME"] = str(folder)

    def write(run: int) -> None:
        blobs: Blobs = {}
        database.add({"result": packed(values(run), blobs)}, blobs)

    def read() -> None:
        for run in database.all_runs():
            unpacked(run.about["result"], run.blob)

    drawn = sum(timed(lambda run=run: values(run)) for run in range(RUNS))  # type: ignore[misc]
    written = sum(timed(lambda run=run: write(run)) for run in range(RUNS)) - drawn  # type: ignore[misc]
    one = database.find("latest")
    return {
        "write s": written,
        "list s": timed(database.all_runs),
        "one row s": timed(lambda: unpacked(one.about["result"]["row 3"], one.blob)),
        "all values s": timed(read),
        "MB": size(folder) / 1e6,
    }


def in_parquet(folder: Path) -> dict[str, float]:
    duckdb: Any = import_module("duckdb")
    connection = duckdb.connect()

    def write(run: int) -> None:
        import pyarrow

        rows = values(run)
        rows_ = pyarrow.table(  # noqa: F841 - which DuckDB finds by its name
            {
                "row": [name for name in rows for _ in range(QUERIES)],
                "query": list(range(QUERIES)) * ROWS,
                "value": [value for row in rows.values() for value in row],
            }
        )
        path = folder / f"{run:03d}.parquet"
        connection.execute(f"COPY rows_ TO '{path}.new' (FORMAT parquet, COMPRESSION zstd)")
        with Path(f"{path}.new").open("rb") as file:
            os.fsync(file.fileno())
        Path(f"{path}.new").rename(path)

    every = f"read_parquet('{folder}/*.parquet', filename = true)"
    drawn = sum(timed(lambda run=run: values(run)) for run in range(RUNS))  # type: ignore[misc]
    written = sum(timed(lambda run=run: write(run)) for run in range(RUNS)) - drawn  # type: ignore[misc]
    one = f"SELECT value FROM read_parquet('{folder}/042.parquet') WHERE \"row\" = 'row 3' ORDER BY query"
    return {
        "write s": written,
        "list s": timed(lambda: connection.execute(f"SELECT DISTINCT filename FROM {every}").fetchall()),
        "one row s": timed(lambda: connection.execute(one).fetchall()),
        "all values s": timed(lambda: connection.execute(f"SELECT value FROM {every}").fetchall()),
        "MB": size(folder) / 1e6,
    }


def of_pairs(folder: Path) -> dict[str, float]:
    os.environ["RR_HOME"] = str(folder)
    documents = [Document(f"d{number}", f"document {number} " * 20) for number in range(10_000)]
    generator = random.Random(1)
    requests = [
        Request(Query(f"q{number}", f"query {number}"), tuple(generator.sample(documents, LIST)))
        for number in range(PAIRS // LIST)
    ]

    def answer(request: Request) -> Answer:
        return Answer({d.id: generator.random() for d in request.candidates}, {"truncated": 0.0})

    def write() -> None:
        pairs = Pairs("key")
        for start in range(0, len(requests), 100):  # as many as a part of the score store holds
            pairs.keep([(request, answer(request)) for request in requests[start : start + 100]], {"apart": "yes"})

    written, asked = timed(write), generator.sample(requests, ASKED)
    found: list[Any] = []
    looked = timed(lambda: found.append(Pairs("key").known(asked)))
    ((known, _),) = found
    assert sum(len(one.scores) for answers in known for one in answers) == ASKED * LIST
    return {"write s": written, f"look up {ASKED * LIST} s": looked, "MB": size(folder) / 1e6}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    ways: dict[str, Callable[[Path], dict[str, float]]] = {"runs, SQLite": in_sqlite, "pairs, SQLite": of_pairs}
    if find_spec("duckdb") is not None:
        ways["runs, DuckDB over Parquet"] = in_parquet
    found = {}
    for name, way in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = way(Path(folder))
        print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in found[name].items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    pairs = found["pairs, SQLite"]
    return int(pairs["MB"] * 1e6 > MOST_BYTES or pairs[f"look up {ASKED * LIST} s"] > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
