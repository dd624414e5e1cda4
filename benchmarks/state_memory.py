"""What the states and the best weights of a training cost in main memory, on a CPU.

    OMP_NUM_THREADS=1 python benchmarks/state_memory.py [--json FILE]

A cross-encoder of XLM-R large's shape with random weights (560 M parameters, float32) is trained for two steps of one
pair of 8 tokens, by the loop of every trainer of ours: after each of them it is evaluated and found better, and after
the first its state is saved. A second process goes on from that state. Figures are in GB (10^9 bytes), of what the
kernel counts of a process: VmHWM, the most that it held at once, what it had mapped from files included; and of the
process that goes on RssAnon, which leaves out the pages of the state's own file, since the kernel takes those back
whenever memory is wanted. The goals are those of the reference machine, which has 12.7 GB. Exits 0 only where every
goal holds. Without --small it takes 10 GB of memory and 20 GB of disk.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from figures import Line, report
from torch import Tensor
from transformers import AutoModelForSequenceClassification, XLMRobertaConfig

from rr_torch import FitSettings, fit, fitting, seeded
from rr_torch.best import Kept
from rr_torch.course import Course, begun

MACHINE = 12.7
"""GB of the reference machine."""
SHARE = 0.7 / 2.24
"""Of the size of the weights, what a save may add: 0.7 GB of XLM-R large's."""
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
SMALL = {"hidden_size": 512, "num_hidden_layers": 2, "num_attention_heads": 8, "intermediate_size": 2048}
TOKENS = 8
SAMPLED = 0.002
"""Seconds between two looks at what the kernel does not keep the maximum of."""


def held(what: str) -> float:
    """GB, of /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) * 1024 / 1e9


class Anonymous:
    """The most that was held and is of no file, sampled: the kernel keeps no maximum of it."""

    def __init__(self) -> None:
        self.most = held("RssAnon")

    @contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(SAMPLED):
                self.most = max(self.most, held("RssAnon"))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class Watch:
    """`peak`: the most that was held at once. `added`: of some calls, by how much that was more than before them."""

    def __init__(self) -> None:
        self.peak, self.added = 0.0, dict[str, float]()

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def watched(*arguments: Any) -> Any:
            before = held("VmRSS")
            self.restart()
            result = work(*arguments)
            self.added[name] = max(self.added.get(name, 0.0), held("VmHWM") - before)
            return result

        return watched

    def restart(self) -> None:
        """The kernel's maximum begins anew."""
        self.peak = max(self.peak, held("VmHWM"))
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def model_of(shape: dict[str, int], vocabulary: int) -> torch.nn.Module:
    config = XLMRobertaConfig(vocab_size=vocabulary, num_labels=1, max_position_embeddings=514, **shape)
    with seeded(0):
        found: torch.nn.Module = AutoModelForSequenceClassification.from_config(config)
    return found


def sitting(out: Path, small: bool) -> dict[str, float]:
    """Trains in `out`, from the state that lies there, if one does."""
    model = model_of(SMALL if small else LARGE, 60_000 if small else 250_002)
    size = sum(weight.nbytes for weight in model.parameters()) / 1e9
    tokens = torch.arange(TOKENS)[None] + 3
    watch, anonymous, beginning = Watch(), Anonymous(), Anonymous()
    base = beginning.most - size

    def loss(_: Any) -> Tensor:
        return torch.nn.functional.softplus(-model(input_ids=tokens).logits.mean())

    def better() -> float:
        """Than the best so far."""
        return float(len(list(out.glob("state/best-*"))))

    with (
        patch.object(Course, "save", watch.around("save", Course.save)),
        patch.object(Kept, "keep", watch.around("keep", Kept.keep)),
        patch.object(fitting, "begun", lambda *arguments: beginning.watched()(begun)(*arguments)),
        anonymous.watched(),
    ):
        settings = FitSettings(batch_size=1, epochs=1, eval_steps=1, save_steps=1)
        best = fit(model, [[0, 1]], settings, loss, better, model.state_dict, lambda _: None, out)
        model.load_state_dict(best)
    watch.restart()
    beyond = beginning.most - base - 3 * size  # weights, and two moments of each
    return {"weights": size, "peak": watch.peak, "anonymous": anonymous.most, "beginning": beyond, **watch.added}


def measured(out: Path, small: bool) -> dict[str, float]:
    """Of a sitting in a process of its own."""
    command = [sys.executable, __file__, "--sitting", str(out), *(["--small"] if small else [])]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8")
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--small", action="store_true", help="a model of 0.15 GB, with goals in proportion")
    parser.add_argument("--sitting", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sitting:
        print(json.dumps(sitting(options.sitting, options.small)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        first = measured(Path(temporary), options.small)
        second = measured(Path(temporary), options.small)
    room = SHARE * first["weights"]
    return report(
        [
            Line("GB: weights, gradients and moments", 4 * first["weights"]),
            Line("the whole training, at most", first["peak"], MACHINE, at_least=False),
            Line("what saving a state adds", first["save"], room, at_least=False),
            Line("what keeping the best weights adds", max(first["keep"], second["keep"]), room, at_least=False),
            Line("what going on from a state adds to weights and moments", second["beginning"], room, at_least=False),
            Line("the training that goes on, at most", second["anonymous"], MACHINE, at_least=False),
            Line("  with what it had mapped from the state's file", second["peak"]),
        ],
        options.json,
    )


if __name__ == "__main__":
    sys.exit(main())
