"""How far a training has come, and everything it takes to go on from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from rr.protocols import TrainingEvent
from rr.training.processes import rank
from rr_torch import parallel
from rr_torch.states import newest_state, save_state

Weights = dict[str, Tensor]


@dataclass
class Course:
    """`batch`: items that memory is known, or hoped, to suffice for. `misses`: evaluations since the best one. `kept`:
    the weights of that one."""

    batch: int
    step: int = 0
    misses: int = 0
    best: float | None = None
    events: list[TrainingEvent] = field(default_factory=list)
    kept: Weights = field(default_factory=dict)

    def save(
        self, folder: Path, trained: Sequence[Tensor], optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
    ) -> None:
        tensors = {f"weight.{number}": weight.detach() for number, weight in enumerate(trained)}
        for number, weight in enumerate(trained):
            tensors.update({f"optimizer.{number}.{name}": value for name, value in optimizer.state[weight].items()})
        tensors.update({f"kept.{name}": value for name, value in self.kept.items()})
        for process, state in enumerate(parallel.gathered(torch.get_rng_state())):
            tensors[f"random.{process}"] = state
        if trained[0].is_cuda:
            for process, state in enumerate(parallel.gathered(torch.cuda.get_rng_state())):
                tensors[f"random.cuda.{process}"] = state
        facts = {
            "batch": self.batch,
            "step": self.step,
            "misses": self.misses,
            "best": self.best,
            "events": [asdict(event) for event in self.events],
            "scaler": scaler.state_dict(),
        }
        if rank() == 0:
            save_state(folder, self.step, tensors, facts)


def resumed(
    folder: Path, trained: Sequence[Tensor], optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> Course | None:
    """The course that the newest state tells, with weights, optimiser, scaler and randomness set to it; None where
    there is none."""
    found = newest_state(folder)
    if found is None:
        return None
    tensors, facts = found
    with torch.no_grad():
        for number, weight in enumerate(trained):
            weight.copy_(tensors[f"weight.{number}"])
            prefix = f"optimizer.{number}."
            moments = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            optimizer.state[weight] = {name: tensor.to(weight.device) for name, tensor in moments.items()}
    if scaler.is_enabled():
        scaler.load_state_dict(facts["scaler"])
    # on more processes or on another device than before, dropout is another; everything else goes on as it was
    if (state := tensors.get(f"random.{rank()}")) is not None:
        torch.set_rng_state(state)
    if trained[0].is_cuda and (state := tensors.get(f"random.cuda.{rank()}")) is not None:
        torch.cuda.set_rng_state(state)
    events = [TrainingEvent(**event) for event in facts["events"]]
    kept = {name.removeprefix("kept."): tensor for name, tensor in tensors.items() if name.startswith("kept.")}
    return Course(facts["batch"], facts["step"], facts["misses"], facts["best"], events, kept)
