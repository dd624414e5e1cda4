"""`rr rerank --run`: the real command on runs from disk, as it is, interrupted, and on bad input."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rr.types import trec_order
from rr_bench.stream.requests import read_requests
from tests.bench.test_bench import wait_for
from tests.bench.test_cli import failed
from tests.conftest import INTERRUPTIBLE, Rr

WORDS = ("phòng", "gác", "lửng", "chợ", "ban", "công", "rẻ", "rộng", "yên", "tĩnh", "cửa", "sổ")

SLOW = "  slow: {scorer: slow, trainer: slow}\n  window: {scorer: bm25, window: 4, stride: 2}\n"

Files = dict[str, Path]


@pytest.fixture
def registry(small_registry: Path) -> Path:
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + SLOW, encoding="utf-8")
    return small_registry


def lines(path: Path, rows: list[str]) -> Path:
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """BEIR's layout with 60 documents and 12 queries, and a run of 10 documents a query as BEIR writes it."""
    generator = random.Random(7)
    data = tmp_path / "data"
    data.mkdir()
    documents = [
        {"_id": f"d{n}", "title": "Nhà" if n % 3 else "", "text": " ".join(generator.choices(WORDS, k=6))}
        for n in range(60)
    ]
    queries = [{"_id": f"q{n}", "text": " ".join(generator.sample(WORDS, 2))} for n in range(12)]
    lines(data / "corpus.jsonl", [json.dumps(row, ensure_ascii=False) for row in documents])
    lines(data / "queries.jsonl", [json.dumps(row, ensure_ascii=False) for row in queries])
    run = [
        f"q{n} Q0 d{place} 0 {generator.choice([1.5, 0.25, -2e-3])} beir"
        for n in reversed(range(12))
        for place in generator.sample(range(60), 10)
    ]
    return {"data": data, "run": lines(tmp_path / "first run.trec", run), "out": tmp_path / "out.trec"}


def arguments(files: Files, registry: Path, name: str = "bm25") -> list[str | Path]:
    return [
        *("rerank", name, "--registry", registry),
        *("--run", files["run"], "--data", files["data"], "--out", files["out"]),
    ]


def read(path: Path) -> dict[str, dict[str, float]]:
    """Query → document → score, in the file's order; whatever else a run's line holds is checked."""
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query, q0, document, rank, score, _ = line.split(" ")
        assert q0 == "Q0"
        scored = found.setdefault(query, {})
        assert document not in scored
        scored[document] = float(score)
        assert int(rank) == len(scored)
    return found


@pytest.mark.parametrize("name", ["bm25", "random", "first-stage", "window"])
@pytest.mark.parametrize("depth", [None, 3])
def test_a_run_is_reranked_as_its_requests_are(
    rr_command: Rr, registry: Path, files: Files, tmp_path: Path, name: str, depth: int | None
) -> None:
    ended = rr_command(*arguments(files, registry, name), *([] if depth is None else ["--depth", str(depth)]))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    first = read_run_file(files["run"])
    found = read(files["out"])
    assert list(found) == list(first)
    best = {query: trec_order(scored)[:depth] for query, scored in first.items()}
    assert {query: set(scored) for query, scored in found.items()} == {q: set(ids) for q, ids in best.items()}
    assert {line.split(" ")[5] for line in files["out"].read_text(encoding="utf-8").splitlines()} == {name}
    if name == "first-stage":  # which needs the scores that only a run brings
        assert found == {query: {id_: first[query][id_] for id_ in ids} for query, ids in best.items()}
        assert [list(scored) for scored in found.values()] == list(best.values())
        return
    requests = lines(tmp_path / "in.jsonl", [json.dumps(row) for row in as_requests(files, best)])
    assert len(read_requests(requests)) == 12
    other = rr_command("rerank", name, "--registry", registry, "--input", requests)
    assert other.returncode == 0, other.stderr
    answers = [json.loads(line) for line in other.stdout.splitlines()]
    assert {a["id"]: [(i["id"], i["score"]) for i in a["ranking"]] for a in answers} == {
        query: list(scored.items()) for query, scored in found.items()
    }


def read_run_file(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query, _, document, _, score, _ = line.split()
        found.setdefault(query, {})[document] = float(score)
    return found


def as_requests(files: Files, best: dict[str, list[str]]) -> list[dict[str, object]]:
    texts, queries = (
        {row["_id"]: row for row in map(json.loads, (files["data"] / name).read_text(encoding="utf-8").splitlines())}
        for name in ("corpus.jsonl", "queries.jsonl")
    )
    return [
        {
            "id": query,
            "query": queries[query]["text"],
            "documents": [{"id": id_, "title": texts[id_]["title"], "text": texts[id_]["text"]} for id_ in ids],
        }
        for query, ids in best.items()
    ]


def test_a_trec_collection_gives_the_same(rr_command: Rr, registry: Path, files: Files, tmp_path: Path) -> None:
    assert rr_command(*arguments(files, registry)).returncode == 0
    trec = tmp_path / "trec"
    trec.mkdir()
    corpus, queries = (
        [json.loads(line) for line in (files["data"] / name).read_text(encoding="utf-8").splitlines()]
        for name in ("corpus.jsonl", "queries.jsonl")
    )
    rows = [json.dumps({"docno": d["_id"], "contents": d["text"], "title": d["title"]}) for d in corpus]
    lines(trec / "documents.jsonl", rows)
    lines(trec / "topics.tsv", [f"{query['_id']}\t{query['text']}" for query in queries])
    other = {**files, "data": trec, "out": tmp_path / "other.trec"}
    ended = rr_command(*arguments(other, registry))
    assert ended.returncode == 0, ended.stderr
    assert other["out"].read_bytes() == files["out"].read_bytes()


# interrupted

Install = Callable[[str], Path]


@pytest.fixture
def thousands(tmp_path: Path) -> Files:
    """Seven queries of 1,000 documents: three parts of two queries, and one of one."""
    data = tmp_path / "thousands"
    data.mkdir()
    documents = [json.dumps({"id": f"d{n}", "text": f"phòng {'x' * (n % 50)}"}) for n in range(1000)]
    lines(data / "documents.jsonl", documents)
    lines(data / "topics.tsv", [f"q{n}\tphòng {n}" for n in range(7)])
    run = [f"q{n} Q0 d{place} 1 {1000 - place} first" for n in range(7) for place in range(1000)]
    return {"data": data, "run": lines(tmp_path / "first run.trec", run), "out": tmp_path / "out.trec"}


@pytest.fixture
def slow(installed: Install, tmp_path: Path) -> dict[str, str]:
    """The environment in which a scorer takes its time and writes down which queries it was asked for."""
    path = os.pathsep.join(filter(None, [str(installed("rr_slow")), os.environ.get("PYTHONPATH", "")]))
    return {"PYTHONPATH": path, "RR_SLOW_LOG": str(tmp_path / "log"), "RR_SLOW_SECONDS": "0"}


def started(command: list[str | Path], environment: dict[str, str]) -> subprocess.Popen[str]:
    code = [sys.executable, "-c", INTERRUPTIBLE]
    whole = {**os.environ, **environment}
    return subprocess.Popen([*code, *map(str, command)], env=whole, stderr=subprocess.PIPE, encoding="utf-8")


def test_a_run_that_is_stopped_again_and_again_ends_as_one_that_was_not(
    rr_command: Rr, registry: Path, thousands: Files, slow: dict[str, str], tmp_path: Path
) -> None:
    log, out, command = Path(slow["RR_SLOW_LOG"]), thousands["out"], arguments(thousands, registry, "slow")
    partial = out.with_name(f".{out.name}.partial")

    def scored() -> list[str]:
        found = log.read_text(encoding="utf-8").splitlines()
        log.unlink()
        return [line.removeprefix("scored ") for line in found]

    whole = {**thousands, "out": tmp_path / "whole.trec"}
    ended = rr_command(*arguments(whole, registry, "slow"), **slow)
    assert ended.returncode == 0, ended.stderr
    assert scored() == ["q0 q1", "q2 q3", "q4 q5", "q6"]
    for stop, seen in {
        signal.SIGKILL: ["q0 q1"],
        signal.SIGTERM: ["q0 q1", "q2 q3"],
        signal.SIGINT: ["q2 q3", "q4 q5"],
    }.items():
        running = started(command, {**slow, "RR_SLOW_SECONDS": "2"})
        wait_for(log, f"scored {seen[-1]}")  # that part has begun, so the one before it is kept
        running.send_signal(stop)
        _, stderr = running.communicate(timeout=60)
        assert scored() == seen
        assert "Traceback" not in stderr
        assert not out.exists()
        with (partial / "content").open("ab") as file:
            file.write(b"q2 Q0 d1")  # a part that was torn
    assert running.returncode == 130
    assert "resumes there" in stderr

    other = rr_command(*command, "--depth", "999", **slow)
    failed(other, str(partial), "interrupted work of another reranker, run, data or code", "name another --out")
    ended = rr_command(*command, **slow)
    assert ended.returncode == 0, ended.stderr
    assert scored() == ["q4 q5", "q6"]
    assert out.read_bytes() == whole["out"].read_bytes()
    assert not partial.exists()
    failed(rr_command(*command, **slow), "out.trec exists already; delete it, or name another --out")
    assert out.read_bytes() == whole["out"].read_bytes()


def test_a_checkpoint_is_part_of_what_goes_on(
    rr_command: Rr, registry: Path, thousands: Files, slow: dict[str, str], tmp_path: Path
) -> None:
    checkpoint, log, command = (
        tmp_path / "checkpoint",
        Path(slow["RR_SLOW_LOG"]),
        arguments(thousands, registry, "slow"),
    )
    trained = rr_command("train", "slow", "-d", "rooms", "--out", checkpoint, "--registry", registry, **slow)
    assert trained.returncode == 0, trained.stderr
    running = started([*command, "--checkpoint", checkpoint], {**slow, "RR_SLOW_SECONDS": "1"})
    wait_for(log, "scored q2 q3")
    running.kill()
    running.communicate(timeout=60)
    failed(rr_command(*command, **slow), "interrupted work")
    failed(rr_command(*command, "--checkpoint", tmp_path, **slow), "no checkpoint")
    log.unlink()
    ended = rr_command(*command, "--checkpoint", checkpoint, **slow)
    assert ended.returncode == 0, ended.stderr
    assert log.read_text(encoding="utf-8").splitlines() == ["scored q2 q3", "scored q4 q5", "scored q6"]
    assert list(read(thousands["out"])) == [f"q{n}" for n in range(7)]


def test_two_at_once_wait_for_each_other(
    rr_command: Rr, registry: Path, thousands: Files, slow: dict[str, str]
) -> None:
    log, command = Path(slow["RR_SLOW_LOG"]), arguments(thousands, registry, "slow")
    running = started(command, {**slow, "RR_SLOW_SECONDS": "0.5"})
    wait_for(log, "scored q0 q1")
    failed(rr_command(*command, **slow), "exists already")
    assert running.wait(60) == 0
    running.communicate()
    assert len(log.read_text(encoding="utf-8").splitlines()) == 4


# bad input


@pytest.mark.parametrize(
    ("number", "line", "words"),
    [
        (2, "q11 Q0 d1 0 1.0", ["line 2", "5 columns; write 6: query Q0 document rank score tag"]),
        (2, "q11 Q0 d1 0 high beir", ["line 2", "'score' must be a finite number, not 'high'"]),
        (2, "q11 Q0 d1 0 nan beir", ["line 2", "'score' must be a finite number"]),
        (12, "q10 Q0 d99 0 1.0 beir", ["line 12", "document 'd99' does not exist; correct the id"]),
        (12, "q99 Q0 d1 0 1.0 beir", ["line 12", "query 'q99' does not exist"]),
        (2, "q10 Q0 d1 0 1.0 beir", ["line 3", "query 'q11' came already in line 1", "LC_ALL=C sort -k1,1 -s"]),
    ],
)
def test_a_bad_run_names_the_line_before_anything_is_scored(
    rr_command: Rr, registry: Path, files: Files, number: int, line: str, words: list[str]
) -> None:
    rows = files["run"].read_text(encoding="utf-8").splitlines()
    rows[number - 1] = line
    lines(files["run"], rows)
    failed(rr_command(*arguments(files, registry)), "first run.trec", *words)
    assert not files["out"].exists()
    assert not files["out"].with_name(".out.trec.partial").exists()


def test_what_sort_brings_together_is_reranked(rr_command: Rr, registry: Path, files: Files) -> None:
    rows = files["run"].read_text(encoding="utf-8").splitlines()
    lines(files["run"], [row for start in range(10) for row in rows[start::10]])
    ended = rr_command(*arguments(files, registry))
    failed(ended, "with others between")
    command = ended.stderr.strip().rpartition("together: ")[2]
    together = subprocess.run(command, shell=True, capture_output=True, encoding="utf-8", check=True).stdout
    files["run"].write_text(together, encoding="utf-8")
    ended = rr_command(*arguments(files, registry))
    assert ended.returncode == 0, ended.stderr
    assert {query: len(scored) for query, scored in read(files["out"]).items()} == {f"q{n}": 10 for n in range(12)}


def test_a_document_that_comes_twice_and_a_query_without_text(rr_command: Rr, registry: Path, files: Files) -> None:
    rows = files["run"].read_text(encoding="utf-8").splitlines()
    lines(files["run"], [rows[0], *rows])
    document = rows[0].split()[2]
    failed(rr_command(*arguments(files, registry)), "line 2", f"'{document}' came already in line 1")
    lines(files["run"], rows)
    queries = files["data"] / "queries.jsonl"
    text = queries.read_text(encoding="utf-8")
    queries.write_text(text + '{"_id": "unasked", "text": ""}\n', encoding="utf-8")
    assert rr_command(*arguments(files, registry)).returncode == 0
    files["out"].unlink()
    queries.write_text(text.replace(json.loads(text.splitlines()[3])["text"], " "), encoding="utf-8")
    failed(rr_command(*arguments(files, registry)), "queries.jsonl, line 4", "'text' is blank")


def test_what_goes_with_a_run(rr_command: Rr, registry: Path, files: Files, tmp_path: Path) -> None:
    common = ("rerank", "bm25", "--registry", registry)
    failed(rr_command(*common, "--run", files["run"]), "--data", "--out")
    failed(rr_command(*common, "--run", files["run"], "--data", files["data"]), "--out")
    failed(rr_command(*common, "-q", "a", "b", "--data", files["data"]), "--data and --depth go with --run")
    failed(rr_command(*arguments(files, registry), "--input", files["run"]), "--query", "--input", "or --run")
    failed(rr_command(*arguments({**files, "run": tmp_path / "gone"}, registry)), "gone: no such file")
    failed(rr_command(*arguments({**files, "data": tmp_path / "gone"}, registry)), "gone: no such folder")
    assert rr_command(*arguments(files, registry), "--depth", "0").returncode == 2


# memory

# not getrusage: its maximum is at least that of the process which started this one
PEAK = """
import re, sys
from pathlib import Path
from rr_bench.cli import main
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory's peak from /proc")
def test_the_memory_does_not_grow_with_the_run(registry: Path, tmp_path: Path) -> None:
    """8,000 queries of 10 documents against a tenth of them: with all the run's lines, or all its requests, in memory
    that is 50 MB more."""

    def peak(count: int) -> float:
        """MB."""
        data = tmp_path / str(count)
        data.mkdir()
        lines(data / "corpus.jsonl", [json.dumps({"_id": f"d{n}", "text": f"word{n} " * 50}) for n in range(count)])
        lines(data / "queries.jsonl", [json.dumps({"_id": f"q{n}", "text": f"word{n}"}) for n in range(count)])
        rows = [f"q{n} Q0 d{(n + 7 * place) % count} 0 {-place} beir" for n in range(count) for place in range(10)]
        files = {"data": data, "run": lines(data / "run.trec", rows), "out": data / "out.trec"}
        command = [sys.executable, "-c", PEAK, *map(str, arguments(files, registry, "first-stage"))]
        ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
        assert ended.returncode == 0, ended.stderr
        with files["out"].open(encoding="utf-8") as file:
            assert sum(1 for _ in file) == 10 * count
        return int(ended.stderr.splitlines()[-1]) / 1024

    small, large = peak(800), peak(8_000)
    assert small > 20
    assert large < small + 8, (small, large)
