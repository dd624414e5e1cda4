"""Several processes that train one model together, as `torchrun` and `accelerate launch` start them on one machine or
two, against one process alone and against an oracle in float64.

Processes with torch take seconds to start: each launch is used for all that can be asked of it.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_scheduler

from rr import Dataset, RerankError
from rr.registry.plugins import discover
from rr.training import mine
from rr_bench.data.load import load_dataset
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import load_registry
from rr_bench.resolve import Resolved, resolve
from rr_bench.train.events import EVENTS
from rr_bench.train.trainers import training_settings
from rr_bench.train.training import Checkpoint, train
from rr_cross_encoder.samples import pair_samples
from rr_head.batches import training_rows
from rr_head.model import make_head
from rr_letters.model import LetterModel
from rr_letters.samples import Epoch
from rr_letters.settings import LetterTraining
from rr_letters.trainer import LetterTrainer, add_lora
from rr_torch import FrozenEncoder
from rr_torch.parallel import check_launch
from rr_torch.sharding import shard
from tests.conftest import ROOT

ENTRIES = """
  letters:
    scorer: letters
    trainer: letters
    settings: {{model: {qwen}, layout: question-last}}
    training: {{epochs: 2, batch_size: 3, gradient_accumulation_steps: 2, lr: 0.003, lora_dropout: 0, questions: 6}}
  cross:
    scorer: cross_encoder
    trainer: cross_encoder
    settings: {{model: {bert}, max_seq_length: 64}}
    training: {{epochs: 2, batch_size: 3, gradient_accumulation_steps: 2, lr: 0.001, head_lr: 0.003,
               num_hard_negatives: 1, save_steps: 3, save_total_limit: 1}}
  head:
    scorer: head
    trainer: head
    settings: {{model: {encoder}, dimensions: 16}}
    training: {{epochs: 3, batch_size: 5, lr: 0.01, learn_temperature: true, cross_row_negatives: true,
               num_hard_negatives: 2}}
  apart:
    scorer: head
    trainer: head
    settings: {{model: {encoder}, dimensions: 16}}
    training: {{epochs: 3, batch_size: 5, lr: 0.01, gather: false}}
  long:
    scorer: cross_encoder
    trainer: cross_encoder
    settings: {{model: {bert}, max_seq_length: 64}}
    training: {{epochs: 15, batch_size: 6, lr: 0.0003, num_hard_negatives: 1, save_steps: 1, evaluations: null,
               eval_steps: 50}}
"""
WEIGHTS = {
    "letters": "adapter_model.safetensors",
    "cross": "model.safetensors",
    "head": "head.safetensors",
    "long": "model.safetensors",
}
THREE = ("letters", "cross", "head")

WORKER = """
import os, sys
from pathlib import Path
import torch
from rr_bench.cli import main

Path(f"pid-{os.environ['RANK']}").write_text(str(os.getpid()))
for arguments in sys.argv[1:]:
    if arguments.startswith("call "):
        exec(compile(Path(arguments.removeprefix("call ")).read_text(), "called", "exec"))
        continue
    sys.argv = ["rr", *arguments.replace("{RANK}", os.environ["RANK"]).split()]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            sys.exit(ended.code)
"""

DISAGREEING = '''
"""Processes that start from different weights and rate the module differently do as the first one does."""
from rr.training import rank
from rr_torch import FitSettings, fit

out = Path("fitted" if rank() == 0 else "nowhere")
if rank() == 0:
    out.mkdir()
module = torch.nn.Linear(3, 1)
torch.nn.init.constant_(module.weight, 1.0 + rank())
ratings = iter([0.5, 0.4, 0.3, 0.2, 0.1] if rank() == 0 else range(100))
events = []
best = fit(
    module,
    [[1.0, 2.0, 3.0]] * 9,
    FitSettings(batch_size=2, patience=2, lr=0.1, record=False),
    loss=lambda items: torch.stack([module(torch.full((3,), item))[0].square() for item in items]).mean(),
    quality=lambda: next(ratings),
    snapshot=module.state_dict,
    on_event=events.append,
    out=out,
)
assert [event.step for event in events if event.dev is not None] == [2, 4, 6]
assert (best["weight"] > 0.5).all() and (best["weight"] < 1.0).all()
assert rank() == 0 or not out.exists()
'''


@pytest.fixture
def registry(
    small_registry: Path, qwen: Callable[[str], Path], bert: Callable[..., Path], sentence_encoder: Path
) -> Path:
    entries = ENTRIES.format(qwen=qwen("qwen3"), bert=bert(1, dropout=False), encoder=sentence_encoder)
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entries, encoding="utf-8")
    return small_registry


def asked(registry: Path, name: str) -> tuple[Resolved, Dataset]:
    found = load_registry(registry)
    return resolve(discover(), name, found.reranker(name)), load_dataset("rooms", found.dataset("rooms"))


def alone(registry: Path, name: str, out: Path, progress: Progress = SILENT) -> Checkpoint:
    return train(discover(), *asked(registry, name), out, progress)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def launcher(by: str, node: int, processes: int, port: int) -> str:
    """The words of one agent of two, with so many processes on each node."""
    if by == "torchrun":
        nodes = f"--nnodes 2 --node-rank {node} --nproc-per-node {processes} --rdzv-backend static"
        return f"torch.distributed.run {nodes} --master-addr 127.0.0.1 --master-port {port}"
    # accelerate's --multi_gpu starts processes of any kind; its --cpu starts one, whatever --num_processes says
    nodes = f"--multi_gpu --num_machines 2 --machine_rank {node} --num_processes {2 * processes} --mixed_precision no"
    return (
        f"accelerate.commands.launch {nodes} --dynamo_backend no --main_process_ip 127.0.0.1 --main_process_port {port}"
    )


def environment(home: Path) -> dict[str, str]:
    own = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "GLOO_SOCKET_IFNAME": "lo", "RR_HOME": str(home)}
    return {**os.environ, **own}


class Nodes:
    """Two machines: each has a folder to work in, a home, and a launcher's agent of its own. Nothing is shared but the
    registry and the base models."""

    def __init__(self, folder: Path, processes: int, *commands: str, by: str = "torchrun") -> None:
        script, port = folder / "worker.py", free_port()
        script.write_text(WORKER, encoding="utf-8")
        self.folders = [folder / "node-0", folder / "node-1"]
        self.agents = []
        for node, own in enumerate(self.folders):
            own.mkdir(exist_ok=True)
            with (own / "output").open("w") as output:
                agent = subprocess.Popen(
                    [sys.executable, "-m", *launcher(by, node, processes, port).split(), str(script), *commands],
                    env=environment(own / "home"),
                    cwd=own,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            self.agents.append(agent)

    def output(self, node: int) -> str:
        return (self.folders[node] / "output").read_text(encoding="utf-8")

    def end(self, timeout: float = 600) -> list[int]:
        """The exit codes of the agents."""
        try:
            return [agent.wait(timeout) for agent in self.agents]
        finally:
            self.kill()

    def kill(self) -> None:
        for agent in self.agents:
            agent.terminate()  # an agent passes it on to its processes
            agent.wait(30)

    def succeed(self) -> None:
        codes = self.end()
        assert codes == [0, 0], self.output(0) + self.output(1)
        assert "Traceback" not in self.output(0) + self.output(1)


class Interrupt(Progress):
    """Stops a training at a step."""

    def __init__(self, step: int) -> None:
        self._left = step

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        def advance(units: int) -> None:
            self._left -= units
            if not self._left:
                signal.raise_signal(signal.SIGINT)  # as Ctrl-C does

        yield advance


def losses(folder: Path) -> list[float]:
    events = map(json.loads, (folder / EVENTS).read_text(encoding="utf-8").splitlines())
    return [event["loss"] for event in events if event["loss"] is not None]


def check_same(name: str, found: Path, expected: Path, atol: float = 2e-5) -> None:
    assert sorted(path.name for path in found.iterdir()) == sorted(path.name for path in expected.iterdir())
    weights, own = load_file(found / WEIGHTS[name]), load_file(expected / WEIGHTS[name])
    assert weights.keys() == own.keys()
    for key, weight in own.items():
        if key.endswith("key.bias"):  # nothing depends on it: its gradient is rounding, of which AdamW makes steps
            continue
        torch.testing.assert_close(weights[key], weight, rtol=0, atol=atol, msg=lambda m, key=key: f"{name} {key}: {m}")
    assert losses(found) == pytest.approx(losses(expected), abs=1e-4)


def descend(
    trained: Mapping[str, Tensor], epochs: Sequence[Sequence[Any]], settings: Any, loss: Any, rate: Any, size: int
) -> list[float]:
    """The oracle: the losses of a plain loop over steps of `size` items, all in float64."""
    optimizer = torch.optim.AdamW(
        [{"params": [weight], "lr": rate(name)} for name, weight in trained.items()],
        weight_decay=settings.weight_decay,
        foreach=False,
    )
    steps = [items[start : start + size] for items in epochs for start in range(0, len(items), size)]
    schedule = get_scheduler(settings.SCHEDULE, optimizer, int(settings.warmup * len(steps)), len(steps))
    told = []
    for items in steps:
        value = loss(items)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), settings.max_grad_norm)
        optimizer.step()
        schedule.step()
        told.append(value.item())
    return told


def oracle_of_cross(resolved: Resolved, dataset: Dataset, settings: Any) -> list[float]:
    source = resolved.settings.model
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=1, dtype=torch.float64).train()
    pools = mine(dataset, settings).pools
    epochs = [pair_samples(dataset, pools, settings, epoch) for epoch in range(settings.epochs)]

    def loss(items: Sequence[Any]) -> Tensor:
        terms = []
        for item in items:
            rows = tokenizer(item.query, item.documents[0], padding=False, truncation=False, return_tensors="pt")
            logit, (label,) = model(**rows).logits[0, 0], item.labels
            terms.append(-item.weight * torch.nn.functional.logsigmoid(logit if label else -logit))
        return torch.stack(terms).mean()

    def rate(name: str) -> float:
        return float(settings.head_lr if "pooler" in name or "classifier" in name else settings.lr)

    return descend(dict(model.named_parameters()), epochs, settings, loss, rate, 6)


def oracle_of_letters(resolved: Resolved, dataset: Dataset, settings: Any) -> list[float]:
    letters = LetterModel(resolved.settings, None)  # type: ignore[arg-type]
    add_lora(letters, settings)
    letters.base.set_attn_implementation("eager")
    letters.model.double().train()
    epochs = [
        Epoch(dataset, True, settings.candidates, settings.seed, epoch, settings.questions)
        for epoch in range(settings.epochs)
    ]

    def loss(items: Sequence[Any]) -> Tensor:
        terms = []
        for request, answer in items:
            tokens = torch.tensor([letters.prompter.render(request).tokens])
            shown = letters.labels[: len(request.candidates)]
            logits = letters.base(input_ids=tokens, use_cache=False).logits[0, -1, shown]
            terms.append(logits.logsumexp(0) - logits[answer])
        return torch.stack(terms).mean()

    trained = {name: weight for name, weight in letters.model.named_parameters() if weight.requires_grad}
    return descend(trained, epochs, settings, loss, lambda name: settings.lr, 6)


def oracle_of_head(resolved: Resolved, dataset: Dataset, settings: Any) -> list[float]:
    encoder = FrozenEncoder(resolved.settings)  # type: ignore[arg-type]
    weight = make_head(resolved.settings, encoder.dimensions, None).weight.detach().double().requires_grad_()  # type: ignore[arg-type]
    scale = torch.tensor(-math.log(settings.temperature), dtype=torch.float64, requires_grad=True)
    rows = training_rows(dataset, settings.num_hard_negatives)

    def loss(items: Sequence[Any]) -> Tensor:
        def unit(text: str, role: Any) -> Tensor:
            vector = weight @ encoder([text], role)[0].double()
            return vector / vector.norm()

        terms = []
        for row in items:
            query, positive = unit(row.query, "query"), unit(row.positive, "document")
            others = [one for one in items if one is not row]
            theirs = [unit(one.positive, "document") for one in others if one.positive not in row.relevant]
            askers = [unit(one.query, "query") for one in others if row.positive not in one.relevant]
            hard = [unit(text, "document") for text in row.contents]
            own = {*row.relevant, *row.contents}
            hard += [unit(text, "document") for one in others for text in one.contents if text not in own]
            for anchor, truth, against in ((query, positive, theirs + hard), (positive, query, askers + hard)):
                scores = torch.stack([anchor @ truth, *(anchor @ one for one in against)]) * scale.exp()
                terms.append(scores.logsumexp(0) - scores[0])
        return torch.stack(terms).mean()

    epochs = [random.Random(f"{settings.seed} {epoch}").sample(rows, len(rows)) for epoch in range(settings.epochs)]
    assert all(negative.weight == 1 for row in rows for negative in row.negatives)
    return descend({"head": weight, "scale": scale}, epochs, settings, loss, lambda name: settings.lr, 5)


ORACLES = {"cross": oracle_of_cross, "letters": oracle_of_letters, "head": oracle_of_head}


def wait_for(nodes: Nodes, there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not there():
        if time.monotonic() > deadline or any(agent.poll() is not None for agent in nodes.agents):
            nodes.kill()
            raise AssertionError(nodes.output(0) + nodes.output(1))
        time.sleep(0.002)


def test_two_nodes_and_four_processes_train_what_one_would(registry: Path, tmp_path: Path) -> None:
    """The last step of an epoch has fewer items than there are processes. Then one process is killed: the others end,
    and one, two and four processes go on from what was kept, to the same weights."""
    for name in (*THREE, "long"):
        alone(registry, name, tmp_path / name)
    for name in THREE:
        resolved, dataset = asked(registry, name)
        expected = ORACLES[name](resolved, dataset, training_settings(discover(), resolved))
        assert losses(tmp_path / name) == pytest.approx(expected, abs=5e-5), name
    command = f"train {{}} -d rooms --registry {registry}"
    (tmp_path / "disagreeing.py").write_text(DISAGREEING, encoding="utf-8")

    kept = command.format("apart")
    three = [f"{command.format(name)} --out {name}" for name in THREE]
    killed = f"{command.format('long')} --out long"
    nodes = Nodes(tmp_path, 1, f"call {tmp_path / 'disagreeing.py'}", *three, kept, kept, killed)
    first, second = nodes.folders
    wait_for(nodes, lambda: (first / ".long.partial/state/state-000000005.safetensors").is_file())
    os.kill(int((second / "pid-1").read_text()), signal.SIGKILL)
    assert all(nodes.end(180))
    assert "error: one of the 2 processes that train together has ended" in nodes.output(0)
    assert "the same command again goes on from the last state" in nodes.output(0)
    assert "Traceback" not in nodes.output(0).partition("error: one of")[0]  # behind it there is the launcher's own
    assert nodes.output(0).count("best dev") == 5
    assert "best dev" not in nodes.output(1)
    for name in THREE:
        check_same(name, first / name, tmp_path / name)
    assert sorted(path.name for path in second.iterdir() if path.name != "home") == ["output", "pid-1"]
    assert not (second / "home" / "checkpoints").exists() or not list((second / "home" / "checkpoints").iterdir())

    partial = first / ".long.partial"
    (tmp_path / "one").mkdir()
    shutil.copytree(partial, tmp_path / "one" / ".long.partial")
    (tmp_path / "four" / "node-0").mkdir(parents=True)
    shutil.copytree(partial, tmp_path / "four" / "node-0" / ".long.partial")
    alone(registry, "long", tmp_path / "one" / "long")
    check_same("long", tmp_path / "one" / "long", tmp_path / "long", atol=2e-4)

    Nodes(tmp_path / "four", 2, *three, killed).succeed()
    for name in THREE:
        check_same(name, tmp_path / "four" / "node-0" / name, tmp_path / name)
    check_same("long", tmp_path / "four" / "node-0" / "long", tmp_path / "long", atol=2e-4)

    other = command.format("head") + " --lr 0.0{RANK}1 --out other"
    nodes = Nodes(tmp_path, 1, killed, other, by="accelerate")
    assert all(nodes.end())
    check_same("long", first / "long", tmp_path / "long", atol=2e-4)
    for node in (0, 1):
        assert "error: process 1 of 2 would train something else than the first one" in nodes.output(node)
    assert not list(first.glob("*other*"))


def test_sharded_layers_train_what_whole_ones_would(registry: Path, tmp_path: Path) -> None:
    """By the example's own configuration of accelerate. One training was begun by a single process, and goes on."""
    for name in THREE:
        alone(registry, name, tmp_path / name)
    here = tmp_path / "sharded"
    here.mkdir()
    with pytest.raises(KeyboardInterrupt):
        alone(registry, "cross", here / "continued", Interrupt(4))
    assert (here / ".continued.partial/state/state-000000003.safetensors").is_file()
    command = f"train {{}} -d rooms --registry {registry} --out {{}}"
    commands = [*(command.format(name, name) for name in THREE), command.format("cross", "continued")]
    (here / "worker.py").write_text(WORKER, encoding="utf-8")
    example = ROOT / "examples" / "fsdp.yaml"
    launch = f"accelerate.commands.launch --config_file {example} --main_process_port {free_port()}"
    ended = subprocess.run(
        [sys.executable, "-m", *launch.split(), "worker.py", *commands],
        env=environment(here / "home"),
        cwd=here,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("best dev") == 4
    assert "Traceback" not in ended.stderr
    for name in THREE:
        check_same(name, here / name, tmp_path / name)
    check_same("cross", here / "continued", tmp_path / "cross")
    saved = load_file(here / "cross" / "checkpoint-3" / "model.safetensors")
    for key, weight in load_file(tmp_path / "cross" / "checkpoint-3" / "model.safetensors").items():
        assert saved[key].shape == weight.shape
        if not key.endswith("key.bias"):
            torch.testing.assert_close(saved[key], weight, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("asked_for", "told"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "the launcher asks for DeepSpeed; weights are sharded by FSDP here"),
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "the launcher asks for mixed_precision: bf16, and the training's"),
        ({"ACCELERATE_USE_FSDP": "true"}, "the launcher asks for FSDP1; set fsdp_version: 2"),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_ACTIVATION_CHECKPOINTING": "true"},
            "set gradient_checkpointing: true in the settings",
        ),
        (
            {
                "ACCELERATE_USE_FSDP": "true",
                "FSDP_VERSION": "2",
                "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
                "FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaDecoderLayer",
            },
            "Could not find the transformer layer class LlamaDecoderLayer",
        ),
        (
            {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "NO_WRAP"},
            "names no layer of BertForSequenceClassification",
        ),
    ],
)
def test_a_launch_that_asks_for_something_else_is_refused(
    bert: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, asked_for: Mapping[str, str], told: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name, value in asked_for.items():
        monkeypatch.setenv(name, value)
    model = AutoModelForSequenceClassification.from_pretrained(bert(1))
    with pytest.raises(RerankError, match=told):  # noqa: PT012 - one of both, in the order that `fit` asks
        check_launch(None)
        shard(model, torch.device("cpu"))


def test_a_sharded_adapter_is_not_merged(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved, dataset = asked(registry, "letters")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(RerankError, match="merge: true needs whole weights"):
        LetterTrainer(LetterTraining(merge=True), resolved.settings).train(dataset, tmp_path, print)  # type: ignore[arg-type]
