"""How work that is handed out grows with the actors that do it, and that the driver does not grow with the work.

    python benchmarks/scale.py [--json FILE]

A Ray cluster of four CPUs is started on this machine, however many it has: the scorer sleeps for what a GPU would take
(`PAIR_SECONDS` a pair), and computes nothing. Throughput: a run is reranked by 1, 2 and 4 actors, as `rr rerank --run
--engine ray` does it, from when the last of them has begun until the driver has the last answer, and what an actor was
in the middle of then counts in part; goals: 2 and 4 actors are at least 0.9 times as fast as twice and four times one.
Memory: the most that this process, which drives, takes for a run of 10^6
pairs, less what it takes for one of 10^4, whose scores come at once; goal: at most 50 MB. Exits 0 only where all goals
hold.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from figures import Line, report

ACTORS, GOAL = (1, 2, 4), 0.9
PAIR_SECONDS = 1 / 1_000
"""What one GPU takes for passages and a cross-encoder of 560 million weights or so: 1,000 pairs a second."""
PAIRS, LIST, DOCUMENTS = 48_000, 100, 1_000  # pairs an actor; a query; in all
FEW, MANY, MOST_MB = 10_000, 1_000_000, 50.0

PLUGIN = """
import os
import time
import rr

@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("sleeping", "rr_sleeping:Sleeping", "Sleeps as long as a GPU computes")]

class Seconds(rr.Settings):
    a_pair: float = 0.0
    log: str | None = None

class Sleeping:
    Settings = Seconds
    info = rr.ModelInfo(scale="logit")

    def __init__(self, settings, checkpoint=None):
        self.settings = settings

    def score(self, requests):
        pairs, begun = sum(len(request.candidates) for request in requests), time.time()
        time.sleep(self.settings.a_pair * pairs)
        if self.settings.log:
            with open(self.settings.log, "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {begun} {time.time()} {pairs}\\n")
        return [[float(-place) for place in range(len(request.candidates))] for request in requests]
"""
ABOUT = "Metadata-Version: 2.1\nName: rr-sleeping\nVersion: 1.0\n"
REGISTRY = """
version: 1
default_profile: scale
profiles: {scale: {suite: scale}}
suites: {scale: {datasets: {}}}
rerankers:
  at-once: {scorer: sleeping}
"""


def installed(folder: Path) -> None:
    """The plugin, as pip would leave it, for this process and those that Ray starts."""
    about = folder / "rr_sleeping-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "rr_sleeping.py").write_text(PLUGIN, encoding="utf-8")
    (about / "METADATA").write_text(ABOUT, encoding="utf-8")
    (about / "entry_points.txt").write_text("[rr.plugins]\nsleeping = rr_sleeping\n", encoding="utf-8")
    (about / "RECORD").write_text("rr_sleeping.py,,\n", encoding="utf-8")
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))


def written(folder: Path, pairs: int) -> Path:
    """A collection and a run of so many pairs; gives the run."""
    folder.mkdir()
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"_id": f"d{n}", "text": f"document {n} " * 20}) + "\n" for n in range(DOCUMENTS))
    queries = range(pairs // LIST)
    with (folder / "queries.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"_id": f"q{n}", "text": f"query {n}"}) + "\n" for n in queries)
    with (folder / "run.trec").open("w", encoding="utf-8") as file:
        file.writelines(f"q{q} Q0 d{(q + d) % DOCUMENTS} {d} {LIST - d} x\n" for q in queries for d in range(LIST))
    return folder / "run.trec"


@contextmanager
def cluster(actors: int) -> Iterator[None]:
    """Of as many CPUs as actors are meant to be."""
    ray = import_module("ray")
    ray.init(address="local", num_cpus=actors, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        yield
    finally:
        ray.shutdown()


def reranked(registry: Path, name: str, run: Path, out: Path) -> None:
    """By the cluster that this process is connected to."""
    from rr_bench.api import load
    from rr_bench.stream.batch import rerank_run
    from rr_bench.stream.spread import spread_over

    loaded = load(name, registry=registry)
    rerank_run(loaded, run, run.parent, out, spread=spread_over("", loaded, registry, None, None, None))


def throughput(folder: Path, registry: Path, log: Path) -> dict[int, float]:
    """Actors → pairs a second."""
    found = dict[int, float]()
    for actors in ACTORS:
        run = written(folder / f"for {actors}", PAIRS * actors)
        log.write_text("", encoding="utf-8")
        with cluster(actors):
            reranked(registry, "gpu", run, folder / f"{actors}.trec")
            done = time.time()
        calls = [(pid, float(a), float(b), int(n)) for pid, a, b, n in map(str.split, log.read_text().splitlines())]
        firsts = {pid: begun for pid, begun, _, _ in reversed(calls)}
        assert len(firsts) == actors, f"{len(firsts)} actors answered, not {actors}"
        assert sum(pairs for *_, pairs in calls) >= PAIRS * actors
        since = max(firsts.values())
        pairs = sum(n * min(1.0, max(0.0, ended - since) / (ended - begun)) for _, begun, ended, n in calls)
        found[actors] = pairs / (done - since)
        print(f"{actors} actors: {found[actors]:.0f} pairs/s", flush=True)
    return found


def memory(folder: Path, registry: Path) -> dict[int, float]:
    """Pairs → MB that this process takes for them at its most, besides what it held before."""
    from rr_bench.evaluate.memory import peak_memory

    found = dict[int, float]()
    with cluster(2):
        for pairs in (FEW, FEW, MANY):  # the first to import all that is imported
            run, started = written(folder / f"{len(found)} {pairs} {time.time_ns()}", pairs), time.perf_counter()
            with peak_memory() as most:
                reranked(registry, "at-once", run, run.with_name("out.trec"))
                found[pairs] = (most() or 0) / 1e6
            took = time.perf_counter() - started
            print(f"{pairs} pairs: {found[pairs]:.1f} MB, {pairs / took:.0f} pairs/s", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "300"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["RR_HOME"] = str(folder / "home")
        installed(folder / "plugin")
        registry = folder / "registry.yaml"
        gpu = f"  gpu: {{scorer: sleeping, settings: {{a_pair: {PAIR_SECONDS}, log: {folder / 'calls'}}}}}\n"
        registry.write_text(REGISTRY + gpu, encoding="utf-8")
        rates, taken = throughput(folder, registry, folder / "calls"), memory(folder, registry)
    lines = [Line("1 actor, pairs/s", rates[1])]
    for actors in ACTORS[1:]:
        lines.append(Line(f"{actors} actors, times the rate of one a CPU", rates[actors] / rates[1] / actors, GOAL))
    lines.append(
        Line("driver, MB more for 10^6 pairs than for 10^4", taken[MANY] - taken[FEW], MOST_MB, at_least=False)
    )
    return report(lines, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
