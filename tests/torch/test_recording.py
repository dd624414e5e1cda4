"""What a training tells besides its loss: against plain loops, and that telling it changes nothing."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rr import NoNumberError, RerankError, TrainingEvent
from rr_torch import recording
from rr_torch.fitting import copied
from rr_torch.recording import (
    LEAST,
    LEAST_NORM,
    PROBED,
    SAMPLED,
    BatchLoss,
    Movement,
    StepFigures,
    probed,
    within_budget,
)
from rr_torch.settings import FitSettings
from tests.torch.test_fitting import DEV, Item, Net, Run, Stop, equal, items, mean_loss, shuffled
from tests.torch.test_fitting_memory import PETABYTE

# --- how far weights have moved


def norm_share(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    """Entry by entry."""
    apart = norm = 0.0
    for old, new in zip(before, after, strict=True):
        own = 0.0
        for was, now in zip(old.double().flatten().tolist(), new.double().flatten().tolist(), strict=True):
            apart += (now - was) ** 2
            own += was**2
        norm += max(own, LEAST_NORM**2 * old.numel())
    return math.sqrt(apart / norm)


def named(*names: str, size: int = 7) -> list[tuple[str, Tensor]]:
    generator = torch.Generator().manual_seed(len(names))
    return [(name, torch.randn(size, 3, generator=generator)) for name in names]


def moved(weights: Sequence[tuple[str, Tensor]]) -> tuple[dict[str, float], list[Tensor]]:
    """What is told after each weight has moved in its own way, and what the weights were."""
    movement, before = Movement(weights), [weight.clone() for _, weight in weights]
    for number, (_, weight) in enumerate(weights, 1):
        weight += 0.01 * number * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
    return movement.figures(), before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_movement_is_that_of_a_plain_loop(dtype: torch.dtype) -> None:
    weights = [(name, weight.to(dtype)) for name, weight in named("a.weight", "b.0.weight", "b.1.bias", "c.d.weight")]
    told, before = moved(weights)
    after = [weight for _, weight in weights]
    assert told == {
        "moved": pytest.approx(norm_share(before, after), rel=1e-9),
        "moved a": pytest.approx(norm_share(before[:1], after[:1]), rel=1e-9),
        "moved b": pytest.approx(norm_share(before[1:3], after[1:3]), rel=1e-9),
        "moved c": pytest.approx(norm_share(before[3:], after[3:]), rel=1e-9),
    }


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["weight", "bias"], []),
        (["head.weight", "head.bias"], []),
        (["layers.0.weight", "layers.1.weight"], []),  # numbers are no names
        (["model.encoder.0.weight", "model.pooler.weight"], ["encoder", "pooler"]),
        (["m.l.0.q.lora_A.weight", "m.l.0.q.lora_B.weight", "m.l.1.v.lora_A.weight"], ["q", "v"]),
        (["m.0.lora_A.weight", "m.0.lora_B.weight", "m.1.lora_A.weight"], ["lora_A", "lora_B"]),
        (["bert.weight", "bert.a.weight", "bert.b.weight"], ["", "a", "b"]),
    ],
)
def test_groups_are_named_by_the_first_part_in_which_weights_differ(names: list[str], groups: list[str]) -> None:
    told, _ = moved(named(*names))
    assert sorted(told) == sorted({"moved", *(f"moved {group}".strip() for group in groups)})


def test_a_start_of_zeros_is_measured_by_the_least_norm() -> None:
    """As LoRA's B: any step would be infinitely far."""
    weight = torch.zeros(10, 4)
    movement = Movement([("b.weight", weight)])
    assert movement.figures() == {"moved": 0.0}
    weight += 0.002
    assert movement.figures() == {"moved": pytest.approx(0.002 / LEAST_NORM)}


def test_a_large_weight_is_told_from_evenly_spread_entries_and_weighs_as_all_of_it() -> None:
    large, small = torch.ones(3 * SAMPLED + 5), torch.ones(SAMPLED)
    movement = Movement([("a.weight", large), ("b.weight", small)])
    large += 0.1
    told = movement.figures()
    assert told["moved a"] == pytest.approx(0.1, rel=1e-5)
    assert told["moved b"] == 0
    assert told["moved"] == pytest.approx(0.1 * math.sqrt(len(large) / (len(large) + len(small))), rel=1e-3)


def test_every_entry_of_a_small_weight_counts() -> None:
    for size in (1, SAMPLED, 2 * SAMPLED - 1):
        for place in (0, size // 2, size - 1):
            weight = torch.ones(size)
            movement = Movement([("weight", weight)])
            weight[place] += 1
            assert movement.figures()["moved"] == pytest.approx(1 / math.sqrt(size))


def test_nothing_and_weights_without_entries_have_not_moved() -> None:
    assert Movement([("weight", torch.empty(0, 3))]).figures() == {}


# --- fixed samples


@pytest.mark.parametrize("items_in_all", [1, 100, 10_000, 10**9])
@pytest.mark.parametrize("evaluations", [0, 1, 10, 10_000])
@pytest.mark.parametrize("splits", [1, 2])
def test_probes_cost_no_more_than_their_share_but_for_the_least(
    items_in_all: int, evaluations: int, splits: int
) -> None:
    probes = {f"split{number}": list(range(1000)) for number in range(splits)}
    found = within_budget(probes, items_in_all, evaluations)
    sizes = {len(samples) for samples in found.values()}
    (size,) = sizes
    assert LEAST <= size <= PROBED
    assert all(samples == list(range(size)) for samples in found.values())  # always the same
    spent = size * splits * (evaluations + 1)
    if size > LEAST:
        assert spent <= recording.SHARE * 3 * items_in_all
    if size < PROBED:
        assert (size + 1) * splits * (evaluations + 1) > recording.SHARE * 3 * items_in_all


def test_a_split_of_few_samples_gives_them_all() -> None:
    assert within_budget({"train": [1, 2], "dev": []}, 10**9, 1) == {"train": [1, 2], "dev": []}
    assert within_budget({}, 10, 1) == {}


def each(sample: float) -> BatchLoss:
    return BatchLoss(torch.tensor(sample, dtype=torch.float64), 2 * sample + 1)


def mean_of(samples: Sequence[float]) -> BatchLoss:
    return BatchLoss(torch.tensor(samples, dtype=torch.float64).mean(), sum(2 * s + 1 for s in samples) / len(samples))


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 7, 8, 100])
def test_a_probe_is_the_plain_mean_over_its_samples_whatever_the_batch(batch: int) -> None:
    train, dev = [0.5, 3.0, -1.0, 8.0, 2.5, 0.0, 4.0], [1.0, 9.0]
    told = probed({"train": train, "dev": dev, "empty": []}, batch, mean_of, True)
    assert told == {
        name: pytest.approx(figure)
        for name, figure in {
            "probe_train": sum(train) / 7,
            "probe_train chance": sum(2 * s + 1 for s in train) / 7,
            "probe_dev": 5.0,
            "probe_dev chance": 11.0,
        }.items()
    }
    plain = probed({"dev": dev}, batch, lambda samples: mean_of(samples).value, True)
    assert plain == {"probe_dev": pytest.approx(5.0)}


def test_a_probe_for_which_memory_does_not_suffice_is_asked_in_smaller_batches() -> None:
    asked: list[int] = []

    def loss(samples: Sequence[float]) -> BatchLoss:
        asked.append(len(samples))
        if len(samples) > 2:
            torch.empty(PETABYTE)
        return mean_of(samples)

    told = probed({"train": [1.0, 2.0, 6.0]}, 8, loss, True)
    assert told["probe_train"] == pytest.approx(3.0)
    assert asked == [3, 3, 2, 1]
    with pytest.raises(RerankError, match="memory"):
        probed({"train": [1.0, 2.0, 6.0]}, 8, loss, False)
    with pytest.raises(RuntimeError, match="something else"):
        probed({"train": [1.0]}, 8, lambda _: (_ for _ in ()).throw(RuntimeError("something else")), True)


# --- a training


def with_chance(net: Net, sees: list[bool] | None = None) -> Callable[[Sequence[Item]], BatchLoss]:
    """The loss, a chance level and places that are sums over the items: whoever weighs them otherwise is found out."""

    def loss(batch: Sequence[Item]) -> BatchLoss:
        if sees is not None:
            sees.append(net.training)
        chances = [float(x[0]) ** 2 for x, _ in batch]
        cut = [float(x[1] > 0) for x, _ in batch]
        places = [int(abs(float(x[2])) * 2) for x, _ in batch]
        return BatchLoss(mean_loss(net, batch), sum(chances) / len(batch), sum(cut) / len(batch), places)

    return loss


SETTINGS = FitSettings(batch_size=2, gradient_accumulation_steps=2, eval_steps=4, save_steps=3, lr=0.02)
EPOCHS = shuffled(items(18), 2)
PROBES = {"train": EPOCHS[0][:6], "dev": DEV[:3]}


def recorded(out: Path, net: Net | None = None, record: bool = True, **options: Any) -> Run:
    net = net or Net(0.3)
    settings = options.pop("settings", SETTINGS)
    more = {"loss": with_chance(net), "probes": PROBES, "told": lambda: {"asked once": 7.0}}
    return Run(out, settings, EPOCHS, net, record=record, options={**more, **options})


def losses(events: Sequence[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if event.loss is not None]


def test_recording_changes_no_bit_of_the_training(tmp_path: Path) -> None:
    bare, told = recorded(tmp_path / "bare", record=False), recorded(tmp_path / "told")
    kept, same = bare(), told()
    assert equal(kept, same)
    assert equal(bare.net.layers.state_dict(), told.net.layers.state_dict())
    assert losses(bare.events) == losses(told.events)
    devs = [event.dev for event in told.events if event.dev is not None]
    assert [event.dev for event in bare.events if event.dev is not None] == devs[1:]
    assert not any("moved" in e.figures or "probe_train" in e.figures for e in bare.events)
    assert all({"moved", "probe_train", "probe_dev chance"} <= set(e.figures) for e in told.events if e.dev is not None)


def test_the_start_is_told_before_any_step_and_never_wins(tmp_path: Path) -> None:
    """The dev metric of step 0 is the best by far, and step 4's is what is kept."""
    sees: list[bool] = []
    net = Net(0.3)
    before = copy.deepcopy(net).eval()
    qualities = {0: 9.0, 4: 0.5, 8: 0.4, 10: 0.3}
    run = recorded(tmp_path / "run", net, loss=with_chance(net, sees))
    run.qualities = qualities
    measured = run._quality

    def quality() -> float:
        assert not net.training
        return 9.0 if not run.events else measured()

    run._quality = quality  # type: ignore[method-assign]
    kept = run()
    first = run.events
    assert (first[0].step, first[0].loss, first[0].dev, first[0].total) == (0, None, 9.0, 10)
    assert (first[1].step, first[1].dev) == (1, None)
    assert first[0].figures == {
        "asked once": 7.0,
        "probe_train": pytest.approx(mean_loss(before, PROBES["train"]).item(), abs=1e-6),
        "probe_train chance": pytest.approx(sum(float(x[0]) ** 2 for x, _ in PROBES["train"]) / 6),
        "probe_dev": pytest.approx(mean_loss(before, PROBES["dev"]).item(), abs=1e-6),
        "probe_dev chance": pytest.approx(sum(float(x[0]) ** 2 for x, _ in PROBES["dev"]) / 3),
        "moved": 0.0,
        **{name: 0.0 for name in first[0].figures if name.startswith("moved ")},
    }
    assert not any(sees[:5])  # two probes in batches of two: in eval mode, before the first step
    assert sees[5]
    assert sum("asked once" in event.figures for event in run.events) == 1
    four = recorded(tmp_path / "four")
    four.stop_at_event = 5  # the evaluation of step 4
    with pytest.raises(Stop):
        four()
    assert equal(kept, four.net.layers.state_dict())


def test_moved_is_what_the_weights_have_moved(tmp_path: Path) -> None:
    net = Net(0.3)
    before = [weight.detach().clone() for weight in net.layers.parameters()]
    run = recorded(tmp_path, net)
    run()
    expected = norm_share(before, [weight.detach() for weight in net.layers.parameters()])
    assert run.events[-1].figures["moved"] == pytest.approx(expected, rel=1e-9)
    assert expected > 0.01


@pytest.mark.parametrize("event", range(14))
def test_a_killed_and_resumed_training_tells_the_same(tmp_path: Path, event: int) -> None:
    whole = recorded(tmp_path / "whole")
    kept = whole()
    assert len(whole.events) == 14
    killed = recorded(tmp_path / "killed")
    killed.stop_at_event = event
    with pytest.raises(Stop):
        killed()
    again = recorded(tmp_path / "killed")
    same = again()
    assert equal(kept, same)
    assert again.events == whole.events


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_base_that_is_no_number_is_named_before_the_first_step(tmp_path: Path, value: float) -> None:
    net = Net(0.0)
    with torch.no_grad():
        net.layers[3].bias[0] = value
    before = copied(net.state_dict())
    run = recorded(tmp_path, net)
    with pytest.raises(NoNumberError, match="no number before the first step"):
        run()
    (told,) = run.events
    assert (told.step, told.loss, told.dev) == (0, None, None)
    assert not math.isfinite(told.figures["probe_train"])
    assert all(torch.equal(weight.nan_to_num(), before[name].nan_to_num()) for name, weight in net.state_dict().items())


def test_weights_that_become_no_number_are_named_with_their_evaluation(tmp_path: Path) -> None:
    net = Net(0.0)
    run = recorded(tmp_path, net)
    of_batch = with_chance(net)

    def loss(batch: Sequence[Item]) -> BatchLoss:
        told = of_batch(batch)
        late = not net.training and any(event.step == 4 for event in run.events)
        return BatchLoss(told.value * math.nan, told.chance) if late else told

    run.options["loss"] = loss
    with pytest.raises(NoNumberError, match="lower the learning rate"):
        run()
    assert run.events[-1].step == 4
    assert math.isnan(run.events[-1].figures["probe_train"])


@pytest.mark.parametrize("record", [True, False])
def test_all_frozen_is_one_line_and_an_event(tmp_path: Path, record: bool) -> None:
    net = Net(0.0)
    net.requires_grad_(False)
    run = recorded(tmp_path, net, record)
    with pytest.raises(RerankError, match="there is nothing to train: no weight requires a gradient"):
        run()
    assert run.events == [TrainingEvent(0, 0, trained=0)]


# --- figures of a step


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_gradient_norm_is_that_before_clipping(tmp_path: Path, limit: float) -> None:
    settings = FitSettings(batch_size=6, lr=0.05, max_grad_norm=limit, warmup=0.0, weight_decay=0.0)
    epochs = [items(18)]
    run = Run(tmp_path, settings, epochs, Net(0.0))
    run()
    net = Net(0.0)
    optimizer = torch.optim.AdamW(net.layers.parameters(), lr=0.05, weight_decay=0.0, fused=True)
    norms = []
    for step in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (3 - step) / 3
        mean_loss(net, epochs[0][6 * step : 6 * step + 6]).backward()  # type: ignore[no-untyped-call]
        gradients = torch.cat([w.grad.flatten() for w in net.layers.parameters() if w.grad is not None])
        norms.append(gradients.norm().item())
        torch.nn.utils.clip_grad_norm_(net.layers.parameters(), limit)
        optimizer.step()
        optimizer.zero_grad()
    assert [event.figures["gradient_norm"] for event in run.events if event.loss is not None] == [
        pytest.approx(norm, rel=1e-5) for norm in norms
    ]


def test_lr_epoch_and_items_of_each_step_are_right(tmp_path: Path) -> None:
    settings = FitSettings(batch_size=4, lr=0.1, warmup_steps=2)
    run = Run(tmp_path, settings, [items(10), items(4), items(5)], Net(0.0))
    run.options["lr_of"] = lambda name: 0.3 if name.startswith("layers.3.") else 0.1
    run()
    told = [event.figures for event in run.events if event.loss is not None]
    assert [figures["epoch"] for figures in told] == [1, 1, 1, 2, 3, 3]
    assert [figures["items"] for figures in told] == [4, 4, 2, 4, 4, 1]
    factors = [0, 1 / 2, 1, 3 / 4, 2 / 4, 1 / 4]
    assert [figures["lr"] for figures in told] == pytest.approx([0.3 * factor for factor in factors])  # the highest


def told_by_hand(size: int) -> list[dict[str, float]]:
    found = []
    for epoch in EPOCHS:
        for start in range(0, len(epoch), size):
            batch = epoch[start : start + size]
            figures = {"chance": sum(float(x[0]) ** 2 for x, _ in batch) / len(batch)}
            figures["truncated"] = sum(float(x[1] > 0) for x, _ in batch) / len(batch)
            for x, _ in batch:
                place = f"place {int(abs(float(x[2])) * 2)}"
                figures[place] = figures.get(place, 0) + 1
            found.append(figures)
    return found


def of_steps(run: Run) -> list[dict[str, float]]:
    ours = ("chance", "truncated")
    return [
        {name: figure for name, figure in event.figures.items() if name in ours or name.startswith("place ")}
        for event in run.events
        if event.loss is not None
    ]


@pytest.mark.parametrize(("batch", "accumulated", "limit"), [(8, 1, 9), (2, 4, 9), (1, 8, 9), (8, 1, 3), (4, 2, 1)])
def test_chance_and_places_are_those_of_the_whole_step(
    tmp_path: Path, batch: int, accumulated: int, limit: int
) -> None:
    """However it is computed: at once, in parts, or in halves since memory ended in the midst of it."""
    net = Net(0.0)
    of_batch, calls = with_chance(net), 0

    def loss(part: Sequence[Item]) -> BatchLoss:
        nonlocal calls
        calls += 1
        told = of_batch(part)
        if len(part) > limit:
            torch.empty(PETABYTE)
        return told

    settings = FitSettings(batch_size=batch, gradient_accumulation_steps=accumulated, lr=0.01)
    run = Run(tmp_path, settings, EPOCHS, net, options={"loss": loss})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run()
    assert of_steps(run) == [
        {name: pytest.approx(figure) for name, figure in figures.items()} for figures in told_by_hand(8)
    ]


def test_memory_that_ends_in_the_second_part_counts_nothing_twice(tmp_path: Path) -> None:
    net = Net(0.0)
    of_batch, calls = with_chance(net), 0

    def loss(part: Sequence[Item]) -> BatchLoss:
        nonlocal calls
        calls += 1
        if calls == 2:
            torch.empty(PETABYTE)
        return of_batch(part)

    settings = FitSettings(batch_size=4, gradient_accumulation_steps=2, lr=0.01)
    run = Run(tmp_path, settings, EPOCHS, net, options={"loss": loss})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run()
    assert of_steps(run)[0] == {name: pytest.approx(figure) for name, figure in told_by_hand(8)[0].items()}


def test_a_loss_that_tells_no_chance_has_none(tmp_path: Path) -> None:
    run = Run(tmp_path, SETTINGS, EPOCHS, Net(0.0), record=True, options={"probes": PROBES})
    run()
    assert not any("chance" in name or "truncated" in name for event in run.events for name in event.figures)
    assert StepFigures().figures() == {}
