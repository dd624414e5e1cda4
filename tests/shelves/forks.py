"""Many `rr` commands in little time: each is a fork of one process that has imported what all of them need, and ends as
a process of its own does, with its own exit code, descriptors and handlers at exit."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMPORTED = (
    *("bm25s", "scipy.stats", "rich.console", "rich.table", "rich.progress", "multiprocessing.util"),
    *(
        "rr_bench.api",
        "rr_bench.cli",
        "rr_bench.report.files",
        "rr_bench.report.terminal",
        "rr_bench.data.load",
        "rr_data.readers.jsonl",
    ),
    *("rr_bench.inventory", "rr_bench.evaluate.verify"),
)


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: str
    stderr: str


class Forks:
    """Starts the process; `path` is its PYTHONPATH."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(path)}
        command = [sys.executable, "-m", "tests.shelves.forks"]
        root = Path(__file__).parents[2]
        environment = {**self._environment, "PYTHONPATH": f"{path}{os.pathsep}{root}"}
        self._process = subprocess.Popen(
            command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def run(self, *arguments: str | Path, **environment: str) -> Ended:
        """The command with these arguments; stdin is open and says nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        stdout, stderr = (self._folder / f"{uuid.uuid4().hex}.{name}" for name in ("out", "err"))
        job = {
            "arguments": ["rr", *map(str, arguments)],
            "environment": {**self._environment, **environment},
            "folder": str(self._folder),
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return Ended(code, *(path.read_text(encoding="utf-8") for path in (stdout, stderr)))

    def close(self) -> None:
        self._process.communicate(timeout=30)


def serve() -> None:
    from importlib import import_module

    for name in IMPORTED:
        import_module(name)
    gc.freeze()  # what is shared with the children stays shared
    silent, kept_open = os.pipe()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(silent, 0)
            run(job)
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201
    os.close(kept_open)


def run(job: Mapping[str, Any]) -> None:
    from rr_bench.cli import main

    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    sys.argv = job["arguments"]
    main()


if __name__ == "__main__":
    serve()
