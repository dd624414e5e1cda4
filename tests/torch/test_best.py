"""The best weights so far are on disk alone: whatever is killed or damaged, the training ends with the same bits."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from rr.errors import PluginError
from rr.files import CHECKSUM
from rr_torch.best import Kept
from rr_torch.fitting import copied
from rr_torch.settings import FitSettings
from rr_torch.states import newest_state
from rr_torch.tensors import write_tensors
from tests.torch.test_fitting import DAMAGES, Run, Stop, assert_same, items, shuffled

SETTINGS = FitSettings(batch_size=4, eval_steps=2, save_steps=3, lr=0.02, record=False)
EPOCHS = shuffled(items(20), 2)
"""10 steps; measurements after every second, states after 3, 6 and 9."""
RISING = {2: 0.1, 4: 0.2, 6: 0.3, 8: 0.4, 10: 0.5}
PEAK = {2: 0.1, 4: 0.5, 6: 0.3, 8: 0.4, 10: 0.2}


def training(out: Path, qualities: dict[int, float], **options: int) -> Run:
    return Run(out, SETTINGS, EPOCHS, qualities=qualities, **options)  # type: ignore[arg-type]


def interrupted(out: Path, qualities: dict[int, float], after: int) -> None:
    """After so many steps (all of whose files are written)."""
    run = training(out, qualities, stop_at_event=after + sum(step <= after for step in qualities))
    with pytest.raises(Stop):
        run()


def files(out: Path, kind: str) -> list[int]:
    """The steps of the files of a kind."""
    return sorted(int(path.stem[-9:]) for path in (out / "state").glob(f"{kind}-*.safetensors"))


def best_file(out: Path, step: int) -> Path:
    return out / "state" / f"best-{step:09d}.safetensors"


# --- kills

KILLED_AT = {"open", "os.mkdir", "os.remove", "os.rename"}
"""What Python tells of before it happens (os.remove is unlink, os.rename also replace)."""


def killed(out: Path, qualities: dict[int, float], operation: int) -> bool:
    """A training in a process that gets SIGKILL before so many of its operations on files; whether there were that
    many."""
    child = os.fork()
    if not child:
        left = operation

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in KILLED_AT and str(out / "state") in str(arguments[0]):
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        sys.addaudithook(hook)
        try:
            training(out, qualities)()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("qualities", [RISING, PEAK], ids=["rising", "peak"])
def test_a_kill_before_any_operation_on_files_changes_nothing(tmp_path: Path, qualities: dict[int, float]) -> None:
    whole = training(tmp_path / "whole", qualities)
    kept = whole()
    operation = 0
    while killed(out := tmp_path / str(operation), qualities, operation):
        again = training(out, qualities)
        assert_same(again, again(), whole, kept)
        for kind in ("best", "state"):  # the kill may have come before those that nothing needs were removed
            assert set(files(out, kind)) >= set(files(whole.out, kind)), operation
        assert not list(out.glob("state/*.temporary")), operation
        operation += 1
    assert operation > 20


@pytest.mark.parametrize("qualities", [RISING, PEAK], ids=["rising", "peak"])
def test_kill_after_kill_changes_nothing(tmp_path: Path, qualities: dict[int, float]) -> None:
    whole = training(tmp_path / "whole", qualities)
    kept = whole()
    for operation in (3, 9, 7, 2, 12, 8, 5, 14):
        killed(tmp_path / "again", qualities, operation)
    again = training(tmp_path / "again", qualities)
    assert_same(again, again(), whole, kept)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_a_killed_writer_left_of_them_is_no_file_of_theirs(tmp_path: Path, share: float) -> None:
    whole = training(tmp_path / "whole", PEAK)
    kept = whole()
    interrupted(tmp_path / "again", PEAK, 5)
    path = best_file(tmp_path / "again", 4)
    content = path.read_bytes()
    for step in (4, 8):  # 8 is not the best, and is not written again
        left = path.with_name(f"best-{step:09d}.temporary")
        left.write_bytes(content[: int(len(content) * share)])
    again = training(tmp_path / "again", PEAK)
    assert_same(again, again(), whole, kept)
    assert not list(path.parent.glob("*.temporary"))


# --- which are there


def test_those_that_a_state_may_ask_for_are_there_and_no_others(tmp_path: Path) -> None:
    expected = {
        3: ([2], [3]),
        5: ([2, 4], [3]),
        7: ([2, 6], [3, 6]),
        9: ([2, 6, 8], [6, 9]),
        10: ([6, 8, 10], [6, 9]),
    }
    for step, (best, states) in expected.items():
        out = tmp_path / str(step)
        if step < 10:
            interrupted(out, RISING, step)
        else:
            training(out, RISING)()
        assert (files(out, "best"), files(out, "state")) == (best, states), step


def test_a_state_holds_none_of_them(tmp_path: Path) -> None:
    run = training(tmp_path, RISING)
    run()
    tensors, facts = newest_state(tmp_path / "state") or pytest.fail("no state")
    trained = list(run.net.layers.parameters())
    assert sum(name.startswith("weight.") for name in tensors) == len(trained)
    assert {name.partition(".")[0] for name in tensors} == {"weight", "optimizer", "random"}
    assert sum(t.nbytes for name, t in tensors.items() if name.startswith("weight")) == sum(w.nbytes for w in trained)
    with safe_open(best_file(tmp_path, 8), framework="pt") as file:
        assert facts["kept"] == {"step": 8, "sha256": file.metadata()[CHECKSUM]}


def test_a_sitting_that_finds_others_the_best_goes_on_with_those(tmp_path: Path) -> None:
    """On other devices a measurement may differ. The first finds step 4 and 8 the best, the second only step 2."""
    first, second = {2: 0.3, 4: 0.4, 6: 0.1, 8: 0.5, 10: 0.1}, {2: 0.3, 4: 0.1, 6: 0.1, 8: 0.1, 10: 0.1}
    whole = training(tmp_path / "whole", second)
    kept = whole()
    out = tmp_path / "again"
    interrupted(out, first, 5)
    assert files(out, "best") == [2, 4]
    interrupted(out, second, 7)
    assert (files(out, "best"), files(out, "state")) == ([2], [3, 6])
    interrupted(out, first, 8)
    assert files(out, "best") == [2, 8]
    again = training(out, second)
    assert_same(again, again(), whole, kept)
    assert files(out, "best") == [2]


def test_a_training_without_a_state_starts_without_them(tmp_path: Path) -> None:
    """One that was killed before its first state had found a later one the best."""
    settings, out = SETTINGS.model_copy(update={"save_steps": 100}), tmp_path / "again"
    late = Run(out, settings, EPOCHS, qualities={2: 0.1, 4: 0.1, 6: 0.1, 8: 0.5, 10: 0.1}, stop_at_event=13)
    with pytest.raises(Stop):
        late()
    assert files(out, "best") == [8]
    again = Run(out, settings, EPOCHS, qualities=PEAK)
    whole = Run(tmp_path / "whole", settings, EPOCHS, qualities=PEAK)
    assert_same(again, again(), whole, whole())
    assert files(out, "best") == [4]


def test_what_was_returned_outlives_the_training_that_goes_on(tmp_path: Path) -> None:
    """It is mapped from a file that a later `keep` removes."""
    kept = Kept(tmp_path / "state")
    kept.keep(1, {"a": torch.arange(6.0)})
    first = kept.weights()
    kept.keep(2, {"a": torch.zeros(6)})
    assert first["a"].tolist() == [0, 1, 2, 3, 4, 5]
    assert not best_file(tmp_path, 1).exists()


def test_what_is_kept_is_not_changed_by_further_training(tmp_path: Path) -> None:
    weight = torch.ones(3)
    kept = Kept(tmp_path / "state")
    kept.keep(1, {"weight": weight})
    weight += 1
    assert kept.weights()["weight"].tolist() == [1, 1, 1]


# --- damage


def of_other_bits(path: Path) -> None:
    """A whole file, of this place, that is not the one which the state names."""
    tensors = {name: tensor + 1 for name, tensor in copied(load_file(path)).items()}
    write_tensors(path, f"{path.parent.parent.name}/{path.name}", tensors, {})


LOSSES: dict[str, Callable[[Path], object]] = {
    **{
        name: lambda path, damage=damage: path.write_bytes(damage(path.read_bytes()))
        for name, damage in DAMAGES.items()
    },
    "gone": lambda path: path.unlink(),
    "other bits": of_other_bits,
    "another's": lambda path: write_tensors(path, f"other/{path.name}", copied(load_file(path)), {}),
}
every_loss = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)


@every_loss
def test_a_damaged_file_is_named_and_the_state_before_it_gone_on_from(
    tmp_path: Path, lose: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    whole = training(tmp_path / "whole", RISING)
    kept = whole()
    out = tmp_path / "again"
    interrupted(out, RISING, 7)  # states 3 and 6, with the best of 2 and of 6
    lose(best_file(out, 6))
    again = training(out, RISING)
    assert_same(again, again(), whole, kept)
    assert again.states[0] == ["state-000000003.safetensors"]
    assert re.search(
        r"state-000000006\.safetensors is damaged \(its best weights, best-000000006\.\w+, are", caplog.text
    )
    if lose is not LOSSES["gone"]:
        assert re.search(r"best-000000006\.safetensors is damaged \(.+\); no state that names it", caplog.text)
        assert best_file(out, 6).with_name(".best-000000006.safetensors.aside").exists()
    assert "000000003" not in caplog.text


@every_loss
def test_where_no_state_has_its_best_weights_it_starts_over(
    tmp_path: Path, lose: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    first = {2: 0.9, 4: 0.2, 6: 0.3, 8: 0.4, 10: 0.5}
    whole = training(tmp_path / "whole", first)
    kept = whole()
    out = tmp_path / "again"
    interrupted(out, first, 7)
    assert (files(out, "best"), files(out, "state")) == ([2], [3, 6])
    lose(best_file(out, 2))
    again = training(out, first)
    assert_same(again, again(), whole, kept)
    assert again.states[0] == []
    assert re.search(
        r"(?s)state-000000006\.safetensors is damaged.*state-000000003\.safetensors is damaged", caplog.text
    )


def test_a_damaged_state_goes_back_to_the_best_weights_of_then(tmp_path: Path) -> None:
    """The newest state knows of better ones than there will be: this sitting measures otherwise."""
    found, later = {**RISING, 6: 0.9}, {2: 0.1, 4: 0.0, 6: 0.0, 8: 0.0, 10: 0.0}
    whole = training(tmp_path / "whole", later)
    kept = whole()
    out = tmp_path / "again"
    interrupted(out, found, 7)
    state = out / "state" / "state-000000006.safetensors"
    state.write_bytes(state.read_bytes()[:-1])
    again = training(out, later)
    assert_same(again, again(), whole, kept)


@every_loss
def test_they_are_compared_when_the_training_ends(tmp_path: Path, lose: Callable[[Path], object]) -> None:
    run = training(tmp_path, PEAK)

    def damaging(event: object) -> None:
        if len(run.events) == 15:
            lose(best_file(tmp_path, 4))

    tell, run._event = run._event, lambda event: (tell(event), damaging(event))  # type: ignore[method-assign]
    with pytest.raises(PluginError, match=r"best-000000004\.safetensors is damaged \(.*train again") as raised:
        run()
    assert "\n" not in str(raised.value)
    whole = training(tmp_path / "whole", PEAK)
    again = training(tmp_path, PEAK)
    assert_same(again, again(), whole, whole())
