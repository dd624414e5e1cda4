"""Half the bits in forward passes: what stays float32, and what a killed training must know of the scaler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from rr import RerankError
from rr_torch.precision import Precision, mixed_precision
from rr_torch.settings import FitSettings
from rr_torch.states import newest_state
from tests.torch.test_fitting import Net, Run, Stop, assert_same, items, mean_loss, shuffled

SETTINGS = FitSettings(batch_size=4, lr=0.02, eval_steps=3, save_steps=3)


def run(out: Path, precision: Precision, net: Net | None = None, epochs: int = 2) -> Run:
    return Run(out, SETTINGS, shuffled(items(24), epochs), net or Net(0.2), options={"precision": precision})


def test_which_precision() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 1)
    assert mixed_precision(False, False, cpu) == Precision(None, "cpu")
    assert mixed_precision(False, True, cpu) == Precision(torch.bfloat16, "cpu")
    assert mixed_precision(True, False, gpu) == Precision(torch.float16, "cuda")
    with pytest.raises(RerankError, match="fp16 needs a GPU, and there is none here; set fp16: false, or bf16: true"):
        mixed_precision(True, False, cpu)


def test_bfloat16_computes_in_bfloat16_and_keeps_float32(tmp_path: Path) -> None:
    seen: set[torch.dtype] = set()
    net = Net(0.0)
    net.layers[0].register_forward_hook(lambda _, __, output: seen.add(output.dtype))
    trained = run(tmp_path / "bf16", Precision(torch.bfloat16), net)
    trained()
    assert seen == {torch.bfloat16}  # when it is evaluated too
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    exact = run(tmp_path / "float32", Precision(), Net(0.0))
    exact()
    for event, expected in zip(trained.events, exact.events, strict=True):
        assert event.loss == (expected.loss and pytest.approx(expected.loss, abs=0.03))
    assert [event.loss for event in trained.events] != [event.loss for event in exact.events]


class Overflowing(Precision):
    """float16 with a scale that is far too large at first, so that steps are skipped and the scale falls."""

    def scaler(self) -> torch.amp.GradScaler:
        return torch.amp.GradScaler("cpu", init_scale=2.0**26, growth_interval=4)


class Scaled(Precision):
    """float16 on a CPU, with a scale that suffices."""

    def scaler(self) -> torch.amp.GradScaler:
        return torch.amp.GradScaler("cpu", init_scale=2.0**8)


def test_float16_scales_its_gradients_and_skips_what_overflows(tmp_path: Path) -> None:
    done = run(tmp_path, Overflowing(torch.float16), Net(0.0), epochs=10)
    done()
    _, facts = newest_state(tmp_path / "state") or pytest.fail("no state")
    assert 1 < facts["scaler"]["scale"] < 2.0**26
    losses = [event.loss for event in done.events if event.loss is not None]
    assert sum(losses[-6:]) < 0.8 * sum(losses[:6])
    with torch.no_grad():  # what is told is not scaled
        first = mean_loss(Net(0.0), shuffled(items(24), 2)[0][:4]).item()
    assert losses[0] == pytest.approx(first, rel=0.01)


@pytest.mark.parametrize("norm", [1e9, 0.1])
def test_float16_gradients_are_clipped_at_their_own_size(tmp_path: Path, norm: float) -> None:
    """And not at the scaled one."""
    found: list[list[Tensor]] = []
    for number, precision in enumerate((Precision(), Scaled(torch.float16))):
        net = Net(0.0)
        seen: list[Tensor] = []
        found.append(seen)

        def note(*_: Any, net: Net = net, seen: list[Tensor] = seen) -> None:
            seen.extend(weight.grad.clone() for weight in net.layers.parameters() if weight.grad is not None)

        hook = register_optimizer_step_pre_hook(note)
        try:
            settings = FitSettings(batch_size=24, epochs=1, max_grad_norm=norm)
            Run(tmp_path / str(number), settings, [items(24)], net, options={"precision": precision})()
        finally:
            hook.remove()
    for exact, scaled in zip(*found, strict=True):
        torch.testing.assert_close(scaled, exact, rtol=0.02, atol=1e-3)
    assert any(gradient.abs().max() > 0.02 for gradient in found[0])


@pytest.mark.parametrize("event", [6, 10, 13])
def test_a_killed_float16_training_goes_on_bit_by_bit(tmp_path: Path, event: int) -> None:
    """With the scale that it had found, not with the one that it began with."""
    whole = run(tmp_path / "whole", Overflowing(torch.float16))
    kept = whole()
    stopped = run(tmp_path / "again", Overflowing(torch.float16))
    stopped.stop_at_event = event
    with pytest.raises(Stop):
        stopped()
    again = run(tmp_path / "again", Overflowing(torch.float16))
    assert_same(again, again(), whole, kept)
