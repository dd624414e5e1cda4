"""What a trainer does: its folder, its checkpoint, what it reads, stops, kills."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rr.errors import NotApplicableError, RerankError, summary
from rr.protocols import TrainingEvent
from rr.rerank.gate import whole
from rr.types import Request, Scores
from rr_bench.data.view import shown
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.examples import small
from rr_bench.testing.subject import Subject
from rr_bench.testing.trained import StoppedError, Training, cleared, taught, train

PATIENCE = 600.0
"""Seconds for a process that trains until it is killed."""
TRAIN = "train(dataset, out, on_event)"


@check_of("trainer")
def check_trainer_writes_a_checkpoint(subject: Subject) -> None:
    """It trains on the examples, and writes something into its folder that its scorer loads."""
    try:
        first = subject.trainings.first
    except BaseException as error:
        _let_through(error)
        raise BrokenRuleError("it trains on the examples", summary(error), TRAIN) from error
    if not first.folder.is_dir():
        raise BrokenRuleError("the folder that it was given stays where it is", "it removed it", TRAIN)
    if not first.files:
        raise BrokenRuleError("a checkpoint in the folder `out`", "nothing was written there", TRAIN)
    try:
        _answers(subject, first.folder)
    except BaseException as error:
        _let_through(error)
        held = ", ".join(first.files)
        raise BrokenRuleError("its scorer loads what it wrote, and scores", summary(error), held) from error


@check_of("trainer")
def check_trainer_tells_its_steps(subject: Subject) -> None:
    """Steps rise to a total that holds, each with a finite loss; dev is evaluated, by a metric that is named."""
    events = subject.trainings.first.events
    if not events:
        raise BrokenRuleError("on_event is told of each step", "it was told nothing", "on_event(TrainingEvent(…))")
    for event in events:
        if problem := _malformed(event, events[-1].total):
            raise BrokenRuleError("events that can be read", problem, repr(event))
    steps = [event for event in events if event.loss is not None]
    if not steps:
        raise BrokenRuleError("each step tells its loss", "no event has one", repr(events[0]))
    for earlier, later in itertools.pairwise(steps):
        if later.step <= earlier.step:
            raise BrokenRuleError("steps rise", f"step {later.step} came after step {earlier.step}", repr(later))
    told = [event for event in events if event.dev is not None]
    if not told:
        raise BrokenRuleError("the dev split is evaluated, and on_event told", "no event has a dev figure", TRAIN)
    metrics = {event.metric for event in told}
    if None in metrics or len(metrics) > 1:
        raise BrokenRuleError("each dev figure names its metric, the same for all", f"{metrics}", repr(told[0]))
    assert subject.training is not None
    by, found = subject.training.selects_by(), told[0].metric
    if by is not None and by != found:
        raise BrokenRuleError("Settings.selects_by() names the events' metric", f"{by!r}, and they say {found!r}")


def _malformed(event: TrainingEvent, total: int) -> str:
    """What is wrong with an event by itself."""
    if not isinstance(event, TrainingEvent):
        return f"{type(event).__name__}, not rr.TrainingEvent"
    if not whole(event.step) or not whole(event.total) or event.step > event.total:
        return f"step {event.step} of {event.total}"
    if event.total != total:
        return f"a total of {event.total}, and of {total} later"
    for name, value in {"loss": event.loss, "dev": event.dev, **event.figures}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"{name} is {value!r}, no number"
        if value is not None and not math.isfinite(value):
            return f"{name} is {value}"
    return "" if event.trained is None or whole(event.trained) else f"trained is {event.trained!r}; it counts weights"


@check_of("trainer")
def check_training_changes_scores(subject: Subject) -> None:
    """The checkpoint scores otherwise than its scorer does without one."""
    try:
        untrained = _answers(subject, None)
    except RerankError as error:
        raise NotApplicableError(f"it does not score without a checkpoint: {error}") from error
    trained = _answers(subject, subject.checkpoint)
    # as the trial of a bench compares them
    if all(
        math.isclose(*pair, rel_tol=1e-6, abs_tol=1e-9)
        for before, after in zip(untrained, trained, strict=True)
        for pair in zip(before.values, after.values, strict=True)
    ):
        raise BrokenRuleError(
            "scores that training has changed",
            f"all scores of {len(trained)} queries are those of the untrained model",
            f"{subject.target.__name__}(settings, checkpoint)",
        )


@check_of("trainer")
def check_checkpoint_loads_the_same(subject: Subject) -> None:
    """Loaded twice, and from another place, it scores the same: a checkpoint is moved when it is done."""
    folder = subject.checkpoint
    first, again = _answers(subject, folder), _answers(subject, folder)
    if example := _different(first, again):
        raise BrokenRuleError("a checkpoint that scores the same whenever it is loaded", example, "loaded twice")
    moved = subject.workspace / "moved"
    folder.rename(moved)
    try:
        elsewhere = _answers(subject, moved)
    except BaseException as error:
        _let_through(error)
        found = summary(error)
        raise BrokenRuleError("a checkpoint that holds all it needs, wherever it lies", found, "moved") from error
    finally:
        moved.rename(folder)
    if example := _different(first, elsewhere):
        raise BrokenRuleError("a checkpoint that scores the same wherever it lies", example, "moved")


@check_of("trainer")
def check_trainer_is_reproducible(subject: Subject) -> None:
    """Two trainings end equal, to the last bit, whatever state the process's random generators are in."""
    _end_alike(
        subject, subject.trainings.again, "two trainings that end equal, whatever was drawn before", "train twice"
    )


@check_of("trainer")
def check_trainer_leaves_data_alone(subject: Subject) -> None:
    """The data set that it is given is others', too."""
    for training in (subject.trainings.first, subject.trainings.again):
        if training.touched:
            raise BrokenRuleError("a trainer changes nothing of its data", training.touched, TRAIN)


@check_of("trainer")
def check_trainer_leaves_the_process_alone(subject: Subject) -> None:
    """Environment, logging, warnings, working folder, threads are as they were; looked at in the second of two
    trainings, since what the first one imports may have reasons of its own."""
    if found := subject.trainings.again.changed:
        raise BrokenRuleError("a trainer leaves the process as it was", f"it changed {', '.join(found)}", TRAIN)


@check_of("trainer")
def check_trainer_writes_into_its_folder_only(subject: Subject) -> None:
    """What it writes stands in `out`, or below rr.files.home(); what is temporary is gone afterwards."""
    if found := subject.trainings.again.elsewhere:
        raise BrokenRuleError("a trainer writes into `out` alone", f"it wrote {found[0]}", TRAIN)


@check_of("trainer")
def check_trainer_never_reads_test(subject: Subject) -> None:
    """With test queries and judgements in the data, it ends as without them."""
    try:
        with_test = train(subject, "with test", shown(small()))
    except BaseException as error:
        _let_through(error)
        found = summary(error)
        raise BrokenRuleError("a trainer that does not look at test", found, 'dataset.splits["test"]') from error
    _end_alike(subject, with_test, "the same end with a test split and without", 'dataset.splits["test"]')


@check_of("trainer")
def check_trainer_refuses_no_train_queries(subject: Subject) -> None:
    """Where there is nothing to train on it says so, with a RerankError, and no checkpoint stands for it."""
    given = taught()
    kept = set(given.splits["dev"])
    parts = ("queries", "qrels", "candidates", "first_stage", "hard_negatives", "groups")
    only_dev: dict[str, Any] = {
        part: {q: value for q, value in getattr(given, part).items() if q in kept} for part in parts
    }
    empty = replace(given, splits={**given.splits, "train": ()}, **only_dev)
    try:
        train(subject, "without train queries", empty)
    except RerankError:
        return
    except BaseException as error:
        _let_through(error)
        raise BrokenRuleError("a RerankError where there is nothing to train on", summary(error), "train=()") from error
    raise BrokenRuleError("a RerankError where there is nothing to train on", "it trained on nothing", "train=()")


@check_of("trainer")
def check_trainer_goes_on_after_a_stop(subject: Subject) -> None:
    """Stopped midway and called again with what it left in `out / "state"`, it ends as one that was never stopped."""
    half = _half(subject)

    def stop(event: TrainingEvent) -> None:
        if event.loss is not None and event.step >= half:
            raise StoppedError

    out = subject.workspace / "stopped"
    try:
        train(subject, "stopped", taught(), stop)
    except StoppedError:
        pass
    except BaseException as error:
        _let_through(error)
        found = summary(error)
        raise BrokenRuleError("what on_event raises ends the training", found, f"Ctrl-C at step {half}") from error
    else:
        found = "it went on"
        raise BrokenRuleError("what on_event raises ends the training", found, f"Ctrl-C at step {half}")
    _resumed(subject, out, f"stopped at step {half}")


@check_of("trainer")
def check_trainer_survives_a_kill(subject: Subject) -> None:
    """Likewise of one that is killed, as by kill -9, at a random moment, in a process of its own."""
    assert subject.trainer is not None
    names = [_named(one) for one in (subject.trainer, type(subject.training), type(subject.settings))]
    if None in names:
        raise NotApplicableError("its class has no name by which another process finds it; write it into a module")
    chance = random.Random(subject.name)
    half, out = _half(subject), subject.workspace / "killed"
    step, later = chance.randint(max(half // 2, 1), half), chance.random()
    out.mkdir()
    settings = [one.model_dump(mode="json") for one in (subject.training, subject.settings) if one is not None]
    told = {
        "trainer": names[0],
        "settings": list(zip(names[1:], settings, strict=True)),
        "out": str(out),
        "step": step,
        "later": later,
    }
    path = os.pathsep.join(str(Path(one).absolute()) for one in sys.path)
    ended = subprocess.run(
        [sys.executable, "-m", "rr_bench.testing.killed", json.dumps(told)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        timeout=PATIENCE,
    )
    if ended.returncode not in (-signal.SIGALRM, -signal.SIGKILL):
        said = ended.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise BrokenRuleError("it trains in another process as in this one", said[0], str(names[0]))
    _resumed(subject, out, f"killed after step {step}")


def _named(target: type[Any]) -> str | None:
    """How another process finds the class; None where it cannot, since a function has made it or a script."""
    module, name = target.__module__, target.__qualname__
    return None if module == "__main__" or "<locals>" in name else f"{module}:{name}"


def _half(subject: Subject) -> int:
    steps = [event.step for event in subject.trainings.first.events if event.loss is not None]
    if len(steps) < 2:
        raise NotApplicableError(f"it told of {len(steps)} steps: there is no moment between two of them")
    return steps[(len(steps) - 1) // 2]


def _resumed(subject: Subject, out: Path, example: str) -> None:
    keeps = cleared(out)
    how = "goes on from its state" if keeps else "starts anew"
    try:
        training = train(subject, out.name, taught())
    except BaseException as error:
        _let_through(error)
        raise BrokenRuleError(f"a training that {how} where it was ended", summary(error), example) from error
    _end_alike(subject, training, f"a training that {how}, and ends as one that was never ended", example)


def _end_alike(subject: Subject, other: Training, rule: str, example: str) -> None:
    """The same weights as the first one's, and the same scores."""
    first = subject.trainings.first
    for name, checksum in first.weights.items():
        if other.weights.get(name) != checksum:
            what = "is not there" if name not in other.weights else "has other bytes"
            raise BrokenRuleError(rule, f"{name} {what}", example)
    if found := _different(_answers(subject, first.folder), _answers(subject, other.folder)):
        raise BrokenRuleError(rule, found, example)


def _answers(subject: Subject, checkpoint: Path | None) -> list[Scores]:
    component = subject.load(checkpoint)
    most = component.info.max_candidates
    return subject.scores([_cut(one, most) for one in taught().requests("dev")], component)


def _cut(request: Request, most: int | None) -> Request:
    return replace(request, candidates=request.candidates[:most])


def _different(first: Sequence[Scores], other: Sequence[Scores]) -> str:
    """The first score that differs, told; empty where all are equal."""
    for query_id, before, after in zip(taught().splits["dev"], first, other, strict=True):
        for place, (one, two) in enumerate(zip(before.values, after.values, strict=True)):
            if one != two:
                return f"query {query_id!r}, candidate {place}: {one!r} and {two!r}"
    return ""


def _let_through(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | BrokenRuleError):
        raise error
