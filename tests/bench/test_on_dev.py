"""What `rr train` ends with: its figure on dev beside its base's and the first stage's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from rr import Dataset
from rr.measures import evaluate, metric
from rr.protocols import Scorer
from rr.rerank import compose
from rr_bench.evaluate.on_dev import on_dev
from rr_bench.loading import load_component
from rr_bench.resolve import Resolved
from rr_bench.train.training import train
from tests.bench.test_bench import trainable_registry  # noqa: F401 - a fixture
from tests.bench.test_checkpoints import PLUGINS, entry, rooms  # noqa: F401 - a fixture
from tests.conftest import Rr


def figure(data: Dataset, scorer: Scorer, name: str = "nDCG@10") -> float:
    """By hand."""
    run = {one.query.id: one.run for one in compose(scorer).rerank(data.requests("dev"))}
    return fmean(evaluate(run, data.qrels, data.splits["dev"], metric(name)))


class FirstStage:
    info = load_component(entry(), None).info

    def score(self, requests):  # type: ignore[no-untyped-def]
        return [list(request.first_stage) for request in requests]


@pytest.mark.parametrize("metric_name", ["nDCG@10", "MRR@10", "of its own"])
def test_the_three_are_measured_alike(rooms: Dataset, metric_name: str) -> None:  # noqa: F811
    """By the metric that it was selected by, or nDCG@10 where that is none of rankings."""
    this = entry(training={"weight": -2.0, "dev": 0.5, "metric": metric_name})
    checkpoint = train(PLUGINS, this, rooms)
    name = "nDCG@10" if metric_name == "of its own" else metric_name
    found = on_dev(this, checkpoint, rooms)
    assert (found.metric, found.queries) == (name, len(rooms.splits["dev"]))
    assert found.trained == figure(rooms, load_component(this, checkpoint.folder), name)
    assert found.base == figure(rooms, load_component(this, None), name)
    assert found.trained != found.base
    assert found.first_stage == figure(rooms, FirstStage(), name)


def test_a_dev_split_of_the_trainings_own_is_what_is_asked(rooms: Dataset) -> None:  # noqa: F811
    this = entry(training={"weight": -2.0, "dev_ratio": 0.5})
    found = on_dev(this, train(PLUGINS, this, rooms), rooms)
    assert found.queries > len(rooms.splits["dev"])
    assert isinstance(found.first_stage, float)


def test_where_there_is_no_figure_it_says_why(rooms: Dataset) -> None:  # noqa: F811
    this = entry(training={"weight": -2.0})
    oracle = replace(rooms, protocol="oracle", fingerprint="e" * 64)
    assert "first stage none (protocol oracle" in str(on_dev(this, train(PLUGINS, this, oracle), oracle))
    given = replace(rooms, first_stage={}, fingerprint="d" * 64)
    assert "first stage none (the candidates came without scores)" in str(
        on_dev(this, train(PLUGINS, this, given), given)
    )


def test_without_a_model_of_its_own_there_is_no_base(
    rooms: Dataset,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    this: Resolved = entry(training={"weight": -2.0})
    made = this.target.__init__

    def refuses(self: object, settings: object, checkpoint: Path | None = None) -> None:
        if checkpoint is None:
            raise ValueError("it is made by training")
        made(self, settings, checkpoint)

    monkeypatch.setattr(this.target, "__init__", refuses)
    checkpoint = train(PLUGINS, this, rooms)
    told = str(on_dev(this, checkpoint, rooms))
    assert "base none (" in told
    assert "it is made by training" in told
    assert "\n" not in told


def test_the_test_split_is_not_looked_at(rooms: Dataset) -> None:  # noqa: F811
    this = entry(training={"weight": -2.0, "metric": "of its own", "dev": 0.1})
    checkpoint = train(PLUGINS, this, rooms)
    bare = {query_id: judged for query_id, judged in rooms.qrels.items() if query_id not in rooms.splits["test"]}
    without = replace(rooms, qrels={**bare, **{query_id: {} for query_id in rooms.splits["test"]}})
    assert on_dev(this, checkpoint, without) == on_dev(this, checkpoint, rooms)


def test_the_command_ends_with_it(
    rr_command: Rr,
    trainable_registry: Path,  # noqa: F811
) -> None:
    """The real head, which selects by a figure of its own."""
    ended = rr_command("train", "head", "-d", "rooms", "--registry", trainable_registry)
    assert ended.returncode == 0, ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("on dev, nDCG@10 over ")
    assert all(f"{who} 0." in last or f"{who} 1." in last for who in ("trained", "base", "first stage")), last
