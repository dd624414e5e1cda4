"""Where memory ends: real allocation failures, and the same training without them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from rr import RerankError
from rr_torch.memory import out_of_memory
from rr_torch.settings import FitSettings
from tests.torch.test_fitting import Item, Net, Run, Stop, assert_same, items, mean_loss, shuffled

PETABYTE = 10**15


def room_for(net: Net, limit: int, from_call: int = 0) -> Callable[[Sequence[Item]], Tensor]:
    """The loss, for which memory suffices up to `limit` items, and from some call on only. It fails when a part of the
    gradient is there already."""
    calls = 0

    def loss(batch: Sequence[Item]) -> Tensor:
        nonlocal calls
        calls += 1
        value = mean_loss(net, batch)
        if len(batch) > limit and calls > from_call:
            value.backward(retain_graph=True)  # type: ignore[no-untyped-call]
            torch.empty(PETABYTE)
        return value

    return loss


def run(out: Path, limit: int | None, from_call: int = 0, net: Net | None = None, **settings: Any) -> Run:
    net = net or Net(0.0)
    options = {} if limit is None else {"loss": room_for(net, limit, from_call)}
    values = {"batch_size": 8, "gradient_accumulation_steps": 2, "lr": 0.02, **settings}
    return Run(out, FitSettings(**values), shuffled(items(40), 2), net, options=options)


def weights(done: Run) -> dict[str, Tensor]:
    return done.net.layers.state_dict()


@pytest.mark.parametrize(("limit", "batches"), [(7, [4]), (3, [4, 2]), (1, [4, 2, 1])])
def test_a_batch_without_room_is_halved_and_the_steps_stay_the_same(
    tmp_path: Path, limit: int, batches: list[int]
) -> None:
    whole, halved = run(tmp_path / "whole", None), run(tmp_path / "halved", limit)
    whole()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        halved()
    said = [str(warning.message) for warning in told]
    assert len(said) == len(batches), said
    for before, after, line in zip([8, *batches], batches, said, strict=False):
        assert f"out of memory at step 1 with a batch of {before}: from here on {after} at a time" in line
    assert [event.step for event in halved.events] == [event.step for event in whole.events]
    for name, weight in weights(whole).items():
        torch.testing.assert_close(weights(halved)[name], weight, rtol=0, atol=1e-6)
    for event, expected in zip(halved.events, whole.events, strict=True):
        assert event.loss == (expected.loss and pytest.approx(expected.loss, abs=1e-6))


def test_the_gradient_of_the_failed_attempt_is_gone(tmp_path: Path) -> None:
    """What the test above rests on, in one step: its gradient is that of the mean over all its items."""
    net = Net(0.0)
    mean_loss(net, items(40)).backward()  # type: ignore[no-untyped-call]
    expected = [weight.grad for weight in net.layers.parameters()]
    found: list[Tensor] = []
    other = Net(0.0)
    hook = register_optimizer_step_pre_hook(
        lambda *_: found.extend(weight.grad.clone() for weight in other.layers.parameters() if weight.grad is not None)
    )
    try:
        options = {"loss": room_for(other, 9)}
        settings = FitSettings(batch_size=40, max_grad_norm=1e9, epochs=1)
        with pytest.warns(UserWarning, match="out of memory"):
            Run(tmp_path, settings, [items(40)], other, options=options)()
    finally:
        hook.remove()
    for one, two in zip(found, expected, strict=True):
        assert two is not None
        torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_a_batch_larger_than_the_step_is_halved_from_what_there_is(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run(tmp_path, 10, batch_size=10_000, gradient_accumulation_steps=1)()
    assert ["batch of 40" in str(warning.message) for warning in told] == [True, False]


def test_a_batch_of_one_cannot_be_halved(tmp_path: Path) -> None:
    with pytest.raises(RerankError, match="batch of 1; lower max_seq_length, or set gradient_checkpointing: true"):
        run(tmp_path, 0, batch_size=1)()


def test_a_loss_that_needs_its_batch_whole_is_not_halved(tmp_path: Path) -> None:
    training = run(tmp_path, 4)
    training.options["divisible"] = False
    with pytest.raises(RerankError, match="a batch of 8, which this loss needs whole; set a smaller batch_size"):
        training()


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("can't allocate memory"), MemoryError()])
def test_every_other_error_passes(tmp_path: Path, error: Exception) -> None:
    def loss(batch: Sequence[Item]) -> Tensor:
        raise error

    training = run(tmp_path, None)
    training.options["loss"] = loss
    with pytest.raises(type(error)) as raised:
        training()
    assert raised.value is error


def test_what_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(PETABYTE)
    assert out_of_memory(raised.value)
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert not out_of_memory(RuntimeError("out of range"))


def test_what_was_halved_stays_so_after_an_interruption(tmp_path: Path) -> None:
    """Bit by bit, with dropout; memory ends at the second batch of step 2, of which the state is kept."""
    options = {"net": Net(0.3), "save_steps": 2, "eval_steps": 2, "from_call": 3, "limit": 4}
    whole = run(tmp_path / "whole", **options)
    with pytest.warns(UserWarning, match="at step 2 with a batch of 8"):
        kept = whole()
    options["net"] = Net(0.3)
    stopped = run(tmp_path / "again", **options)
    stopped.stop_at_event = 5  # after step 4
    with pytest.warns(UserWarning, match="at step 2 with a batch of 8"), pytest.raises(Stop):
        stopped()
    options["net"] = Net(0.3)
    again = run(tmp_path / "again", **{**options, "from_call": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it does not ask for more than it is known to get
        assert_same(again, again(), whole, kept)
