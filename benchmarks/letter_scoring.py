"""What the letter verbalizer's short ways are worth, on a CPU and one thread.

    OMP_NUM_THREADS=1 python benchmarks/letter_scoring.py [--json FILE]

The model has the shape of Qwen3-0.6B and its vocabulary, with fewer layers and random weights. The documented way is
one prompt at a time through the model's own forward pass, which makes logits of the whole vocabulary at every position.
Both ways run turn by turn in one process, medians are printed; peak memory is taken in a fresh process each, above
what the loaded model occupies. Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from figures import Line, report
from matrix_rate import MatrixRate
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from rr import Document, Query, Request
from rr_data.generators.films import THEMES
from rr_letters.base import tiny_base
from rr_letters.model import LetterModel
from rr_letters.scorer import LetterScorer
from rr_letters.settings import LetterSettings, LetterTraining
from rr_letters.templates import Layout
from rr_letters.trainer import add_lora, letter_loss
from rr_torch.device import seeded
from rr_torch.loading import quiet

LAYERS, TRAINED_LAYERS, FULL_LAYERS = 4, 3, 28
SHAPE = {
    "vocab_size": 151_936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40_960,
    "rope_theta": 1_000_000,
    "tie_word_embeddings": True,
}
PERMUTATIONS = 8
WORDS = THEMES.title().split()  # each a token of the embedded tokenizer


def title(generator: random.Random, words: int) -> str:
    return " ".join(generator.choice(WORDS) for _ in range(words))


def requests() -> list[Request]:
    """20 to 52 candidates, prompts of some 300 to 900 tokens."""
    generator = random.Random(0)
    shapes = [(20, 20, 4), (52, 10, 4), (30, 20, 8), (20, 30, 8), (40, 20, 10), (52, 20, 8)]
    return [
        Request(
            Query(f"q{number}", "", tuple(Document(f"h{n}", title(generator, words)) for n in range(history))),
            tuple(Document(f"d{n}", title(generator, words)) for n in range(candidates)),
        )
        for number, (candidates, history, words) in enumerate(shapes)
    ]


def shuffles() -> list[Request]:
    """Eight orders of 20 candidates after a history of 50 titles."""
    generator = random.Random(1)
    query = Query("q", "", tuple(Document(f"h{n}", title(generator, 8)) for n in range(50)))
    candidates = [Document(f"d{n}", title(generator, 8)) for n in range(20)]
    return [Request(query, tuple(generator.sample(candidates, 20))) for _ in range(PERMUTATIONS)]


def short_prompts() -> list[list[int]]:
    generator = random.Random(2)
    return [[generator.randrange(1000) for _ in range(generator.randint(30, 160))] for _ in range(24)]


def training_sample() -> tuple[Request, int]:
    """A prompt of 512 tokens, or a few less."""
    generator = random.Random(3)
    history = tuple(Document(f"h{n}", title(generator, 7)) for n in range(20))
    return Request(Query("q", "", history), tuple(Document(f"d{n}", title(generator, 7)) for n in range(27))), 3


def sharing_samples() -> list[tuple[Request, int]]:
    """Four questions about the same 20 passages, of a step."""
    generator = random.Random(4)
    passages = tuple(Document(f"d{n}", title(generator, 20)) for n in range(20))
    return [(Request(Query(f"q{n}", title(generator, 8)), passages), 5 * n) for n in range(4)]


def make_folder(folder: Path, layers: int) -> None:
    """Random weights under Qwen3-0.6B's configuration; the embedded tokenizer, which splits as the real one does into
    letters and words of its own."""
    with quiet(), seeded(0):
        model = Qwen3ForCausalLM(Qwen3Config(**SHAPE, num_hidden_layers=layers))
        model.to(torch.bfloat16).save_pretrained(folder)  # as the real checkpoint is stored
        AutoTokenizer.from_pretrained(tiny_base()).save_pretrained(folder)


def settings(folder: Path, layout: Layout = "question-first") -> LetterSettings:
    return LetterSettings(model=str(folder), layout=layout, title_tokens=64, history_items=64)


@contextmanager
def own_attention(letters: LetterModel) -> Iterator[None]:
    """The model as transformers runs it by default, for the documented way."""
    packed = letters.base.config._attn_implementation
    letters.base.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        letters.base.set_attn_implementation(packed)


@torch.inference_mode()
def documented(letters: LetterModel, asked: list[Request]) -> list[list[float]]:
    """One prompt at a time, the logits of every position, the last one's letters."""
    answers = []
    with own_attention(letters):
        for request in asked:
            tokens = letters.prompter.render(request).tokens
            logits = letters.base(input_ids=torch.tensor([tokens]), use_cache=False).logits
            answers.append(torch.softmax(logits[0, -1, letters.labels[: len(request.candidates)]], 0).tolist())
    return answers


def documented_step(letters: LetterModel) -> None:
    """Next-token cross-entropy over the whole sequence, masked but for the answer."""
    request, answer = training_sample()
    tokens = [*letters.prompter.render(request).tokens, int(letters.labels[answer])]
    labels = [-100] * (len(tokens) - 1) + tokens[-1:]
    with own_attention(letters):
        output = letters.model(input_ids=torch.tensor([tokens]), labels=torch.tensor([labels]), use_cache=False)
        output.loss.backward()
    letters.model.zero_grad()


def short_step(letters: LetterModel) -> None:
    letter_loss(letters, [training_sample()]).value.backward()  # type: ignore[no-untyped-call]
    letters.model.zero_grad()


def sharing_step(letters: LetterModel, share: bool) -> None:
    letter_loss(letters, sharing_samples(), share).value.backward()  # type: ignore[no-untyped-call]
    letters.model.zero_grad()


def adapted(folder: Path, layout: Layout = "question-first") -> LetterModel:
    letters = LetterModel(settings(folder, layout), None)
    letters.base.config.num_hidden_layers = TRAINED_LAYERS
    add_lora(letters, LetterTraining(lora_dropout=0.0))
    letters.model.train()
    return letters


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each way, run turn by turn."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:  # the first one warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak(kind: str, folder: Path) -> float:
    """Bytes by which one way raises the resident memory of a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (kind, folder))


def _peak(kind: str, folder: Path) -> float:
    torch.set_num_threads(1)
    letters = adapted(folder) if "step" in kind else LetterModel(settings(folder), None)
    ways: dict[str, Callable[[], object]] = {
        "documented": lambda: documented(letters, requests()),
        "short": lambda: LetterScorer.of(letters).score(requests()),
        "documented step": lambda: documented_step(letters),
        "short step": lambda: short_step(letters),
    }
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    ways[kind]()
    return _status("VmHWM") - before


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def operations(letters: LetterModel, asked: list[Request]) -> float:
    """Floating-point operations of matrix products for these prompts: linear layers, causal attention, no head."""
    config = letters.base.config
    linear = sum(p.numel() for layer in letters.base.get_decoder().layers for p in layer.parameters() if p.dim() == 2)
    lengths = [len(letters.prompter.render(request).tokens) for request in asked]
    attention = 2 * config.num_attention_heads * config.head_dim * config.num_hidden_layers
    return float(sum(2 * linear * n + attention * n * n for n in lengths))


def measure(folder: Path, rounds: int) -> list[Line]:
    letters = LetterModel(settings(folder), None)
    scorer = LetterScorer.of(letters)
    asked, shuffled, short = requests(), shuffles(), short_prompts()
    lengths = [len(letters.prompter.render(request).tokens) for request in asked]
    print(f"prompts of {min(lengths)} to {max(lengths)} tokens; {LAYERS} layers; {torch.get_num_threads()} thread(s)")
    lines = []
    expected, found = documented(letters, asked), scorer.score(asked)
    pairs = [pair for one, other in zip(expected, found, strict=True) for pair in zip(one, other.values, strict=True)]
    worst = max(abs(left - right) for left, right in pairs)
    lines.append(Line("largest difference between the scores of both ways", worst, 1e-5, at_least=False))

    @torch.inference_mode()
    def answers(prompts: list[list[int]]) -> None:
        """What a score is made of: the letters' logits, and the normaliser for their mass."""
        hidden = letters.last_hidden(prompts)
        letters.label_logits(hidden)
        letters.log_normalizer(hidden)

    @torch.inference_mode()
    def states(prompts: list[list[int]]) -> None:
        letters.last_hidden(prompts)

    width, inner = SHAPE["hidden_size"], SHAPE["intermediate_size"]
    rows = sum(lengths) // len(lengths)
    machine = MatrixRate([(rows, width, 2 * width), (rows, width, inner), (rows, inner, width)])
    seconds = timed(
        {
            "documented": lambda: documented(letters, asked),
            "short": lambda: scorer.score(asked),
            "matrix": machine.measure,
            "orders": lambda: scorer.score(shuffled),
            "orders alone": lambda: [scorer.score([order]) for order in shuffled],
            "packed": lambda: answers(short),
            "one at a time": lambda: [answers([prompt]) for prompt in short],
            "packed states": lambda: states(short),
            "states one at a time": lambda: [states([prompt]) for prompt in short],
        },
        rounds,
    )
    letters.base.config.num_hidden_layers = LAYERS // 2
    half = timed(
        {"documented": lambda: documented(letters, asked), "short": lambda: scorer.score(asked)}, max(rounds // 2, 1)
    )
    letters.base.config.num_hidden_layers = LAYERS
    layer = {name: (seconds[name] - half[name]) / (LAYERS - LAYERS // 2) for name in half}
    whole = {name: seconds[name] + (FULL_LAYERS - LAYERS) * layer[name] for name in half}
    print(f"best matrix products: {machine}")
    lines += [
        Line("scoring: documented way / ours", seconds["documented"] / seconds["short"], 2.8),
        Line(f"  the same, extrapolated to {FULL_LAYERS} layers", whole["documented"] / whole["short"]),
        Line(
            f"{PERMUTATIONS} orders: alone / with their prefix read once",
            seconds["orders alone"] / seconds["orders"],
            2,
        ),
        Line("prompts of 30 to 160 tokens: one at a time / packed", seconds["one at a time"] / seconds["packed"], 1.25),
        Line("  the same without the output matrix", seconds["states one at a time"] / seconds["packed states"]),
        Line(
            "share of the machine's best fp32 matrix rate",
            operations(letters, asked) / seconds["short"] / machine.limit,
            0.8,
        ),
        Line("  that rate, in GFLOP/s", machine.limit / 1e9),
    ]
    return lines


def measure_training(folder: Path, rounds: int) -> list[Line]:
    letters = adapted(folder)
    tokens = len(letters.prompter.render(training_sample()[0]).tokens)
    print(f"training step: {tokens} tokens, {TRAINED_LAYERS} layers")
    ways: dict[str, Callable[[], object]] = {
        "documented": lambda: documented_step(letters),
        "short": lambda: short_step(letters),
    }
    seconds = timed(ways, rounds)
    lines = [Line("training step: full-sequence cross-entropy / ours", seconds["documented"] / seconds["short"], 3.5)]
    together = adapted(folder, "question-last")
    seconds = timed(
        {"each": lambda: sharing_step(together, False), "once": lambda: sharing_step(together, True)}, rounds
    )
    name = "step of 4 questions: candidates read for each / read once"
    return [*lines, Line(name, seconds["each"] / seconds["once"], 2.5)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_folder(folder, LAYERS)
        lines = measure(folder, options.rounds)
        gc.collect()
        lines += measure_training(folder, options.rounds)
        gc.collect()
        for name, kind, goal in (("scoring", "", 1 / 6), ("training step", " step", 1 / 4)):
            long, short = peak("documented" + kind, folder), peak("short" + kind, folder)
            print(f"{name}: peak memory {long / 2**20:.0f} MiB the documented way, {short / 2**20:.0f} MiB ours")
            lines.append(Line(f"{name}: peak memory, ours / documented way", short / long, goal, at_least=False))
    return report(lines, options.json)


if __name__ == "__main__":
    sys.exit(main())
