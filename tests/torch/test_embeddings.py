"""The store of vectors: what is encoded, by whom, and what a kill, damage or another process can do to it."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import signal
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rr.files import atomic
from rr_torch import embeddings
from rr_torch.embeddings import EmbeddingStore

DIMENSIONS = 4
FORK = multiprocessing.get_context("fork")


def expected(texts: list[str]) -> Tensor:
    """A vector that only this text has."""
    digests = [hashlib.md5(text.encode()).digest()[:DIMENSIONS] for text in texts]
    return torch.tensor([list(digest) for digest in digests], dtype=torch.float32)


class Encoder:
    """Counts what it is asked for, and refuses to be asked twice for the same."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seen: list[str] = []
        self.seconds = seconds

    def __call__(self, texts: list[str]) -> Tensor:
        assert not set(texts) & set(self.seen)
        assert len(set(texts)) == len(texts)
        self.seen += texts
        time.sleep(self.seconds)
        return expected(texts)


def nothing(texts: list[str]) -> Tensor:
    raise AssertionError(f"encoded again: {texts}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "rr-home" / "embeddings" / "fingerprint"


@pytest.fixture
def tiny_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard after every text."""
    monkeypatch.setattr(embeddings, "SHARD_CHARACTERS", 1)


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def test_each_distinct_text_is_encoded_once_and_found_by_the_next_process(folder: Path) -> None:
    encoder, store = Encoder(), EmbeddingStore(folder, DIMENSIONS)
    for asked in (["b", "a", "b"], ["c", "a"], ["a"], []):
        found = store.vectors(asked, encoder)
        assert found.shape == (len(asked), DIMENSIONS)
        assert found.dtype == torch.float32
        assert not asked or torch.equal(found, expected(asked))
    assert encoder.seen == ["a", "b", "c"]
    assert torch.equal(EmbeddingStore(folder, DIMENSIONS).vectors(["c", "b"], nothing), expected(["c", "b"]))


def test_what_is_changed_in_an_answer_stays_there(folder: Path) -> None:
    store = EmbeddingStore(folder, DIMENSIONS)
    for _ in range(2):
        store.vectors(["a", "b"], Encoder()).zero_()
        assert torch.equal(store.vectors(["a", "b"], nothing), expected(["a", "b"]))


def test_texts_that_look_alike_have_vectors_of_their_own(folder: Path) -> None:
    word = "bạn cũ"
    texts = [
        "",
        " ",
        "a b",
        "a\u2028b",
        "a\nb",
        "a\u00a0b",
        *(unicodedata.normalize(form, word) for form in ("NFC", "NFD")),
    ]
    assert len(set(texts)) == 8
    encoder = Encoder()
    EmbeddingStore(folder, DIMENSIONS).vectors(texts, encoder)
    assert sorted(encoder.seen) == sorted(texts)
    assert torch.equal(EmbeddingStore(folder, DIMENSIONS).vectors(texts, nothing), expected(texts))


@pytest.mark.usefixtures("tiny_shards")
def test_an_error_half_way_keeps_what_was_encoded(folder: Path) -> None:
    def breaks(texts: list[str]) -> Tensor:
        if texts == ["c"]:
            raise MemoryError
        return expected(texts)

    with pytest.raises(MemoryError):
        EmbeddingStore(folder, DIMENSIONS).vectors(["a", "b", "c", "d"], breaks)
    encoder = Encoder()
    EmbeddingStore(folder, DIMENSIONS).vectors(["a", "b", "c", "d"], encoder)
    assert encoder.seen == ["c", "d"]


def of_other_names(path: Path) -> None:
    save_file({"words": torch.zeros(3)}, path)


def narrower(path: Path) -> None:
    tensors = load_file(path)
    save_file({**tensors, "vectors": tensors["vectors"][:, :-1].contiguous()}, path)


def shorter(path: Path) -> None:
    tensors = load_file(path)
    save_file({**tensors, "vectors": tensors["vectors"][:-1].contiguous()}, path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 5),
    "emptied": lambda path: os.truncate(path, 0),
    "no safetensors": lambda path: path.write_bytes(b"{}" * 300),
    "other tensors": of_other_names,
    "other dimensions": narrower,
    "a row too few": shorter,
    "half precision": lambda path: save_file({k: v.half() for k, v in load_file(path).items()}, path),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.usefixtures("tiny_shards")
def test_a_damaged_shard_is_named_and_its_texts_are_encoded_again(
    folder: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    EmbeddingStore(folder, DIMENSIONS).vectors(["a", "b", "c"], Encoder())
    broken = shards(folder)[1]
    damage(broken)
    encoder = Encoder()
    found = EmbeddingStore(folder, DIMENSIONS).vectors(["a", "b", "c"], encoder)
    assert re.search(rf"{broken.name} is damaged .* encoded again", caplog.text)
    assert torch.equal(found, expected(["a", "b", "c"]))
    assert len(encoder.seen) == 1
    caplog.clear()
    EmbeddingStore(folder, DIMENSIONS).vectors(["a", "b", "c"], nothing)
    assert not caplog.text, "once is enough: it is gone"


@pytest.mark.usefixtures("tiny_shards")
def test_many_small_shards_become_one_and_those_who_use_the_old_ones_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "MANY", 8)
    texts = [str(number) for number in range(8)]
    other = EmbeddingStore(folder, DIMENSIONS)
    other.vectors(texts, Encoder())
    assert len(shards(folder)) == 8
    EmbeddingStore(folder, DIMENSIONS).vectors(["more"], Encoder())
    assert len(shards(folder)) == 1
    assert torch.equal(other.vectors(texts, nothing), expected(texts))
    many = [f"other {number}" for number in range(8)]
    assert torch.equal(other.vectors([*many, *texts, "more"], Encoder()), expected([*many, *texts, "more"]))
    assert len(shards(folder)) == 1
    assert len(load_file(shards(folder)[0])["keys"]) == 17
    assert torch.equal(EmbeddingStore(folder, DIMENSIONS).vectors(many + texts, nothing), expected(many + texts))


@pytest.mark.usefixtures("tiny_shards")
def test_large_shards_are_left_as_they_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "MANY", 2)
    monkeypatch.setattr(embeddings, "SMALL_SHARD", 1)
    EmbeddingStore(folder, DIMENSIONS).vectors(["a", "b", "c"], Encoder())
    assert len(shards(folder)) == 3


# several processes


def work(folder: Path, texts: list[str], log: Path) -> None:
    def encode(chunk: list[str]) -> Tensor:
        with log.open("a") as file:
            file.write("".join(f"{text}\n" for text in chunk))
        time.sleep(0.02)
        return expected(chunk)

    assert torch.equal(EmbeddingStore(folder, DIMENSIONS).vectors(texts, encode), expected(texts))


@pytest.mark.usefixtures("tiny_shards")
def test_two_processes_at_once_encode_each_text_once(folder: Path, tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(30)]
    asked = [texts[:20], texts[10:], texts]
    log = tmp_path / "log"
    processes = [FORK.Process(target=work, args=(folder, one, log)) for one in asked]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(log.read_text().splitlines()) == sorted(texts)


@pytest.mark.usefixtures("tiny_shards")
def test_a_killed_process_loses_little_and_blocks_nobody(folder: Path, tmp_path: Path) -> None:
    texts = [f"text {number:02}" for number in range(40)]
    log = tmp_path / "log"
    process = FORK.Process(target=work, args=(folder, texts, log))
    process.start()
    deadline = time.monotonic() + 60
    while len(shards(folder)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    kept = len(shards(folder))
    assert 3 <= kept < 40
    half = folder / f".half.safetensors.{'0' * 32}"
    half.mkdir()
    os.utime(half, (1, 1))
    atomic._sweep.cache_clear()  # another process would sweep
    encoder = Encoder()
    assert torch.equal(EmbeddingStore(folder, DIMENSIONS).vectors(texts, encoder), expected(texts))
    assert encoder.seen == texts[kept:]
    assert not half.exists()


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="asks Linux for what is in memory")
def test_vectors_do_not_stay_in_memory(folder: Path) -> None:
    """64 MB of them are asked for, of which a part at a time is held, and the keys."""
    texts, width = [f"text {number}" for number in range(16_000)], 1_024

    def resident() -> int:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile", "RssAnon"))) // 1_024

    store = EmbeddingStore(folder, width)
    for again in range(2):
        before = resident()
        for start in range(0, len(texts), 1_000):
            found = store.vectors(
                texts[start : start + 1_000], lambda new: torch.full((len(new), width), float(len(new)))
            )
            assert found.shape == (1_000, width)
        assert resident() - before < 32, again
