"""The real command in processes that can be killed: forks of one that has imported what all of them need."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

SERVER = """
import json, os, signal, sys
import bm25s, scipy.stats, rich.console, rich.progress, rich.table
import rr_bench.api, rr_bench.cli, rr_bench.data.load, rr_bench.evaluate.bench, rr_bench.parts, rr_bench.report.files
import rr_bench.report.terminal, rr_bench.stream.batch, rr_bench.train.training

rr_bench.parts.PART_PAIRS = int(os.environ["PART_PAIRS"])
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log = os.open(job["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        os.environ.update(job["environment"])
        sys.argv = ["rr", *job["arguments"]]
        rr_bench.cli.main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Launcher:
    """`path`: the PYTHONPATH; `pairs`: how many pairs a part of the score store holds in these processes."""

    def __init__(self, path: Path, pairs: int) -> None:
        paths = os.pathsep.join(filter(None, (str(path), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PART_PAIRS": str(pairs)}
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def start(self, *arguments: str | Path, said: Path, **environment: str) -> int:
        """The process that runs `rr` with these arguments; what it says goes to the file `said`."""
        assert self._server.stdin is not None
        job: Mapping[str, object] = {
            "arguments": [str(argument) for argument in arguments],
            "said": str(said),
            "environment": environment,
        }
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        return self._told()

    def end(self) -> int:
        """Its exit code; that of a killed one is negative."""
        return self._told()

    def kill(self, process: int, stop: signal.Signals = signal.SIGKILL) -> int:
        """Its exit code; it may have ended by itself."""
        with suppress(ProcessLookupError):
            os.kill(process, stop)
        return self.end()

    def close(self) -> None:
        self._server.kill()
        self._server.communicate()

    def _told(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())


def begun(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def wait_for(log: Path, line: str) -> None:
    deadline = time.monotonic() + 60
    while line not in begun(log):
        assert time.monotonic() < deadline, f"{line!r} did not come"
        time.sleep(0.002)
