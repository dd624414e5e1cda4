"""`rr serve` as a process of its own: what it says, which signals it obeys, and what it is built into."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rr.files import home
from tests.bench.served import QUICK
from tests.bench.test_cli import failed
from tests.conftest import INTERRUPTIBLE, ROOT, Rr

REGISTRY = """
version: 1
default_profile: p
profiles: {{p: {{suite: s}}}}
suites: {{s: {{datasets: {{}}}}}}
rerankers:
  bm25: {{scorer: bm25, settings: {{fold_accents: {folded}}}}}
  random: {{reranker: random}}
"""
ASKED = {"query": "cho re", "texts": ["phòng gần chợ", "phòng rẻ", "cho re"], "raw_scores": True}


class Process:
    """`log`: its lines so far, read; `rest`: what was on stderr besides."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url
        self.log: list[dict[str, Any]] = []
        self.rest: list[str] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.rest.append(line)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        code = self.process.wait(30)
        self._reading.join(30)
        return code

    def said(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines about it, once there are so many."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = [line for line in self.log if line["event"] == event]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(self.log)


@contextmanager
def started(folder: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    path = folder / "registry.yaml"
    if not path.exists():
        path.write_text(REGISTRY.format(folded="false"), encoding="utf-8")
    command = [sys.executable, "-c", INTERRUPTIBLE, "serve", *arguments, "--port", "0", "--registry", str(path)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, env={**os.environ, **environment}, **pipes) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(rf"serving {', '.join(n for n in arguments if n in REGISTRY)} at (http://\S+)\n", line)
        if found is None:
            process.kill()
            raise AssertionError(line + str(process.stderr and process.stderr.read()))
        running = Process(process, found[1])
        try:
            yield running
        finally:
            process.kill()
            running.ended()
        assert process.stdout.read() == ""  # one line, and no more


def test_nothing_that_is_kept_is_taken_away_while_it_serves(tmp_path: Path, rr_command: Rr) -> None:
    kept = home() / "costs" / f"{'0' * 32}.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}", encoding="utf-8")
    with started(tmp_path, "bm25") as running:
        for _ in range(2):
            failed(rr_command("cache", "clean", "--all", "--yes"), "a running rr uses", "wait for its end")
            running.send(signal.SIGHUP)
            running.said("reloaded")
        assert kept.exists()
        running.send(signal.SIGTERM)
        assert running.ended() == 0
        assert rr_command("cache", "clean", "--all", "--yes").returncode == 0
    assert not kept.exists()


def test_fifty_clients_lose_no_answer_across_a_sigterm(tmp_path: Path) -> None:
    """Each is answered, or told in so many words that the server ends; no connection is cut under a request."""
    met: Counter[str] = Counter()

    async def client(url: str, number: int) -> None:
        async with httpx.AsyncClient(**QUICK) as connection:
            for turn in range(100_000):
                body = {"query": f"cat {number}", "documents": [f"cat {turn}", f"{number} dog"]}
                try:
                    found = await connection.post(f"{url}/v2/rerank", json=body)
                except httpx.ConnectError:  # refused: the server is gone
                    met["refused"] += 1
                    return
                met[str(found.status_code)] += 1
                if found.status_code != 200:
                    assert found.json() == {"message": "the server is about to end; ask another, or again later"}
                    return
                assert len(found.json()["results"]) == 2

    async def all_of_them(running: Process) -> None:
        asyncio.get_running_loop().call_later(2, running.send, signal.SIGTERM)
        await asyncio.gather(*(client(running.url, number) for number in range(50)))

    with started(tmp_path, "bm25", "random") as running:
        asyncio.run(all_of_them(running))
        assert running.ended() == 0
        assert met["503"] + met["refused"] == 50
        answered = [line for line in running.log if line["event"] == "request" and line["status"] == 200]
        assert len(answered) == met["200"] > 50
        assert running.log[-1]["event"] == "ended"
        assert running.rest == []


def test_sighup_reloads_what_the_names_now_mean_and_ctrl_c_ends(tmp_path: Path) -> None:
    def raw(running: Process) -> list[float]:
        found = httpx.post(f"{running.url}/rerank", json=ASKED, **QUICK).json()
        return [row["score"] for row in found]

    with started(tmp_path, "bm25") as running:
        before = raw(running)
        path = tmp_path / "registry.yaml"
        path.write_text(REGISTRY.format(folded="true"), encoding="utf-8")
        assert raw(running) == before
        running.send(signal.SIGHUP)
        (told,) = running.said("reloaded")
        assert (told["model"], told["outcome"]) == ("bm25", "replaced")
        after = raw(running)
        assert after != before
        path.write_text("rerankers: [", encoding="utf-8")
        running.send(signal.SIGHUP)
        (failed,) = running.said("reload failed; the old one is kept")
        assert "registry.yaml" in failed["reason"]
        assert raw(running) == after
        running.send(signal.SIGINT)
        assert running.ended() == 0


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with started(tmp_path, "bm25") as running:
        running.send(signal.SIGTERM)
        time.sleep(0.3)
        running.send(signal.SIGTERM)
        begun = time.monotonic()
        assert running.ended() == 0
        assert time.monotonic() - begun < 5


def test_log_lines_are_json_without_what_clients_send(tmp_path: Path) -> None:
    key = "key-that-is-secret"
    with started(tmp_path, "bm25", "--host", "0.0.0.0", RR_API_KEYS=key) as running:
        url = running.url.replace("0.0.0.0", "127.0.0.1")
        given = {"Authorization": f"Bearer {key}", "X-Request-Id": "mine-1"}
        body = {"query": "a secret text", "documents": ["another secret"]}
        assert httpx.post(f"{url}/v1/rerank?secret=1", json=body, headers=given, **QUICK).status_code == 200
        assert httpx.post(f"{url}/v1/secret", json=body, headers=given, **QUICK).status_code == 404
        first, second = running.said("request", 2)
        assert first["id"] == "mine-1"
        assert {name: first[name] for name in ("level", "method", "route", "status", "model", "documents")} == {
            "level": "info", "method": "POST", "route": "/v1/rerank", "status": 200, "model": "bm25", "documents": 1,
        }  # fmt: skip
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
        assert (second["route"], second["status"]) == ("other", 404)
        assert "secret" not in json.dumps(running.log)
        assert not any(line["level"] == "warning" for line in running.log)
    with started(tmp_path, "bm25", "--host", "0.0.0.0") as running:
        (warned,) = running.said("whoever reaches this host can ask it: no keys are set")
        assert warned["level"] == "warning"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nosuch"], "nosuch"),
        (["bm25", "bm25"], "'bm25' is named twice; name it once"),
        (["bm25", "--checkpoint", "bm25"], "--checkpoint 'bm25': say NAME=DIR, as bm25=runs/one"),
        (["bm25", "--checkpoint", "other=x"], "'other' is not served; there are bm25"),
        (["bm25", "--checkpoint", "bm25=a", "--checkpoint", "bm25=b"], "--checkpoint names 'bm25' twice"),
        (["bm25", "--checkpoint", "bm25=nowhere"], "nowhere"),
        (["bm25", "--host", "no.such.host.invalid"], "no.such.host.invalid:8000: "),
        (["bm25", "--host", "192.0.2.1"], "192.0.2.1:8000: Cannot assign requested address; choose another"),
        (["bm25", "--port", "70000"], "'--port'"),
        (["bm25", "--api-key-file", "nowhere"], "nowhere: No such file or directory"),
        (["first-stage"], "no first stage's order is shown here"),
        ([], "Missing argument 'names'; see rr serve --help"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_line(
    rr_command: Rr, small_registry: Path, arguments: list[str], told: str
) -> None:
    ended = rr_command("serve", *arguments, "--registry", small_registry)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(rr_command: Rr, tmp_path: Path) -> None:
    with started(tmp_path, "bm25") as running:
        ended = rr_command("serve", "nosuch", "--port", running.url.rpartition(":")[2])
    assert ended.returncode == 2
    assert "Address already in use; choose another --host or --port" in ended.stderr


def test_without_the_extra_it_says_what_to_install(rr_command: Rr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ended = rr_command("serve", "bm25")
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: rr serve needs uvicorn, which is not installed; pip install 'rerank-registry[serve]'\n"
    )


def test_help_imports_no_server() -> None:
    code = (
        "import sys; from rr_bench.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'fastapi', 'uvicorn', 'prometheus_client', 'torch'} & {*sys.modules}), file=sys.stderr)"
    )
    for arguments in (["--help"], ["serve", "--help"]):
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, encoding="utf-8", timeout=60
        )
        assert "serve" in ended.stdout
        assert ended.stderr.splitlines()[-1] == "[]", ended.stderr


def test_the_image_is_built_from_the_wheel_and_runs_without_root() -> None:
    """docker is not asked: these are the lines that decide it."""
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    last = max(place for place, line in enumerate(lines) if line.startswith("FROM "))
    build, final = lines[:last], lines[last:]
    assert any("pip wheel" in line for line in build)
    copied = [line.split() for line in final if line.startswith("COPY ")]
    assert [words[1] for words in copied] == ["constraints.txt", "--from=build"]  # no source of ours
    assert any("pip install" in line and ".whl" in line for line in final)
    users = [line.split()[1] for line in final if line.startswith("USER ")]
    assert users
    assert all(user.isdecimal() and int(user) > 0 for user in users)  # a number, which an orchestrator can check
    after = final[final.index(f"USER {users[0]}") :]
    assert any(line.startswith("ENTRYPOINT ") for line in after)
    assert not any(line.startswith("USER root") for line in final)
    assert any(line.startswith("HEALTHCHECK ") and "/health" in line for line in final)
    assert any(line == "STOPSIGNAL SIGTERM" for line in final)
    (entry,) = [json.loads(line.partition(" ")[2]) for line in final if line.startswith("ENTRYPOINT ")]
    (given,) = [json.loads(line.partition(" ")[2]) for line in final if line.startswith("CMD ")]
    assert entry == ["rr", "serve"]  # as its own process, which gets the signals
    from typer.main import get_command

    from rr_bench.cli.app import app

    context = get_command(app).commands["serve"].make_context("serve", list(given))  # type: ignore[attr-defined]
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", 8000)
    for words in (line.split()[1:-1] for line in build if line.startswith("COPY ")):
        for name in words:
            assert (ROOT / name).exists(), name
