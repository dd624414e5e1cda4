"""Trains the embedded base: `python -m experiments.pretrain_reader --out FOLDER`.

A model this small does not find out by itself in any reasonable time that it should compare candidates with a question,
so it starts from a circuit that does (`start`), and answers prompts of more and more candidates, easy ones first. A
second loss asks the layer before the last what it knows at the words of the question. Everything is drawn from seeds,
on one thread: the weights are the same every time on the same machine.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.card import made_with
from experiments.pretrain_reader.composer import Said
from experiments.pretrain_reader.learner import EVALUATED, Learner, Task, draw
from experiments.pretrain_reader.neighbours import SHARE, Neighbours
from experiments.pretrain_reader.start import CONTENT
from experiments.pretrain_reader.tiny import MINILM, WIDTH, minilm_vocabulary, vocabulary
from experiments.pretrain_reader.worlds import BENCHED, KINDS, Asked, benched_words, held_out, world
from rr_torch.device import parameter_counts
from rr_torch.loading import quiet

MODULE = "experiments.pretrain_reader"
SEED = 0
TRAIN_SEEDS, HELD_OUT_SEEDS = range(1000, 5000), range(5000, 5003)
STEPS, LR, WARMUP, DECAY = 5400, 1e-3, 60, 0.4  # warm-up in steps; in the last share DECAY the rate falls to 0
TURNS = ("helpdesk", "rentals", "films")
QUESTIONS, FRESH, KEPT = 200, 10, 8  # of a world; batches of a kind to the next world; worlds drawn from
REPORT = 50  # steps a row of the loss curve
FIGURES = ("answer", "question", "mass", "accuracy")
FRAME, LINE = 70, {"helpdesk": 17, "rentals": 42, "films": 7}  # tokens about: of a prompt without candidates, of a line


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the curriculum. `share`: of all steps. `tokens`: of a batch, about."""

    share: float
    lines: tuple[int, int]
    tokens: int


STAGES = (Stage(0.2, (4, 8), 5000), Stage(0.25, (8, 16), 5000), Stage(0.55, (20, 20), 5000))
EASY, EASED = 0.3, 0.4  # the first stage's share of candidates, at first; from that share of steps on it is all


class Worlds:
    """Questions of a kind, of which there are always new ones."""

    def __init__(self, kind: str, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._kind, self._seeds, self._asked = kind, iter(TRAIN_SEEDS), 0
        self._worlds: list[list[Asked]] = []

    def batch(self, stage: Stage, hard: float, generator: random.Random) -> list[Task]:
        if self._asked % FRESH == 0:
            self._worlds = [*self._worlds, world(self._kind, next(self._seeds), QUESTIONS)][-KEPT:]
        self._asked += 1
        lines = generator.randint(*stage.lines)
        size = max(4, stage.tokens // (FRAME + lines * LINE[self._kind]))
        return [
            draw(generator.choice(generator.choice(self._worlds)), lines, hard, generator, self._said(generator))
            for _ in range(size)
        ]

    def _said(self, generator: random.Random) -> Said | None:
        """Rentals are as they are: numbers, places and short signs tell them apart. What a history has and what is to
        choose from are films alike."""
        if self._kind == "rentals":
            return None
        candidates = self._neighbours.rewording(generator)
        return candidates, candidates if self._kind == "films" else self._neighbours.rewording(generator)


def train(learner: Learner, steps: int, out: Path) -> list[str]:
    """The rows of the loss curve. The model is saved at each of them, so that a broken run leaves something."""
    trained = learner.parameters()
    optimizer = torch.optim.AdamW(trained, lr=LR, betas=(0.9, 0.98), weight_decay=0.0)
    curve: list[str] = []
    seen: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    generator, begun = random.Random(SEED), time.monotonic()
    neighbours = Neighbours(learner.words, vocabulary(), {*minilm_vocabulary()}, benched_words())
    worlds = {kind: Worlds(kind, neighbours) for kind in KINDS}
    ends = [round(steps * sum(stage.share for stage in STAGES[: number + 1])) for number in range(len(STAGES))]
    for step in range(steps):
        number = next(number for number, end in enumerate(ends) if step < end or number == len(ends) - 1)
        kind = TURNS[step % len(TURNS)]
        hard = EASY + (1 - EASY) * min(1.0, step / (EASED * steps))
        tasks = worlds[kind].batch(STAGES[number], hard, generator)
        if step < len(TURNS):
            learner.composer.check(tasks[0].asked.query, tasks[0].asked.candidates)
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1.0, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))
        loss, figures = learner.loss(tasks)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen[kind].append(figures)
        if (step + 1) % REPORT == 0 or step + 1 == steps:
            for name, rows in seen.items():
                means = [sum(row[figure] for row in rows) / len(rows) for figure in FIGURES if rows]
                curve.append(f"| {step + 1} | {number + 1} | {name} | " + " | ".join(f"{x:.3f}" for x in means) + " |")
                print(f"{curve[-1]} {time.monotonic() - begun:.0f} s", flush=True)  # noqa: T201
                rows.clear()
            save(learner, out)
    return curve


def save(learner: Learner, out: Path) -> None:
    """Vectors and weights in 16 bits: half the size, and no figure that is told here changes."""
    learner.settle()
    learner.tokenizer.save_pretrained(out)
    with quiet():
        state = {name: value.half() for name, value in learner.model.state_dict().items() if name != "lm_head.weight"}
        learner.model.save_pretrained(out, state_dict=state)


def results(learner: Learner, count: int) -> list[str]:
    """The table rows of what the trained model can do on worlds that it has not seen."""
    rows = []
    for words, made in (("pretraining's", world), ("bench's", held_out)):
        for kind in KINDS:
            asked = [one for seed in HELD_OUT_SEEDS for one in made(kind, seed, count)]
            values = " | ".join(f"{value:.3f}" for value in learner.evaluate(asked).values())
            rows.append(f"| {kind} | {words} | {len(asked)} | {values} |")
            print(rows[-1], flush=True)  # noqa: T201
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description="Trains the letter verbalizer's base.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=STEPS, help="to try the script")
    parser.add_argument("--questions", type=int, default=40, help="of each held-out world")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more would add up in another order, to other weights
    try:
        learner, begun = Learner(SEED), time.monotonic()
        curve = train(learner, options.steps, options.out)
        seconds = time.monotonic() - begun
        figures = results(learner, options.questions)
    finally:
        torch.set_num_threads(threads)
    config = learner.model.config
    card = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    written = card.format(
        parameters=f"{parameter_counts(learner.model)[0]:,}",
        trained=f"{sum(one.numel() for one in learner.parameters()):,}",
        hidden=config.hidden_size,
        meaning=WIDTH - CONTENT,
        layers=config.num_hidden_layers,
        vocabulary=f"{config.vocab_size:,}",
        module=MODULE,
        minilm=MINILM,
        seeds=f"{TRAIN_SEEDS[0]} to {TRAIN_SEEDS[-1]}",
        held_out=f"{HELD_OUT_SEEDS[0]} to {HELD_OUT_SEEDS[-1]}",
        benched=", ".join(f"{kind} {seed}" for kind, seed in BENCHED.items()),
        command=" ".join([f"python -m {MODULE}", *arguments]),
        lr=LR,
        share=SHARE,
        steps=options.steps,
        seconds=seconds,
        **made_with(options.out),
        stages="\n".join(
            f"| {number} | {stage.share:.0%} | {stage.lines[0]}-{stage.lines[1]} | {stage.tokens:,} |"
            for number, stage in enumerate(STAGES, 1)
        ),
        figures=" | ".join(FIGURES),
        rule="---|" * len(FIGURES),
        curve="\n".join(curve),
        evaluated=" | ".join(EVALUATED),
        evaluated_rule="---|" * len(EVALUATED),
        results="\n".join(figures),
    )
    (options.out / "README.md").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
