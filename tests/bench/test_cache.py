"""`rr cache`: what is kept, and what is never taken away."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rr
from rr.errors import RerankError
from rr.files import home
from rr_bench.cache.clean import seconds_of
from rr_bench.cache.kept import look
from rr_bench.cache.kinds import KINDS
from rr_bench.cache.using import alone_at_home, using_home
from tests.bench.test_cli import failed
from tests.conftest import ROOT, Rr

HEX = "0123456789abcdef" * 2


@pytest.fixture
def benched(rr_command: Rr, small_registry: Path) -> Path:
    """A home with what a bench leaves."""
    ended = rr_command("bench", "bm25", "first-stage", "--registry", small_registry)
    assert ended.returncode == 0, ended.stderr
    return home()


def put(path: Path, days: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    when = time.time() - days * 86_400
    os.utime(path, (when, when))
    if path.parent.parent.parent == home():
        os.utime(path.parent, (when, when))
    return path


def test_all_that_a_bench_leaves_is_of_a_kind(rr_command: Rr, benched: Path) -> None:
    found = look()
    assert found.others == ()
    assert {one.kind for one in found.kept} == {path.name for path in benched.iterdir()} - {"locks"}
    assert sum(one.size for one in found.kept) == sum(
        path.stat().st_size for path in benched.rglob("*") if path.is_file() and path.parent.name != "locks"
    )
    told = json.loads(rr_command("cache", "show", "--json").stdout)
    assert {row["kind"] for row in told["kinds"]} == {one.kind for one in found.kept}
    shown = rr_command("cache", "show").stdout
    assert "scores" in shown
    assert "last used" in shown


def test_every_store_of_the_code_is_a_kind() -> None:
    """What somebody keeps under a name that is not known here could never be cleaned."""
    import re

    named = set()
    for path in [*(ROOT / "core").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        named |= set(re.findall(r'home\(\) / "(\w+)"', path.read_text(encoding="utf-8")))
    assert named - {"locks"} <= set(KINDS)
    assert len(named) > 10


def test_kinds_are_taken_away_and_a_bench_makes_them_anew(rr_command: Rr, benched: Path, small_registry: Path) -> None:
    before = {one.kind for one in look().kept}
    ended = rr_command("cache", "clean", "scores", "data", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert {one.kind for one in look().kept} == before - {"scores", "data"}
    assert rr_command("bench", "bm25", "--registry", small_registry).returncode == 0
    assert {one.kind for one in look().kept} == before


def test_what_is_old_goes_and_what_is_young_stays(rr_command: Rr) -> None:
    old = [put(home() / "costs" / f"{HEX}.json", 40), put(home() / "scores" / HEX / "part-00000.json", 31)]
    young = put(home() / "costs" / f"first-stage-{HEX}.json", 29)
    assert rr_command("cache", "clean", "--older-than", "30d", "--yes").returncode == 0
    assert not any(path.exists() for path in old)
    assert young.exists()


def test_a_database_goes_with_what_belongs_to_it(rr_command: Rr) -> None:
    files = [put(home() / "pairs" / f"{HEX}.sqlite{end}") for end in ("", "-wal", "-shm")]
    (one,) = look().kept
    assert set(one.paths) == set(files)
    assert rr_command("cache", "clean", "--all", "--yes").returncode == 0
    assert not any(path.exists() for path in files)


def test_what_is_not_ours_is_left_alone(rr_command: Rr, tmp_path: Path) -> None:
    mine = [
        put(home() / "notes.txt"),
        put(home() / "my-models" / "weights.bin"),
        put(home() / "checkpoints" / "thesis" / "weights.bin"),
        put(tmp_path / "elsewhere" / "weights.bin"),
    ]
    (home() / "checkpoints" / f"linked-{HEX[:16]}").symlink_to(tmp_path / "elsewhere")
    (home() / "scores").mkdir()
    (home() / "scores" / HEX).symlink_to(tmp_path / "elsewhere")
    assert look().kept == ()
    assert rr_command("cache", "clean", "--all", "--yes").stdout == "nothing to take away\n"
    assert all(path.exists() for path in mine)
    shown = rr_command("cache", "show").stdout
    assert all(name in shown for name in ("notes.txt", "my-models", "thesis", "linked-"))


def test_a_link_within_what_is_ours_is_taken_away_and_not_followed(rr_command: Rr, tmp_path: Path) -> None:
    mine = put(tmp_path / "elsewhere" / "weights.bin")
    put(home() / "scores" / HEX / "part-00000.json")
    (home() / "scores" / HEX / "link").symlink_to(tmp_path / "elsewhere")
    assert rr_command("cache", "clean", "scores", "--yes").returncode == 0
    assert not (home() / "scores" / HEX).exists()
    assert mine.exists()


def test_it_asks_and_whoever_cannot_be_asked_says_yes(rr_command: Rr) -> None:
    kept = put(home() / "runs" / "runs.sqlite")
    ended = rr_command("cache", "clean", "runs", stdin="y\n")  # no terminal
    assert (ended.returncode, "--yes" in ended.stderr) == (2, True)
    assert "rr cannot make them anew" in ended.stdout
    assert kept.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "say what"),
        (("score",), "did you mean 'scores'?"),
        (("scores", "--all"), "keep one of them"),
        (("--older-than", "soon"), "30d"),
        (("--older-than", "-3d"), "30d"),
    ],
)
def test_what_cannot_be_meant_is_one_line(rr_command: Rr, words: tuple[str, ...], told: str) -> None:
    failed(rr_command("cache", "clean", *words), told)


def test_ages() -> None:
    assert [seconds_of(age) for age in ("90m", "12h", "30d", "2w")] == [5_400, 43_200, 2_592_000, 1_209_600]


BUSY = """
import sys, time
from rr_bench.cache.using import using_home

@using_home
def work():
    print("at work", flush=True)
    time.sleep(60)

work()
"""


def test_nothing_is_taken_away_while_somebody_works(rr_command: Rr) -> None:
    kept = put(home() / "scores" / HEX / "part-00000.json")
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == "at work\n"
        failed_line = rr_command("cache", "clean", "--all", "--yes")
        assert failed_line.returncode == 2
        assert "a running rr uses" in failed_line.stderr
        assert kept.exists()
        busy.send_signal(signal.SIGKILL)
        busy.wait()
    assert rr_command("cache", "clean", "--all", "--yes").returncode == 0  # the dead use nothing
    assert not kept.exists()


def test_a_bench_and_a_training_say_that_they_work() -> None:
    from rr_bench.api import load
    from rr_bench.evaluate.bench import bench
    from rr_bench.train.sweep.sweep import sweep
    from rr_bench.train.training import train

    @using_home
    def work() -> None:
        with pytest.raises(RerankError, match="a running rr uses"), alone_at_home():
            pass
        again()

    @using_home
    def again() -> None:
        """As a bench that trains."""

    work()
    with alone_at_home():
        pass
    code = using_home(again).__code__  # that of the wrapper
    for function in (train, sweep, load.__wrapped__, bench.__wrapped__.__wrapped__):  # type: ignore[attr-defined]
        assert function.__code__ is code, function


def in_use() -> bool:
    try:
        with alone_at_home():
            return False
    except RerankError:
        return True


def test_nothing_is_taken_away_as_long_as_a_reranker_lives(small_registry: Path, rr_command: Rr) -> None:
    with small_registry.open("a", encoding="utf-8") as file:
        file.write("  fused: {fuse: [bi-encoder, bm25]}\n")
    kept = put(home() / "costs" / f"{HEX}.json")
    for name in ("bi-encoder", "fused"):
        reranker = rr.load(name, registry=small_registry)
        failed(rr_command("cache", "clean", "--all", "--yes"), "a running rr uses")
        assert kept.exists()
        assert reranker.rerank("rẻ", ["phòng rẻ", "phòng rộng"]).items[0].document.text == "phòng rẻ"
        del reranker
        gc.collect()
        assert not in_use()
    assert rr_command("cache", "clean", "--all", "--yes").returncode == 0
    assert not kept.exists()


def test_what_cannot_be_loaded_uses_nothing(small_registry: Path) -> None:
    with pytest.raises(RerankError):
        rr.load("bm52", registry=small_registry)
    assert not in_use()


def test_rr_rerank_uses_what_is_kept_until_it_ends(small_registry: Path, rr_command: Rr, tmp_path: Path) -> None:
    kept = put(home() / "costs" / f"{HEX}.json")
    request = json.dumps({"query": "a", "documents": ["a " * 500, "b " * 500]})
    (tmp_path / "asked.jsonl").write_text(f"{request}\n" * 300, encoding="utf-8")
    words = ("rerank", "bm25", "--input", tmp_path / "asked.jsonl", "--registry", small_registry)
    command = [sys.executable, "-m", "rr_bench", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline()  # more than the pipe holds: it waits for a reader
        failed(rr_command("cache", "clean", "--all", "--yes"), "a running rr uses")
        assert kept.exists()
        assert running.communicate(timeout=60)[0].count("\n") == 299
    assert rr_command("cache", "clean", "--all", "--yes").returncode == 0
    assert not kept.exists()


def test_a_disk_that_must_not_be_written_keeps_nobody_from_reading(
    small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RR_HOME", "/proc/no-such-folder")
    assert len(rr.load("bm25", registry=small_registry).rerank("a", ["a", "b"]).items) == 2


def test_a_link_in_the_place_of_the_lock_is_refused(small_registry: Path, tmp_path: Path) -> None:
    (home() / "locks").mkdir(parents=True)
    (home() / "locks" / "in-use.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RerankError, match=r"in-use\.lock: .* symbolic links"):
        rr.load("bm25", registry=small_registry)
    assert not (tmp_path / "elsewhere").exists()
