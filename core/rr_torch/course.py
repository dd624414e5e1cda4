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
from rr_torch.best import Kept, forget_after
from rr_torch.sharding import like, put, whole
from rr_torch.states import newest_state, save_state


@dataclass
class Course:
    """`batch`: items that memory is known, or hoped, to suffice for. `misses`: evaluations since the best one. `kept`:
    the weights of that one."""

    batch: int
    kept: Kept
    step: int = 0
    misses: int = 0
    best: float | None = None
    events: list[TrainingEvent] = field(default_factory=list)

    def save(
        self, folder: Path, trained: Sequence[Tensor], optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
    ) -> None:
        tensors = {f"weight.{number}": weight.detach() for number, weight in enumerate(trained)}
        for number, weight in enumerate(trained):
            tensors.update({f"optimizer.{number}.{name}": value for name, value in optimizer.state[weight].items()})
        tensors = whole(tensors)
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
            "kept": self.kept.told(),
            "events": [asdict(event) for event in self.events],
            "scaler": scaler.state_dict(),
        }
        if rank() == 0:
            save_state(folder, self.step, tensors, facts)


def begun(
    folder: Path,
    batch: int,
    trained: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> Course:
    """The course that the newest state tells, with weights, optimiser, scaler and randomness set to it; where there is
    none, a new one of this `batch`. The first process reads it, and sends it to the others."""
    found = newest_state(folder, lambda facts: Kept(folder, **facts["kept"]).check()) if rank() == 0 else None
    forget_after(folder, found[1]["step"] if found else 0)
    facts = parallel.told(found[1] if found else None)
    if facts is None:
        return Course(batch, Kept(folder))
    random: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, tensor in parallel.sent(found[0] if found else {}):
            kind, number, *rest = name.split(".")
            if kind == "random":
                random[name] = tensor
            elif kind == "weight":
                put(trained[int(number)], tensor)
            else:  # copies: mapped, they would hold the file, which is to be removed
                weight = trained[int(number)]
                optimizer.state[weight][".".join(rest)] = like(weight, tensor)
    if scaler.is_enabled():
        scaler.load_state_dict(facts["scaler"])
    # on more processes or on another device than before, dropout is another; everything else goes on as it was
    if (state := random.get(f"random.{rank()}")) is not None:
        torch.set_rng_state(state)
    if trained[0].is_cuda and (state := random.get(f"random.cuda.{rank()}")) is not None:
        torch.cuda.set_rng_state(state)
    events = [TrainingEvent(**event) for event in facts["events"]]
    kept = Kept(folder, **facts["kept"])
    return Course(facts["batch"], kept, facts["step"], facts["misses"], facts["best"], events)
