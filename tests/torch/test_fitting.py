"""The optimisation loop against a plain one, and against itself without the interruption."""

from __future__ import annotations

import copy
import random
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import get_scheduler

from rr import RerankError, TrainingEvent
from rr_torch.device import seeded
from rr_torch.fitting import Weights, copied, fit
from rr_torch.settings import FitSettings
from rr_torch.states import newest_state, save_state

Item = tuple[Tensor, Tensor]


class Net(torch.nn.Module):
    """A regression with dropout, and with weights that are not trained."""

    def __init__(self, dropout: float, seed: int = 0) -> None:
        super().__init__()
        with seeded(seed):
            self.frozen = torch.nn.Linear(6, 6).requires_grad_(False)
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(6, 12), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(12, 1)
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.frozen(x))[:, 0]  # type: ignore[no-any-return]


def items(count: int, seed: int = 1) -> list[Item]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 6, generator=generator)
    return list(zip(inputs, torch.sin(inputs.sum(1)), strict=True))


def shuffled(rows: Sequence[Item], epochs: int) -> list[list[Item]]:
    return [random.Random(epoch).sample(rows, len(rows)) for epoch in range(epochs)]


def mean_loss(net: Net, batch: Sequence[Item]) -> Tensor:
    x, y = (torch.stack(list(values)) for values in zip(*batch, strict=True))
    return torch.nn.functional.mse_loss(net(x), y)


DEV = items(16, seed=2)


def dev_quality(net: Net) -> float:
    assert not net.training, "quality is asked in eval mode"
    with torch.no_grad():
        return -mean_loss(net, DEV).item()


class Stop(Exception):  # noqa: N818
    pass


@dataclass
class Run:
    """One training of `net`. Raises Stop at its `stop`th event (before anyone is told), or measurement."""

    out: Path
    settings: FitSettings
    epochs: Sequence[Sequence[Item]]
    net: Net = field(default_factory=lambda: Net(0.3))
    seed: int = 5
    stop_at_event: int | None = None
    stop_at_quality: int | None = None
    qualities: dict[int, float] | None = None
    """By step, in place of the truth."""
    record: bool = False
    """Whether the start is evaluated, too."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of `fit`, beside those that every training has."""
    events: list[TrainingEvent] = field(default_factory=list)
    measured: int = 0
    states: list[list[str]] = field(default_factory=list)
    """The names of the states on disk, at each event."""

    def __call__(self) -> Weights:
        self.out.mkdir(exist_ok=True)
        with seeded(self.seed):
            return fit(
                self.net,
                self.epochs,
                self.settings.model_copy(update={"record": self.record}),
                quality=self._quality,
                snapshot=lambda: copied(self.net.layers.state_dict()),
                on_event=self._event,
                out=self.out,
                **{"loss": lambda batch: mean_loss(self.net, batch), **self.options},
            )

    def _event(self, event: TrainingEvent) -> None:
        if len(self.events) == self.stop_at_event:
            raise Stop
        self.events.append(event)
        self.states.append(sorted(path.name for path in self.out.glob("state/state-*")))

    def _quality(self) -> float:
        self.measured += 1
        if self.measured - 1 == self.stop_at_quality:
            raise Stop
        return dev_quality(self.net) if self.qualities is None else self.qualities[self.events[-1].step]


def equal(left: Weights, right: Weights) -> bool:
    return left.keys() == right.keys() and all(torch.equal(value, right[name]) for name, value in left.items())


def assert_same(one: Run, kept: Weights, other: Run, other_kept: Weights) -> None:
    assert one.events == other.events
    assert equal(kept, other_kept)
    assert equal(one.net.layers.state_dict(), other.net.layers.state_dict())


# --- the loop


def plain(net: Net, epochs: Sequence[Sequence[Item]], settings: FitSettings, size: int) -> tuple[list[float], Weights]:
    """The losses, and the weights after the best epoch, of a loop as anyone would write it."""
    optimizer = torch.optim.AdamW(net.layers.parameters(), settings.lr, weight_decay=settings.weight_decay, fused=True)
    total = sum(-(-len(epoch) // size) for epoch in epochs)
    schedule = get_scheduler(settings.SCHEDULE, optimizer, int(settings.warmup * total), total)
    losses, best, kept = [], float("-inf"), {}
    for epoch in epochs:
        net.train()
        for start in range(0, len(epoch), size):
            loss = mean_loss(net, epoch[start : start + size])
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.layers.parameters(), settings.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        net.eval()
        if dev_quality(net) > best:
            best, kept = dev_quality(net), copied(net.layers.state_dict())
    return losses, kept


class Cosine(FitSettings):
    SCHEDULE: ClassVar[str] = "cosine"


class Constant(FitSettings):
    SCHEDULE: ClassVar[str] = "constant_with_warmup"


@pytest.mark.parametrize("kind", [FitSettings, Cosine, Constant])
@pytest.mark.parametrize("warmup", [0.0, 0.3])
def test_it_is_the_plain_loop(tmp_path: Path, kind: type[FitSettings], warmup: float) -> None:
    settings = kind(batch_size=4, lr=0.03, warmup=warmup, weight_decay=0.1, max_grad_norm=0.5)
    epochs = shuffled(items(18), 3)
    run = Run(tmp_path, settings, epochs)
    kept = run()
    with seeded(run.seed):
        losses, expected = plain(Net(0.3), epochs, settings, 4)
    assert [event.loss for event in run.events if event.loss is not None] == losses
    assert equal(kept, expected)
    assert not run.net.training


@pytest.mark.parametrize("kind", [FitSettings, Cosine, Constant])
@pytest.mark.parametrize("stop", [None, 7])
def test_every_step_has_the_rate_that_transformers_schedule_gives_it(
    tmp_path: Path, kind: type[FitSettings], stop: int | None
) -> None:
    settings = kind(batch_size=4, lr=0.03, warmup=0.25, save_steps=2)
    rates: list[float] = []

    def note(optimizer: torch.optim.Optimizer, _: Any, __: Any) -> None:
        rates.append(optimizer.param_groups[0]["lr"])

    hook = register_optimizer_step_pre_hook(note)
    try:
        if stop is not None:  # after step 6, of which the state is kept
            with pytest.raises(Stop):
                Run(tmp_path, settings, shuffled(items(16), 4), stop_at_event=stop)()
            rates.pop()
        Run(tmp_path, settings, shuffled(items(16), 4))()
    finally:
        hook.remove()
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.03)
    schedule = get_scheduler(settings.SCHEDULE, optimizer, 4, 16)
    expected = []
    for _ in range(16):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == expected
    assert len(set(expected)) > 4


@pytest.mark.parametrize("count", [24, 21, 25])
def test_accumulated_gradients_make_the_step_of_one_large_batch(tmp_path: Path, count: int) -> None:
    """21 = 8 + 8 + 5 and 5 = 2 + 2 + 1: batches whose means do not weigh the same."""
    epochs = shuffled(items(count), 3)
    found = []
    for batch, steps in ((8, 1), (2, 4), (1, 8)):
        settings = FitSettings(batch_size=batch, gradient_accumulation_steps=steps, lr=0.01)
        run = Run(tmp_path / str(batch), settings, epochs, Net(0.0))
        run()
        found.append(run)
    whole, *parts = found
    assert [event.step for event in whole.events if event.dev is not None] == [-(-count // 8) * n for n in (1, 2, 3)]
    for run in parts:
        assert [event.step for event in run.events] == [event.step for event in whole.events]
        for name, weight in whole.net.layers.state_dict().items():
            torch.testing.assert_close(run.net.layers.state_dict()[name], weight, rtol=0, atol=1e-6)
        for event, expected in zip(run.events, whole.events, strict=True):
            assert event.loss == (expected.loss and pytest.approx(expected.loss, abs=1e-6))


def test_the_loss_told_is_the_mean_over_the_items_of_the_step(tmp_path: Path) -> None:
    rows = items(7)
    net = Net(0.0)
    with torch.no_grad():
        each = [mean_loss(net, [item]).item() for item in rows]
    settings = FitSettings(batch_size=3, gradient_accumulation_steps=3, epochs=1)
    run = Run(tmp_path, settings, [rows], net)
    run()
    assert [event.loss for event in run.events if event.loss is not None] == [pytest.approx(sum(each) / 7, abs=1e-6)]


def test_weights_that_need_no_gradient_stay_as_they_were(tmp_path: Path) -> None:
    net = Net(0.1)
    before = copied(net.frozen.state_dict())
    Run(tmp_path, FitSettings(), shuffled(items(20), 2), net)()
    assert equal(net.frozen.state_dict(), before)


def test_max_steps_ends_it_and_its_schedule(tmp_path: Path) -> None:
    """As many steps as the first epoch has, and then as if there were no second one."""
    epochs = shuffled(items(18), 2)
    options = {"batch_size": 4, "lr": 0.03}
    cut = Run(tmp_path / "cut", FitSettings(**options, max_steps=5), epochs)
    one = Run(tmp_path / "one", FitSettings(**options), epochs[:1])
    assert_same(cut, cut(), one, one())
    assert [event.total for event in cut.events] == [5] * 6
    more = Run(tmp_path / "more", FitSettings(**options, max_steps=99), epochs)
    more()
    assert more.events[-1].total == 10


def test_a_step_asks_for_its_items_once(tmp_path: Path) -> None:
    """An epoch may make them when it is asked."""
    asked: list[slice] = []

    class Made(list[Item]):
        def __getitem__(self, place: Any) -> Any:
            asked.append(place)
            return super().__getitem__(place)

    Run(tmp_path, FitSettings(batch_size=4), [Made(items(10))])()
    assert asked == [slice(0, 4), slice(4, 8), slice(8, 12)]


def test_nothing_to_train_on_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RerankError, match="there is nothing to train on"):
        Run(tmp_path, FitSettings(), [[], []])()


# --- selection on the dev split


def steps_of(events: Iterable[TrainingEvent]) -> list[int]:
    return [event.step for event in events if event.dev is not None]


def told(qualities: Sequence[float], every: int, **options: Any) -> Callable[[Path], Run]:
    settings = FitSettings(batch_size=2, eval_steps=every, lr=0.01, **options)
    by_step = {every * (number + 1): quality for number, quality in enumerate(qualities)}
    return lambda out: Run(out, settings, shuffled(items(20), 2), qualities=by_step)


def after(out: Path, steps: int) -> Weights:
    """The weights after so many steps of the training that `told` describes."""
    run = told([0.0] * 20, 1)(out)
    run.stop_at_event = 2 * steps - 1  # the measurement after that step
    with pytest.raises(Stop):
        run()
    return copied(run.net.layers.state_dict())


def test_the_dev_split_is_asked_after_each_epoch_or_every_so_many_steps_and_at_the_end(tmp_path: Path) -> None:
    for every, expected in ((None, [5, 10, 15]), (4, [4, 8, 12, 15]), (100, [15]), (5, [5, 10, 15])):
        settings = FitSettings(batch_size=2, eval_steps=every)
        run = Run(tmp_path / str(every), settings, shuffled(items(10), 3))
        run()
        assert steps_of(run.events) == expected
    uneven = Run(tmp_path / "uneven", FitSettings(batch_size=2), [items(3), items(6), items(1)])
    uneven()
    assert steps_of(uneven.events) == [2, 5, 6]


@pytest.mark.parametrize(
    ("total", "every", "expected"),
    [
        (3, None, [1, 2, 3]),
        (10, 100, list(range(1, 11))),
        (19, None, list(range(1, 20))),
        (65, 100, [*range(6, 66, 6), 65]),
        (65, 4, [*range(4, 65, 4), 65]),
        (200, None, list(range(20, 201, 20))),
    ],
)
def test_it_evaluates_at_least_so_often(tmp_path: Path, total: int, every: int | None, expected: list[int]) -> None:
    settings = FitSettings(batch_size=1, eval_steps=every, evaluations=10)
    run = Run(tmp_path, settings, [items(total)])
    run()
    assert steps_of(run.events) == expected
    assert len(expected) >= min(total, 10)


@pytest.mark.parametrize(
    ("qualities", "best"), [([0.1, 0.5, 0.5, 0.4], 10), ([0.3] * 4, 5), ([0.1, 0.2, 0.3, 0.4], 20)]
)
def test_the_earliest_of_the_best_is_kept(tmp_path: Path, qualities: list[float], best: int) -> None:
    run = told(qualities, 5)(tmp_path / "run")
    assert equal(run(), after(tmp_path / "plain", best))


@pytest.mark.parametrize(
    ("qualities", "patience", "end", "best"),
    [
        ([0.1, 0.5, 0.4, 0.45, 0.6], 2, 8, 4),  # 0.45 is better than 0.4, yet not than the best
        ([0.1, 0.5, 0.4, 0.45, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5], 3, 16, 10),
        ([0.5, 0.5], 1, 4, 2),  # equal is not better
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], 1, 20, 20),
    ],
)
def test_patience_ends_the_training(tmp_path: Path, qualities: list[float], patience: int, end: int, best: int) -> None:
    run = told(qualities, 2, patience=patience)(tmp_path / "run")
    kept = run()
    assert run.events[-1].step == end
    assert run.events[-1].total == 20
    assert equal(kept, after(tmp_path / "plain", best))


@pytest.mark.parametrize("save_steps", [1, 2, 3])
def test_patience_survives_an_interruption(tmp_path: Path, save_steps: int) -> None:
    make = told([0.1, 0.5, 0.4, 0.45, 0.3], 2, patience=3, save_steps=save_steps)
    whole = make(tmp_path / "whole")
    kept = whole()
    assert whole.events[-1].step == 10
    for stop in range(3, 15):
        out = tmp_path / str(stop)
        run = make(out)
        run.stop_at_event = stop
        with pytest.raises(Stop):
            run()
        again = make(out)
        assert_same(again, again(), whole, kept)


# --- states, and going on from them

SAVED = FitSettings(batch_size=2, gradient_accumulation_steps=2, eval_steps=4, save_steps=3, lr=0.02)
EPOCHS = shuffled(items(18), 2)
"""5 steps an epoch, 10 in all; measurements after 4, 8 and 10, states after 3, 6 and 9."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Weights]:
    run = Run(tmp_path_factory.mktemp("whole"), SAVED, EPOCHS)
    kept = run()
    assert len(run.events) == 13
    return run, kept


def interrupted(out: Path, **stop: int) -> None:
    with pytest.raises(Stop):
        Run(out, SAVED, EPOCHS, **stop)()  # type: ignore[arg-type]


def other(out: Path) -> Run:
    """A run that would train otherwise, did it not go on from a state."""
    net = Net(0.3, seed=9)
    net.frozen.load_state_dict(Net(0.3).frozen.state_dict())  # as a base model is, which has files of its own
    return Run(out, SAVED, EPOCHS, net, seed=77)


@pytest.mark.parametrize("event", range(13))
def test_an_interrupted_training_goes_on_bit_by_bit(tmp_path: Path, whole: tuple[Run, Weights], event: int) -> None:
    interrupted(tmp_path, stop_at_event=event)
    step = whole[0].events[event].step
    run = other(tmp_path) if step > 3 else Run(tmp_path, SAVED, EPOCHS)  # before the first state it starts anew
    assert_same(run, run(), *whole)


@pytest.mark.parametrize("measurement", range(3))
def test_an_interruption_of_a_measurement_changes_nothing(
    tmp_path: Path, whole: tuple[Run, Weights], measurement: int
) -> None:
    interrupted(tmp_path, stop_at_quality=measurement)
    run = other(tmp_path)
    assert_same(run, run(), *whole)


def test_one_interruption_after_the_other_changes_nothing(tmp_path: Path, whole: tuple[Run, Weights]) -> None:
    for event in (2, 4, 6, 5, 9, 8, 12, 12):
        interrupted(tmp_path, stop_at_event=event)
    run = other(tmp_path)
    assert_same(run, run(), *whole)


def test_without_its_state_it_would_have_been_another_training(tmp_path: Path, whole: tuple[Run, Weights]) -> None:
    """What the tests above rest on."""
    run = other(tmp_path)
    assert not equal(run(), whole[1])
    dropped = Run(tmp_path / "dropped", SAVED, EPOCHS, seed=77)
    assert not equal(dropped(), whole[1])


def test_what_is_said_of_the_past_is_said_again(tmp_path: Path, whole: tuple[Run, Weights]) -> None:
    interrupted(tmp_path, stop_at_event=9)  # step 6 is kept
    run = other(tmp_path)
    run.stop_at_event = 9
    with pytest.raises(Stop):
        run()
    assert run.events == whole[0].events[:9]
    assert run.measured == 1  # that of step 8, which comes after


def test_two_states_are_kept(whole: tuple[Run, Weights]) -> None:
    three, six, nine = (f"state-{step:09d}.safetensors" for step in (3, 6, 9))
    run, _ = whole
    by_step = {event.step: states for event, states in zip(run.events, run.states, strict=True)}
    assert [by_step[step] for step in range(1, 11)] == [
        *[[]] * 3,
        *[[three]] * 3,
        *[[three, six]] * 3,
        [six, nine],
    ]
    assert sorted(path.name for path in (run.out / "state").glob("state-*")) == [six, nine]


def test_of_the_last_step_there_is_no_state(tmp_path: Path) -> None:
    Run(tmp_path, SAVED.model_copy(update={"save_steps": 5}), EPOCHS)()
    assert [path.name for path in (tmp_path / "state").glob("state-*")] == ["state-000000005.safetensors"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "a few bytes": lambda whole: whole[:5],
    "cut in its header": lambda whole: whole[:40],
    "cut in its middle": lambda whole: whole[: len(whole) // 2],
    "without its last byte": lambda whole: whole[:-1],
    "zeros": lambda whole: bytes(len(whole)),
    "garbage": lambda whole: random.Random(1).randbytes(len(whole)),
    "of another program": lambda whole: whole.replace(b'"facts"', b'"fakts"'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_named_and_the_one_before_is_used(
    tmp_path: Path, whole: tuple[Run, Weights], damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    interrupted(tmp_path, stop_at_event=9)
    newest = tmp_path / "state" / "state-000000006.safetensors"
    newest.write_bytes(damage(newest.read_bytes()))
    run = other(tmp_path)
    kept = run()
    assert re.search(r"state-000000006\.safetensors is damaged .*; going on from the state before", caplog.text)
    assert_same(run, kept, *whole)
    assert newest_state(tmp_path / "state") is not None


def test_when_all_states_are_damaged_they_are_named_and_it_starts_over(
    tmp_path: Path, whole: tuple[Run, Weights], caplog: pytest.LogCaptureFixture
) -> None:
    interrupted(tmp_path, stop_at_event=9)
    for path in (tmp_path / "state").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    run = Run(tmp_path, SAVED, EPOCHS)
    assert_same(run, run(), *whole)
    assert re.search(r"(?s)000000006\.safetensors is damaged.*000000003\.safetensors is damaged", caplog.text)


def test_what_a_killed_writer_left_is_ignored(tmp_path: Path, whole: tuple[Run, Weights]) -> None:
    interrupted(tmp_path, stop_at_event=5)
    state = tmp_path / "state" / "state-000000003.safetensors"
    state.with_name("state-000000006.temporary").write_bytes(state.read_bytes()[:100])
    run = other(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(run, run(), *whole)
    assert not list((tmp_path / "state").glob("*.temporary"))


def test_a_state_is_what_was_saved(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert newest_state(folder) is None
    tensors = {"a": torch.randn(3, 4).T, "b": torch.tensor(3), "c": torch.zeros(0), "d": torch.ones(2).bfloat16()}
    facts = {"step": 7, "best": 0.1 + 0.2, "none": None, "events": [{"loss": 1e-30}], "said": 'ướt "quoted"'}
    save_state(folder, 7, tensors, facts)
    found, told_facts = newest_state(folder) or pytest.fail("no state")
    assert equal(found, copied(tensors))
    assert told_facts == facts


def test_a_state_is_not_changed_by_the_training_that_goes_on_from_it(
    tmp_path: Path, whole: tuple[Run, Weights]
) -> None:
    """Tensors of a safetensors file are mapped from the disk."""
    interrupted(tmp_path, stop_at_event=12)
    saved = {path.name: path.read_bytes() for path in (tmp_path / "state").iterdir()}
    copy_of = shutil.copytree(tmp_path, tmp_path.with_name("copy") / tmp_path.name)  # a state is of its folder
    other(tmp_path)()
    assert {path.name: path.read_bytes() for path in (tmp_path / "state").iterdir()} == saved
    run = other(copy_of)
    assert_same(run, run(), *whole)


def test_a_snapshot_is_not_changed_by_further_training() -> None:
    net = Net(0.0)
    taken = copied(net.state_dict())
    before = copy.deepcopy(taken)
    with torch.no_grad():
        for weight in net.parameters():
            weight += 1
    assert equal(taken, before)
