"""Benches whose workers see a store by URL, and not the home of the process that hands out the work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import rr
from rr.errors import RerankError
from rr.files import kept, write_atomic
from rr.files.kept import with_checksum
from rr_bench.cache.kept import look
from rr_bench.engine.store import SEAL, Store, shared
from rr_bench.engine.task import made_elsewhere
from rr_bench.engine.work import do
from rr_bench.evaluate.results import BenchResult, Row
from rr_bench.keeping import anew, home_at
from rr_bench.progress import Progress
from tests.bench.test_engine import PARTS, Counting, Install, counting, figures, parts_of, rows, scores
from tests.conftest import ROOT, Rr

__all__ = ["counting"]
PIECE, FOLDER = "scores/0123456789abcdef/part-00000.json", "checkpoints/head-rooms-0123456789abcdef"
Homes = Callable[[str], Store]
STEADY = """
  steady: {scorer: steady, trainer: steady}
  both: {fuse: [bm25, steady], method: weighted}
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri()


@pytest.fixture
def homes(tmp_path: Path, url: str) -> Iterator[Homes]:
    """Homes of machines that have nothing in common but a store."""

    def home(name: str) -> Store:
        return Store(url, tmp_path / name)

    with Store(url, tmp_path).marked():
        yield home


def file_in(home: Path, text: str = "the scores") -> Path:
    write_atomic(home / PIECE, json.dumps(with_checksum({"key": "x", "content": text})))
    return home / PIECE


def folder_in(home: Path, text: str = "the weights") -> Path:
    for name in ("weights.safetensors", "tokenizer/vocab.txt"):
        (home / FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (home / FOLDER / name).write_text(text, encoding="utf-8")
    return home / FOLDER


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def others(folder: Path, url: str) -> Iterator[Store]:
    """A process with another home, and the same store."""
    with home_at(folder), shared(url) as store:
        assert store is not None
        yield store


# benches


def test_workers_find_what_one_process_finds(counting: Counting, rr_command: Rr, url: str, tmp_path: Path) -> None:
    asked = ["bench", "first-stage", "bm25", "counted", "--registry", counting.registry, "--out"]
    one = {**counting.environment, "RR_HOME": str(tmp_path / "one")}
    assert rr_command(*asked, tmp_path / "here", **one).returncode == 0
    counting.log.write_text("", encoding="utf-8")
    two = {**counting.environment, "RR_HOME": str(tmp_path / "two")}
    found = rr_command(*asked, tmp_path / "there", "--jobs", "2", "--store", url, **two)
    assert found.returncode == 0, found.stderr
    here, there = figures(tmp_path / "here"), figures(tmp_path / "there")
    for name, row in here.items():
        assert (row["per_query"], row["notes"]) == (there[name]["per_query"], there[name]["notes"])
        assert not there[name]["scores_from_store"]
    (workers,) = (tmp_path / "two" / "stores").iterdir()
    assert scores(tmp_path / "one") == scores(tmp_path / "two") == scores(tmp_path / "store") != {}
    assert scores(workers).items() <= scores(tmp_path / "one").items()
    calls = counting.calls("Counted")
    assert (len(calls), calls.total()) == (PARTS, PARTS)
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"data", "engine", "probes", "scores"}
    assert not any(path.name.startswith(".") and path.name != SEAL for path in (tmp_path / "store").rglob("*"))

    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()}
    three = {**counting.environment, "RR_HOME": str(tmp_path / "three")}
    found = rr_command(*asked, tmp_path / "again", "--jobs", "2", "--store", url, **three)
    assert found.returncode == 0, found.stderr
    assert all(row["scores_from_store"] for row in figures(tmp_path / "again").values())
    assert counting.calls("Counted").total() == PARTS
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()}


def test_what_is_here_already_is_computed_by_no_worker(
    counting: Counting, rr_command: Rr, url: str, tmp_path: Path
) -> None:
    asked = ["bench", "counted", "--registry", counting.registry]
    assert rr_command(*asked, **counting.environment).returncode == 0
    assert rr_command(*asked, "--jobs", "2", "--store", url, **counting.environment).returncode == 0
    assert counting.calls("Counted").total() == PARTS
    assert scores(tmp_path / "store") == scores(tmp_path / "rr-home")


def test_trainings_are_shared_and_a_checkpoint_that_is_named(
    small_registry: Path, rr_command: Rr, installed: Install, url: str, tmp_path: Path
) -> None:
    """The last worker is given a checkpoint that lies in no home, and whose training data it has never seen."""
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + STEADY, encoding="utf-8")
    log, path = tmp_path / "steady.log", [str(installed("rr_steady")), str(ROOT / "core"), str(ROOT / "plugins")]
    environment = {"PYTHONPATH": os.pathsep.join(path), "RR_STEADY_LOG": str(log)}

    def found(home: str, *names: str) -> dict[str, Any]:
        asked = ["bench", *names, "--registry", str(small_registry), "--out", str(tmp_path / home / "out")]
        ended = rr_command(*asked, **environment, RR_HOME=str(tmp_path / home))
        assert ended.returncode == 0, ended.stderr
        return figures(tmp_path / home / "out")

    def steps() -> int:
        return log.read_text(encoding="utf-8").count("step ")

    shared_by = ["--jobs", "2", "--store", url]
    one = found("one", "steady", "both")
    once = steps()
    two = found("two", "steady", "both", *shared_by)
    for name, row in one.items():
        assert (row["per_query"], row["notes"]) == (two[name]["per_query"], two[name]["notes"])
    (trained,) = (tmp_path / "store" / "checkpoints").iterdir()
    assert steps() == 2 * once
    (tmp_path / "two" / "checkpoints" / trained.name).rename(tmp_path / "mine")
    three = found("three", "steady", *shared_by, "--checkpoint", f"steady={tmp_path / 'mine'}")
    assert [row["per_query"] for row in three.values()] == [two["steady"]["per_query"]]
    (given,) = (tmp_path / "three" / "stores").glob("*/checkpoints/given-*")
    assert not (tmp_path / "three" / "checkpoints").exists()
    assert set(files_below(given)) == set(files_below(tmp_path / "mine"))
    four = found("four", "steady", "both", *shared_by)
    assert all(row["scores_from_store"] for row in four.values())
    assert steps() == 2 * once


def test_fresh_replaces_what_is_in_the_store(counting: Counting, rr_command: Rr, url: str, tmp_path: Path) -> None:
    asked = ["bench", "counted", "--registry", counting.registry, "--jobs", "2", "--store", url]
    assert rr_command(*asked, **counting.environment).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.json")}
    found = rr_command(*asked, "--fresh", **counting.environment)
    assert found.returncode == 0, found.stderr
    assert counting.calls("Counted").total() == 2 * PARTS
    assert all(path.stat().st_mtime_ns > then for path, then in before.items())
    assert scores(tmp_path / "store") == scores(tmp_path / "rr-home")


def test_one_process_shares_too_without_workers(small_registry: Path, tmp_path: Path) -> None:
    """memory:// is a store of this process alone, whose objects are whole as those of s3:// are."""
    found = []
    for name in ("one", "two"):
        with home_at(tmp_path / name):
            found.append(rows(rr.bench(["bm25"], registry=small_registry, store="memory://shared/rr"))["bm25"])
    assert [row.scores_from_store for row in found] == [False, True]
    assert found[0].per_query == found[1].per_query
    assert scores(tmp_path / "one") == scores(tmp_path / "two") != {}
    row = bench_failing(small_registry, tmp_path / "three", jobs=2, store="memory://shared/rr")
    assert "store memory://shared/rr failed" in row.failure


def test_folds_are_data_sets_of_the_store(small_registry: Path, url: str, tmp_path: Path) -> None:
    found = []
    for name, asked in (("one", {}), ("two", {"jobs": 2, "store": url})):
        with home_at(tmp_path / name):
            found.append(rows(rr.bench(["bm25"], registry=small_registry, folds=2, **asked))["bm25"])
    assert found[0].failure == found[1].failure == ""
    assert found[0].per_query == found[1].per_query
    assert len(list((tmp_path / "store" / "data").glob("*-fold?of2"))) == 2


def test_data_sets_are_read_by_the_driver_alone(
    small_registry: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with others(tmp_path / "one", url):
        rr.bench(["bm25"], registry=small_registry)
    (folder,) = (tmp_path / "store" / "data").iterdir()
    shutil.rmtree(tmp_path / "small")
    told = {"data": {"name": "rooms", "entry": {}, "folds": None, "folders": [folder.name]}}
    with others(tmp_path / "two", url):
        outcome = do("rr_bench.evaluate.handed:prepared", told, None)
        assert (outcome["state"], outcome["value"]) == ("done", 1)
        told["data"]["folders"] = [f"{folder.name}-fold1of2"]
        outcome = do("rr_bench.evaluate.handed:prepared", told, None)
        assert f"does not find data/{folder.name}-fold1of2 in the store" in outcome["reason"]


def bench_failing(registry: Path, home: Path, progress: Progress | None = None, **asked: Any) -> Row:
    with home_at(home):
        given = {} if progress is None else {"progress": progress}
        result: BenchResult = rr.bench(["bm25"], registry=registry, **given, **asked)
    return rows(result)["bm25"]


def test_a_store_that_vanishes_midway_is_a_failed_row(small_registry: Path, url: str, tmp_path: Path) -> None:
    class Vanishing(Progress):
        def status(self, text: str) -> None: ...

        @contextmanager
        def task(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
            if description == "training and scoring":
                shutil.rmtree(tmp_path / "store")
            yield lambda units: None

    row = bench_failing(small_registry, tmp_path / "one", Vanishing(), jobs=2, store=url)
    assert f"store {url} failed at" in row.failure
    assert "\n" not in row.failure
    assert not (tmp_path / "store").exists()


def test_a_worker_that_is_killed_while_it_uploads(counting: Counting, rr_command: Rr, url: str, tmp_path: Path) -> None:
    """The first worker that would give an object its name."""
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "sitecustomize.py").write_text(
        f"""
import os, sys
if "rr_bench.engine.worker" in sys.orig_argv:
    from fsspec.implementations.local import LocalFileSystem
    move = LocalFileSystem.mv
    def killed(*arguments, **named):
        try:
            os.close(os.open({str(tmp_path / "killed")!r}, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return move(*arguments, **named)
        os.kill(os.getpid(), {int(signal.SIGKILL)})
    LocalFileSystem.mv = killed
""",
        encoding="utf-8",
    )
    environment = {**counting.environment}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "patch"), environment["PYTHONPATH"]])
    asked = ["bench", "counted", "--registry", counting.registry, "--jobs", "2", "--store", url]
    found = rr_command(*asked, "--out", tmp_path / "out", **environment)
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "killed").exists()
    assert figures(tmp_path / "out")["counted"]["failure"] == ""
    assert scores(tmp_path / "store") == scores(tmp_path / "rr-home")
    assert len(list(parts_of(counting))) == PARTS


# pieces


def test_what_one_home_has_made_another_finds(homes: Homes, tmp_path: Path) -> None:
    for made in (file_in(tmp_path / "one"), folder_in(tmp_path / "one")):
        homes("one").keep(made)
        homes("two").fetch(tmp_path / "two" / made.relative_to(tmp_path / "one"))
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two") != {}


@pytest.mark.parametrize(
    "name",
    [
        "pairs/0123456789abcdef.sqlite",
        "embeddings/0123456789abcdef/a.safetensors",
        "locks/a.lock",
        "costs/0123456789abcdef.json",
        "checkpoints/.head.partial/kept/scores/a/part-00000.json",
        "scores/../../outside.json",
        "../outside/scores/a.json",
    ],
)
def test_caches_locks_and_what_is_in_the_making_stay(name: str, homes: Homes, tmp_path: Path) -> None:
    path = tmp_path / "one" / name
    Path(os.path.normpath(path)).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "one" / "scores").mkdir(parents=True, exist_ok=True)
    path.write_text("{}", encoding="utf-8")
    before = files_below(tmp_path / "store")
    homes("one").keep(path)
    assert files_below(tmp_path / "store") == before


def wrong_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def sealed_with(**content: str) -> Callable[[Path], None]:
    def seal(path: Path) -> None:
        sums = with_checksum({"key": FOLDER, "content": content})
        (path.parent / SEAL).write_text(json.dumps(sums), encoding="utf-8")

    return seal


@pytest.mark.parametrize("damage", [wrong_byte, truncated, lambda path: path.write_bytes(b"")])
def test_a_file_that_is_damaged_there_is_named_and_replaced(
    damage: Callable[[Path], None], homes: Homes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    homes("one").keep(file_in(tmp_path / "one"))
    damage(tmp_path / "store" / PIECE)
    two = homes("two")
    for _ in range(2):
        two.fetch(tmp_path / "two" / PIECE)
        assert not (tmp_path / "two" / PIECE).exists()
    (said,) = caplog.messages
    assert said.startswith(f"{PIECE} in store {(tmp_path / 'store').as_uri()} is damaged (it")
    two.keep(file_in(tmp_path / "two"))
    homes("three").fetch(tmp_path / "three" / PIECE)
    assert (tmp_path / "three" / PIECE).read_bytes() == (tmp_path / "one" / PIECE).read_bytes()


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("weights.safetensors", wrong_byte, "weights.safetensors is not the file that was written"),
        ("tokenizer/vocab.txt", truncated, "tokenizer/vocab.txt is not the file that was written"),
        ("tokenizer/vocab.txt", Path.unlink, "tokenizer/vocab.txt is missing"),
        (SEAL, wrong_byte, "it"),
        (SEAL, truncated, "it is no JSON with a checksum"),
        (SEAL, sealed_with(**{"../../escaped": "0"}), "'../../escaped' would lie outside the folder"),
        (SEAL, sealed_with(**{"/tmp/escaped": "0"}), "'/tmp/escaped' would lie outside the folder"),
        (SEAL, sealed_with(**{"a/../../../escaped": "0"}), "'a/../../../escaped' would lie outside the folder"),
    ],
)
def test_a_folder_that_is_damaged_there_is_named_and_replaced(
    name: str,
    damage: Callable[[Path], None],
    reason: str,
    homes: Homes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    homes("one").keep(folder_in(tmp_path / "one"))
    damage(tmp_path / "store" / FOLDER / name)
    two = homes("two")
    two.fetch(tmp_path / "two" / FOLDER)
    assert not list((tmp_path / "two" / "checkpoints").glob("*"))
    assert not list(tmp_path.rglob("*escaped*"))
    (said,) = caplog.messages
    assert f"{FOLDER} in store" in said
    assert f"is damaged ({reason}" in said
    two.keep(folder_in(tmp_path / "two"))
    homes("three").fetch(tmp_path / "three" / FOLDER)
    assert files_below(tmp_path / "three") == files_below(tmp_path / "one")


def test_a_folder_without_a_seal_is_believed_by_nobody(
    homes: Homes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    homes("one").keep(folder_in(tmp_path / "one"))
    (tmp_path / "store" / FOLDER / SEAL).unlink()
    homes("two").fetch(tmp_path / "two" / FOLDER)
    assert not (tmp_path / "two" / FOLDER).exists()
    assert not caplog.messages  # somebody may be at it
    homes("one").offer(tmp_path / "one" / FOLDER)
    homes("two").fetch(tmp_path / "two" / FOLDER)
    assert files_below(tmp_path / "two") == files_below(tmp_path / "one")


@pytest.mark.parametrize("survived", range(3))
def test_a_writer_that_is_killed_leaves_nothing_that_is_believed(
    survived: int, homes: Homes, url: str, tmp_path: Path
) -> None:
    """Before the first file has its name, before the second one, and before the seal."""
    folder_in(tmp_path / "one")
    code = f"""
import os
from pathlib import Path
from fsspec.implementations.local import LocalFileSystem
from rr_bench.engine.store import Store
left, move = {survived}, LocalFileSystem.mv
def killed(*arguments, **named):
    global left
    if not left:
        os.kill(os.getpid(), {int(signal.SIGKILL)})
    left -= 1
    return move(*arguments, **named)
LocalFileSystem.mv = killed
home = Path({str(tmp_path / "one")!r})
Store({url!r}, home).keep(home / {FOLDER!r})
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -signal.SIGKILL
    homes("two").fetch(tmp_path / "two" / FOLDER)
    assert not (tmp_path / "two" / FOLDER).exists()
    homes("one").keep(tmp_path / "one" / FOLDER)
    homes("two").fetch(tmp_path / "two" / FOLDER)
    assert files_below(tmp_path / "two") == files_below(tmp_path / "one")


def test_what_others_have_made_anew_takes_the_place_of_what_was_here(url: str, homes: Homes, tmp_path: Path) -> None:
    for home, text in (("one", "new"), ("two", "old")):
        file_in(tmp_path / home, text)
        folder_in(tmp_path / home, text)
    homes("one").keep(tmp_path / "one" / PIECE)
    homes("one").keep(tmp_path / "one" / FOLDER)
    with others(tmp_path / "two", url), anew():
        assert kept.outdated(tmp_path / "two" / PIECE)
        assert "old" in (tmp_path / "two" / PIECE).read_text(encoding="utf-8")
        made_elsewhere([PIECE, FOLDER])
        for name in (PIECE, FOLDER):
            assert not kept.outdated(tmp_path / "two" / name)
    assert (tmp_path / "two" / PIECE).read_bytes() == (tmp_path / "one" / PIECE).read_bytes()
    assert files_below(tmp_path / "two" / FOLDER) == files_below(tmp_path / "one" / FOLDER)


def test_a_damaged_piece_of_ones_own_is_not_offered(homes: Homes, tmp_path: Path) -> None:
    wrong_byte(file_in(tmp_path / "one"))
    homes("one").offer(tmp_path / "one" / PIECE)
    assert not (tmp_path / "store" / PIECE).exists()


# the way there


@pytest.mark.parametrize(
    ("store", "line"),
    [
        ("", "store '' is no whole URL; say file:///FOLDER, s3://BUCKET/FOLDER or the like"),
        ("/shared/rr", "store '/shared/rr' is no whole URL"),
        ("file://shared/rr", "store 'file://shared/rr' is no whole URL"),
        ("s4://bucket/rr", "store s4://bucket/rr cannot be opened (ValueError: Protocol not known: s4)"),
        ("file:///proc/rr", "store file:///proc/rr failed at engine/"),
        ("ftp://me:hunter2@host/rr", "store ftp://***@host/rr: put what stands at *** into fsspec's configuration"),
        ("simplecache::ftp://me:hunter2@host/rr", "store simplecache::ftp://***@host/rr: put what stands"),
        ("ftp://me:hunt/er2@host/rr", "store ftp://***@host/rr: put what stands at *** into fsspec's configuration"),
        ("az://box/rr?sig=hunter2", "store az://box/rr?***: put what stands at *** into fsspec's configuration"),
    ],
)
def test_a_store_that_is_none_is_one_line_before_the_work(
    store: str, line: str, small_registry: Path, rr_command: Rr, tmp_path: Path
) -> None:
    found = rr_command("bench", "bm25", "--registry", small_registry, "--store", store)
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {line}")
    assert found.stderr.count("\n") == 1
    assert "hunter2" not in found.stderr + found.stdout
    assert not (tmp_path / "rr-home" / "scores").exists()


@pytest.mark.parametrize(("package", "store"), [("s3fs", "s3://bucket/rr"), ("gcsfs", "gs://bucket/rr")])
def test_what_a_protocol_needs_is_named(
    package: str, store: str, small_registry: Path, rr_command: Rr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, store.partition(":")[0], raising=False)
    found = rr_command("bench", "bm25", "--registry", small_registry, "--store", store)
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: store {store} needs what is not installed (")
    assert package in found.stderr
    monkeypatch.setitem(sys.modules, "fsspec", None)
    found = rr_command("bench", "bm25", "--registry", small_registry, "--store", store)
    assert found.stderr == "error: a store needs fsspec; install with: pip install 'rerank-registry[ray]'\n"


def test_a_folder_that_is_a_file_cannot_be_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RerankError, match="failed at engine/"), shared((tmp_path / "file" / "rr").as_uri()):
        pass


def test_a_store_that_is_gone_is_no_empty_one(homes: Homes, tmp_path: Path) -> None:
    one, path = homes("one"), file_in(tmp_path / "one")
    shutil.rmtree(tmp_path / "store")
    for ask in (lambda: one.keep(path), lambda: one.fetch(tmp_path / "one" / FOLDER)):
        with pytest.raises(RerankError, match=r"failed at its folder \(FileNotFoundError"):
            ask()
    assert not (tmp_path / "store").exists()
    (tmp_path / "store").mkdir()


def test_a_workers_home_can_be_cleaned(rr_command: Rr, tmp_path: Path) -> None:
    folder = tmp_path / "rr-home" / "stores" / "0123456789abcdef"
    file_in(folder)
    assert [(one.kind, one.name) for one in look().kept] == [("stores", "0123456789abcdef")]
    assert rr_command("cache", "clean", "stores", "--yes").returncode == 0
    assert not folder.exists()


# on other machines


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """At a server that answers as S3 does."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    pytest.importorskip("s3fs")
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {"ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "hunter2", "ENDPOINT_URL": address}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        yield "s3://bucket/rr"
    finally:
        server.stop()


def test_a_bucket_is_a_store(
    bucket: str, small_registry: Path, rr_command: Rr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    asked = ["bench", "bm25", "random", "--registry", small_registry, "--jobs", "2", "--store", bucket, "--out"]
    found = rr_command(*asked, tmp_path / "none")
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: store {bucket} failed at engine/")
    assert found.stderr.count("\n") == 1
    assert "hunter2" not in found.stderr
    fsspec.filesystem("s3").mkdir("bucket")
    for home in ("one", "two"):
        found = rr_command(*asked, tmp_path / home / "out", RR_HOME=str(tmp_path / home))
        assert found.returncode == 0, found.stderr
    assert all(row["scores_from_store"] for row in figures(tmp_path / "two" / "out").values())
    assert scores(tmp_path / "one") == scores(tmp_path / "two") != {}


def test_a_cluster_that_does_not_see_the_home_of_the_driver(
    counting: Counting, rr_command: Rr, url: str, tmp_path: Path
) -> None:
    if find_spec("ray") is None:
        pytest.skip("ray is not installed")
    asked = ["bench", "first-stage", "bm25", "counted", "--registry", counting.registry, "--out"]
    one = {**counting.environment, "RR_HOME": str(tmp_path / "one")}
    assert rr_command(*asked, tmp_path / "here", **one).returncode == 0
    counting.log.write_text("", encoding="utf-8")
    node = {**os.environ, **counting.environment, "RR_HOME": str(tmp_path / "node"), "RAY_USAGE_STATS_ENABLED": "0"}
    node["PYTHONPATH"] += os.pathsep + str(ROOT)
    node |= {"RAY_raylet_start_wait_time_s": "300", "RAY_agent_register_timeout_ms": "300000"}
    command = [sys.executable, "-m", "tests.bench.ray_nodes"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=node, **pipes) as process:  # type: ignore[call-overload]
        address = json.loads(process.stdout.readline())["address"]
        try:
            there = [*asked, tmp_path / "there", "--engine", f"ray://{address}", "--store", url]
            found = rr_command(*there, **counting.environment, RR_HOME=str(tmp_path / "two"))
        finally:
            process.stdin.close()
            process.wait(timeout=60)
    assert found.returncode == 0, found.stderr
    for name, row in figures(tmp_path / "here").items():
        assert row["per_query"] == figures(tmp_path / "there")[name]["per_query"]
    assert not (tmp_path / "two" / "stores").exists()
    (workers,) = (tmp_path / "node" / "stores").iterdir()
    assert {path.name for path in (tmp_path / "node").iterdir()} == {"locks", "stores"}
    assert scores(workers) | scores(tmp_path / "two") == scores(tmp_path / "one") != {}
    assert scores(tmp_path / "two") == scores(tmp_path / "store") == scores(tmp_path / "one")
    calls = counting.calls("Counted")
    assert (len(calls), calls.total()) == (PARTS, PARTS)
