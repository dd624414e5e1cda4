"""Files and folders that are whole or absent, whatever ends the process, and fingerprints that any byte changes."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rr.files import atomic_folder, file_sha256, fingerprint, folder_fingerprint, home, write_atomic

# the child reaches the moment that is asked for, says so, and waits there for its end
CHILD = """
import os, sys, time
from pathlib import Path
from rr.files import atomic_folder, write_atomic

def wait(*_):
    print("there", flush=True)
    time.sleep(60)

path = Path(sys.argv[1])
"""
WRITES_HALF_A_FOLDER = CHILD + 'with atomic_folder(path) as folder:\n    (folder / "a").write_text("a")\n    wait()'
FLUSHES_A_FOLDER = CHILD + 'os.fsync = wait\nwith atomic_folder(path) as folder:\n    (folder / "a").write_text("a")'
FLUSHES_A_FILE = CHILD + 'os.fsync = wait\nwrite_atomic(path, "new" * 100_000)'


def kill_when_there(code: str, path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.kill()
        assert child.wait(timeout=30) == -signal.SIGKILL


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomic(path, "chữ có dấu\r\nhai dòng\u2028")
    assert path.read_bytes() == "chữ có dấu\r\nhai dòng\u2028".encode()
    write_atomic(path, "again")
    assert path.read_text(encoding="utf-8") == "again"
    assert list(path.parent.iterdir()) == [path]


def test_whoever_reads_a_file_while_it_is_replaced_reads_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_atomic(path, "old" * 100_000)
    with path.open(encoding="utf-8") as reader:
        begun = reader.read(10)
        write_atomic(path, "new")
        assert begun + reader.read() == "old" * 100_000
    assert path.read_text(encoding="utf-8") == "new"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "new" * 100_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_whose_writer_is_killed_keeps_its_old_content(tmp_path: Path) -> None:
    old, absent = tmp_path / "old.txt", tmp_path / "absent.txt"
    write_atomic(old, "old")
    kill_when_there(FLUSHES_A_FILE, old)
    kill_when_there(FLUSHES_A_FILE, absent)
    assert old.read_text(encoding="utf-8") == "old"
    assert visible(tmp_path) == ["old.txt"]
    write_atomic(old, "new")
    assert old.read_text(encoding="utf-8") == "new"


def test_a_folder_appears_when_its_block_ends_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a" / "folder"
    with atomic_folder(path) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text("content", encoding="utf-8")
        assert not path.exists()
    assert (path / "inner" / "file").read_text(encoding="utf-8") == "content"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_folder_whose_block_raises_is_absent(tmp_path: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / "file").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [WRITES_HALF_A_FOLDER, FLUSHES_A_FOLDER], ids=["while filled", "while flushed"])
def test_a_folder_whose_writer_is_killed_is_absent_and_can_be_written_again(tmp_path: Path, code: str) -> None:
    path = tmp_path / "folder"
    kill_when_there(code, path)
    assert visible(tmp_path) == []
    with atomic_folder(path) as folder:
        (folder / "b").write_text("b", encoding="utf-8")
    assert [file.name for file in path.iterdir()] == ["b"]


def test_of_concurrent_writers_of_a_folder_one_stands_whole(tmp_path: Path) -> None:
    path, count = tmp_path / "folder", 8
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with atomic_folder(path) as folder:
                for name in range(10):
                    (folder / f"{name}").write_text(f"{number}", encoding="utf-8")
                barrier.wait(timeout=30)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    contents = [file.read_text(encoding="utf-8") for file in path.iterdir()]
    assert len(contents) == 10
    assert len(set(contents)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_stands_already_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for content in ("first", "second"):
        with atomic_folder(path) as folder:
            (folder / "file").write_text(content, encoding="utf-8")
    assert (path / "file").read_text(encoding="utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_a_folder_is_an_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.write_text("a file", encoding="utf-8")
    with pytest.raises(OSError, match="folder"), atomic_folder(path) as folder:
        (folder / "file").write_text("content", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "a file"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_that_the_user_asks_for(tmp_path: Path) -> None:
    plain_file, plain_folder = tmp_path / "plain.txt", tmp_path / "plain"
    plain_file.write_text("", encoding="utf-8")
    plain_folder.mkdir()
    write_atomic(tmp_path / "file.txt", "content")
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "inner.txt").write_text("", encoding="utf-8")

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(tmp_path / "file.txt") == mode(plain_file)
    assert mode(tmp_path / "folder" / "inner.txt") == mode(plain_file)
    assert mode(tmp_path / "folder") == mode(plain_folder)


def test_home_is_where_rr_home_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_HOME", str(tmp_path / "here"))
    assert home() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for unset in (lambda: monkeypatch.delenv("RR_HOME"), lambda: monkeypatch.setenv("RR_HOME", "")):
        unset()
        assert home() == tmp_path / ".cache" / "rerank-registry"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other places for caches")
def test_home_is_among_the_systems_caches_unless_there_is_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RR_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert home() == tmp_path / "caches" / "rerank-registry"
    old = tmp_path / ".cache" / "rerank-registry"
    old.mkdir(parents=True)
    assert home() == old


@settings(deadline=None)
@given(content=st.binary(min_size=1, max_size=200), data=st.data())
def test_any_byte_changes_the_fingerprints_of_file_and_folder(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    file = folder / "inner" / "file"
    file.parent.mkdir()
    file.write_bytes(content)
    before = (file_sha256(file), folder_fingerprint(folder))
    assert (file_sha256(file), folder_fingerprint(folder)) == before
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = bytes([content[place] ^ (1 << data.draw(st.integers(0, 7)))])
    file.write_bytes(content[:place] + flipped + content[place + 1 :])
    after = (file_sha256(file), folder_fingerprint(folder))
    assert after[0] != before[0]
    assert after[1] != before[1]


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file is renamed": lambda folder: (folder / "a").rename(folder / "c"),
    "a file is moved": lambda folder: (folder / "a").rename(folder / "inner" / "a"),
    "an empty file is added": lambda folder: (folder / "c").touch(),
    "a file is removed": lambda folder: (folder / "b").unlink(),
    "a byte is appended": lambda folder: (folder / "b").write_text("bb ", encoding="utf-8"),
    "two files swap contents": lambda folder: [
        (folder / name).write_text(text, encoding="utf-8") for name, text in (("a", "bb"), ("b", "aa"))
    ],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_folder_fingerprint_sees_names_and_places(tmp_path: Path, change: Callable[[Path], object]) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a").write_text("aa", encoding="utf-8")
    (tmp_path / "b").write_text("bb", encoding="utf-8")
    before = folder_fingerprint(tmp_path)
    change(tmp_path)
    assert folder_fingerprint(tmp_path) != before


def test_a_folder_fingerprint_does_not_depend_on_where_the_folder_is(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("same", encoding="utf-8")
    assert folder_fingerprint(tmp_path / "here") == folder_fingerprint(tmp_path / "there")


@settings(deadline=None)
@given(value=st.dictionaries(st.text("abđ", max_size=3), st.integers() | st.text("xđ", max_size=3), max_size=5))
def test_the_order_of_keys_does_not_change_a_fingerprint(value: dict[str, object]) -> None:
    other = dict(reversed(value.items()))
    assert fingerprint(other) == fingerprint(value)
    assert fingerprint([{"inner": other}]) == fingerprint([{"inner": value}])


def test_values_that_differ_have_different_fingerprints() -> None:
    values: list[object] = [None, 0, 1, 1.5, "1", "", [], {}, [[]], ["a", "b"], ["ab"], {"a": None}, "đ", "d"]
    assert len({fingerprint(value) for value in values}) == len(values)
