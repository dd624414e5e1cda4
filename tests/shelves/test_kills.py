"""The shelf of kills: bench, train and rerank --run, killed at every stage and at random moments. The same command then
ends with what an uninterrupted one gives, and nothing that was finished is done again."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shelves.launcher import Launcher, begun, wait_for

pytestmark = pytest.mark.attack("kill")

DOCUMENTS, TESTED = 6, 8
SPLITS = ["train"] * 3 + ["dev"] * 2 + ["test"] * TESTED
AT_RANDOM = [f"at random {number}" for number in range(4)]
"""Moments that a seed draws from the whole of the work, its beginning and the time between two parts included."""


@pytest.fixture(scope="module")
def launcher(installed: Callable[[str], Path]) -> Iterator[Launcher]:
    made = Launcher(installed("rr_steady"), DOCUMENTS)  # so that each query is a part
    yield made
    made.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, a run with its texts, and a registry."""
    folder = tmp_path_factory.mktemp("kills")
    documents = [{"id": f"d{n}", "text": f"phòng {'x' * (n * n)}"} for n in range(DOCUMENTS)]
    queries = [{"id": f"q{n}", "text": f"phòng {n}", "split": split} for n, split in enumerate(SPLITS)]
    lines(folder / "documents.jsonl", documents)
    lines(folder / "queries.jsonl", queries)
    qrels = [{"query": f"q{n}", "document": f"d{n % DOCUMENTS}"} for n in range(len(SPLITS))]
    lines(folder / "qrels.jsonl", qrels)
    (folder / "texts").mkdir()
    lines(folder / "texts" / "documents.jsonl", documents)
    lines(folder / "texts" / "queries.jsonl", queries)
    run = [f"q{q} Q0 d{d} 1 {d} first\n" for q in range(TESTED) for d in range(DOCUMENTS)]
    (folder / "first.trec").write_text("".join(run), encoding="utf-8")
    sources = {name: f"{folder}/{name}.jsonl" for name in ("documents", "queries", "qrels")}
    (folder / "registry.yaml").write_text(
        f"""
version: 1
default_profile: kills
profiles: {{kills: {{suite: kills}}}}
suites:
  kills:
    metrics: [nDCG@10, MRR@10]
    datasets: {{rooms: {{reader: jsonl, options: {json.dumps(sources)}}}}}
rerankers:
  first-stage: {{reranker: first_stage}}
  steady: {{scorer: steady}}
  trained: {{scorer: steady, trainer: steady}}
""",
        encoding="utf-8",
    )
    return folder


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


class Sitting:
    """One command in a folder of its own, killed and begun again."""

    def __init__(
        self, launcher: Launcher, place: Path, folder: Path, command: list[str | Path], home: Path | None = None
    ) -> None:
        self._launcher, self._command = launcher, [*command, "--registry", place / "registry.yaml"]
        self.said, self.home = folder / "said", home or folder / "home"
        self.log = folder / "log"

    def start(self, **environment: str) -> int:
        environment = {"RR_HOME": str(self.home), "RR_STEADY_LOG": str(self.log), **environment}
        return self._launcher.start(*self._command, said=self.said, **environment)

    def killed(self, moment: str) -> list[str]:
        """What it had begun when it was killed, at what it has just begun or at a random moment."""
        if moment in AT_RANDOM:
            process = self.start(RR_STEADY_SECONDS="0.03")
            time.sleep(random.Random(f"{self._command[0]} {moment}").uniform(0.0, 0.5))
            assert self._launcher.kill(process) in (-signal.SIGKILL, 0), self.said.read_text()
        else:
            process = self.start(RR_STEADY_STOP=moment)
            wait_for(self.log, moment)
            assert self._launcher.kill(process) == -signal.SIGKILL, self.said.read_text()
        found = begun(self.log)
        self.log.unlink(missing_ok=True)
        return found

    def ended(self) -> list[str]:
        """What it begins when nothing kills it."""
        self.start()
        assert self._launcher.end() == 0, self.said.read_text()
        return begun(self.log)


def kept_files(folder: Path) -> dict[Path, tuple[int, int]]:
    """What tells that a file is not written again. What a killed writer left lies in a hidden folder."""
    files = [path for path in folder.glob("scores/*/part-*") if path.is_file()]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


# bench

QUERIES = [f"q{n}" for n, split in enumerate(SPLITS) if split == "test"]


def figures(folder: Path) -> list[dict[str, Any]]:
    """All but times."""
    (dataset,) = json.loads((folder / "bench.json").read_text(encoding="utf-8"))["datasets"]
    assert not dataset["failure"], dataset
    keys = ("reranker", "state", "metrics", "difference", "per_query", "failure")
    return [{key: row[key] for key in keys} for row in dataset["rows"]]


def bench_in(launcher: Launcher, place: Path, folder: Path, home: Path | None = None) -> Sitting:
    return Sitting(launcher, place, folder, ["bench", "first-stage", "steady", "--out", folder / "out"], home)


@pytest.fixture(scope="module")
def benched(launcher: Launcher, place: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("benched")
    bench_in(launcher, place, folder).ended()
    return figures(folder / "out")


@pytest.mark.parametrize("moment", [*(f"scored {query}" for query in QUERIES), *AT_RANDOM])
def test_a_bench_that_is_killed(
    launcher: Launcher, place: Path, benched: list[dict[str, Any]], tmp_path: Path, moment: str
) -> None:
    sitting = bench_in(launcher, place, tmp_path)
    sitting.killed(moment)
    finished = kept_files(sitting.home)
    if moment not in AT_RANDOM:  # the parts of the first stage, and those before it
        assert len(finished) == TESTED + QUERIES.index(moment.removeprefix("scored "))
    sitting.ended()
    after = kept_files(sitting.home)
    assert {path: after[path] for path in finished} == finished
    assert len(after) == 2 * TESTED
    assert figures(tmp_path / "out") == benched
    assert benched[1]["per_query"] != benched[0]["per_query"]


# train


def trained_files(folder: Path) -> dict[str, Any]:
    """All that is in it but for times, and for the checksums of what holds them."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    events = [json.loads(line) for line in found["events.jsonl"].splitlines()]
    found["events.jsonl"] = [{**event, "seconds": None} for event in events]
    record = json.loads(found.pop("training_info.json"))
    timed = ("seconds", "finished", "sha256", "events")
    return found | {key: value for key, value in record.items() if key not in timed}


def training_in(launcher: Launcher, place: Path, folder: Path) -> Sitting:
    return Sitting(launcher, place, folder, ["train", "trained", "-d", "rooms", "--out", folder / "out"])


@pytest.fixture(scope="module")
def trained(launcher: Launcher, place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("trained")
    training_in(launcher, place, folder).ended()
    return trained_files(folder / "out")


@pytest.mark.parametrize("moment", [*(f"step {number}" for number in range(1, 9)), *AT_RANDOM])
def test_a_training_that_is_killed(
    launcher: Launcher, place: Path, trained: dict[str, Any], tmp_path: Path, moment: str
) -> None:
    sitting = training_in(launcher, place, tmp_path)
    before = [line for line in sitting.killed(moment) if line.startswith("step")]
    if not (tmp_path / "out").exists():  # or it had all but ended
        after = [line for line in sitting.ended() if line.startswith("step")]
        steps = [f"step {number}" for number in range(1, 9)]
        # the step in flight alone is done again, unless the kill came after it was kept
        assert [*before[:-1], *after] == steps or [*before, *after] == steps
    assert trained_files(tmp_path / "out") == trained
    assert {"weight.json", "events.jsonl", "steps", "files"} <= set(trained)
    assert not (tmp_path / ".out.partial").exists()


# rerank


def reranking_in(launcher: Launcher, place: Path, folder: Path) -> Sitting:
    files = ["--run", place / "first.trec", "--data", place / "texts", "--out", folder / "out.trec"]
    return Sitting(launcher, place, folder, ["rerank", "steady", *files])


@pytest.fixture(scope="module")
def reranked(launcher: Launcher, place: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("reranked")
    reranking_in(launcher, place, folder).ended()
    return (folder / "out.trec").read_bytes()


@pytest.mark.parametrize("moment", [*(f"scored q{number}" for number in range(TESTED)), *AT_RANDOM])
def test_a_reranking_that_is_killed(
    launcher: Launcher, place: Path, reranked: bytes, tmp_path: Path, moment: str
) -> None:
    sitting = reranking_in(launcher, place, tmp_path)
    before = sitting.killed(moment)
    if not (tmp_path / "out.trec").exists():
        after = sitting.ended()
        parts = [f"scored q{number}" for number in range(TESTED)]
        assert [*before[:-1], *after] == parts or [*before, *after] == parts
    assert (tmp_path / "out.trec").read_bytes() == reranked
    assert reranked.count(b"\n") == TESTED * DOCUMENTS
    assert not (tmp_path / ".out.trec.partial").exists()
