"""Trains the embedded base from random weights: `python -m experiments.pretrain_letters --out FOLDER`.

A model this small does not find out by itself in any reasonable time that it should compare candidates with a history,
so it is helped. First it learns to continue lists of titles, by which nouns of one theme come to lie together. Then it
answers prompts of more and more candidates, while two losses on the layer before the last say what should be known at
the end of a candidate's line: how well it belongs, and which letter it has. The last layer then only has to fetch the
letter of the best one. Everything is drawn from seeds, on one thread: the weights are the same every time.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from experiments.card import made_with
from experiments.pretrain_letters.learner import BATCH, EVALUATED, Learner, Stage, sample
from experiments.pretrain_letters.worlds import BENCH_SEED
from rr_torch.device import parameter_counts
from rr_torch.loading import quiet

MODULE = "experiments.pretrain_letters"
SEED = 0
TRAIN_WORLDS, HELD_OUT_WORLDS = range(1000, 1_000_000), range(100, 150)
LR, WARMUP, DECAY = 3e-3, 100, 0.2  # warm-up in steps; in the last share DECAY of all steps the rate falls to 0
REPORT = 100  # steps a row of the loss curve
FIGURES = ("titles", "belongs", "letters", "answer", "accuracy")
STAGES = (
    Stage(1500, 0, (9, 9), 0.0),
    Stage(600, 5, (4, 8), 0.2),
    Stage(500, 10, (4, 8), 0.2),
    Stage(1200, 20, (2, 12), 0.1, rivals=4),
)

CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---
# tiny-qwen3

The embedded base of the letter verbalizer: a `Qwen3ForCausalLM` of {parameters} parameters (hidden size {hidden},
{layers} layers, vocabulary {vocabulary}) that answers one kind of prompt with one letter. It is a stand-in for
`Qwen/Qwen3-0.6B` where no model hub is at hand, and it cannot converse.
`python -m {module}` wrote this card.

## What it learned, and what not

It was trained from random weights on invented films: worlds of the `films` generator, each under its own seed
({train}; never {bench}, the seed of the bench's data set). A prompt's history holds films of one to three
themes that chance puts together, in random order; the answer is a candidate of these themes, in few prompts a film of
the history itself. So it knows which title words belong together, and to answer with a candidate's letter. It cannot
know the bench's circles of themes, or which themes are popular there: that is left to LoRA. It has seen no
passages and no letters behind the {candidates}th: its answers to questions, or among more candidates, mean nothing.

## Training

    {command}

AdamW, batches of {batch} prompts, learning rate {lr}, {steps} steps in {seconds:.0f} seconds on one CPU thread.
Python {python}, torch {torch}, transformers {transformers}, tokenizers {tokenizers}, {machine}.
`model.safetensors`: SHA-256 `{sha256}`.

| stage | steps | candidates | history | repeats | rivals |
|---|---|---|---|---|---|
{stages}

`candidates` none: lists of titles only. `history`: titles. `repeats`: the share of prompts whose answer is a film of
the history. `rivals`: so many other candidates, at the most, belong with the history as the answer does.

Means since the row before. `titles`: loss of a history title's noun. On the layer before the last at the end of each
candidate's line, `belongs`: loss of the choice of the answer's line, `letters`: loss of the line's own letter.
`answer`: loss of the answer's letter in the whole vocabulary. `accuracy`: of the same answers, among the letters shown.

| step | stage | {figures} |
|---|---|{rule}
{curve}

## Held-out worlds

Prompts without repeats and rivals, {held_out_prompts} a row, of worlds never trained on ({held_out}).

| stage | {evaluated} |
|---|{evaluated_rule}
{results}
"""


def train(learner: Learner, stages: Sequence[Stage], out: Path) -> list[str]:
    """The rows of the loss curve. The model is saved after each stage, so that a broken run leaves something."""
    trained = learner.parameters()
    optimizer = torch.optim.AdamW(trained, lr=LR, betas=(0.9, 0.98), weight_decay=0.01)
    total, step, curve, start = sum(stage.steps for stage in stages), 0, [], time.monotonic()
    generator = random.Random(SEED)
    for number, stage in enumerate(stages, 1):
        seen: list[dict[str, float]] = []
        for last in range(stage.steps - 1, -1, -1):
            for group in optimizer.param_groups:
                group["lr"] = LR * min(1.0, (step + 1) / WARMUP, (total - step) / (DECAY * total))
            tasks = sample(stage, generator.choice(TRAIN_WORLDS), generator)
            if not seen and stage.candidates:
                learner.composer.check(tasks[0])
            loss, figures = learner.loss(stage, tasks)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            seen.append(figures)
            if len(seen) == REPORT or last == 0:
                means = {name: sum(row[name] for row in seen) / len(seen) for name in seen[0]}
                values = " | ".join(f"{means[name]:.3f}" if name in means else "" for name in FIGURES)
                curve.append(f"| {step} | {number} | {values} |")
                print(f"{curve[-1]} {time.monotonic() - start:.0f} s", flush=True)  # noqa: T201
                seen = []
        learner.tokenizer.save_pretrained(out)
        with quiet():
            learner.model.save_pretrained(out)
    return curve


def held_out(learner: Learner, stages: Sequence[Stage], worlds: Sequence[int]) -> list[str]:
    """The table rows of what the trained model can do."""
    rows = []
    for number, stage in enumerate(stages, 1):
        if stage.candidates:
            results = learner.evaluate(stage, worlds, random.Random(SEED))
            rows.append(f"| {number} | " + " | ".join(f"{value:.3f}" for value in results.values()) + " |")
            print(rows[-1], flush=True)  # noqa: T201
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description="Trains the letter verbalizer's base.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, help="of each stage, at the most: to try the script")
    parser.add_argument("--worlds", type=int, default=len(HELD_OUT_WORLDS), help="to evaluate on")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    stages = [replace(stage, steps=min(stage.steps, options.steps or stage.steps)) for stage in STAGES]
    worlds, threads = HELD_OUT_WORLDS[: options.worlds], torch.get_num_threads()
    torch.set_num_threads(1)  # more would add up in another order, to other weights
    try:
        learner, start = Learner(SEED), time.monotonic()
        curve = train(learner, stages, options.out)
        seconds = time.monotonic() - start
        results = held_out(learner, stages, worlds)
    finally:
        torch.set_num_threads(threads)
    config = learner.model.config
    card = CARD.format(
        parameters=f"{parameter_counts(learner.model)[0]:,}",
        hidden=config.hidden_size,
        layers=config.num_hidden_layers,
        vocabulary=config.vocab_size,
        module=MODULE,
        train=_span(TRAIN_WORLDS),
        bench=BENCH_SEED,
        candidates=max(stage.candidates for stage in stages),
        command=" ".join([f"python -m {MODULE}", *arguments]),
        batch=BATCH,
        lr=LR,
        steps=sum(stage.steps for stage in stages),
        seconds=seconds,
        **made_with(options.out),
        stages="\n".join(
            f"| {number} | {stage.steps} | {stage.candidates or 'none'} "
            f"| {stage.history[0]}-{stage.history[1]} | {stage.repeats:.0%} | {stage.rivals} |"
            for number, stage in enumerate(stages, 1)
        ),
        figures=" | ".join(FIGURES),
        rule="---|" * len(FIGURES),
        curve="\n".join(curve),
        held_out=_span(worlds),
        held_out_prompts=f"{BATCH * len(worlds):,}",
        evaluated=" | ".join(EVALUATED),
        evaluated_rule="---|" * len(EVALUATED),
        results="\n".join(results),
    )
    (options.out / "README.md").write_text(card, encoding="utf-8")


def _span(seeds: range) -> str:
    return f"seeds {seeds[0]} to {seeds[-1]}"


if __name__ == "__main__":
    main()
