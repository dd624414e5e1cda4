"""Wrong plugins that run well: their rows are FAILED, with the reason and the mend; right ones that look alike pass."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

import rr
from rr import (
    Component,
    Dataset,
    ModelInfo,
    OnEvent,
    PluginError,
    Ranking,
    Request,
    RerankError,
    Scores,
    ScoringError,
    Settings,
    TrainingEvent,
)
from rr.files import home
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr.rerank import compose
from rr.rerank.gate import checked_info, within_scale
from rr_bench.evaluate.company import same_in_company
from rr_bench.evaluate.results import Row
from rr_bench.schema import RerankerEntry
from tests.core.scorers import request_of

CLASSES: dict[str, type] = {}


def plugin(one: type) -> type:
    """Makes a component `one` of the class, a trainer if it trains."""
    CLASSES[one.__name__] = one
    return one


class Honest:
    """Some figure of the text that has nothing to do with anything."""

    info: Any = ModelInfo("logit")

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None: ...

    def value(self, request: Request, text: str) -> float:
        return random.Random(f"{request.query.text} {text}").uniform(-5, 5)

    def score(self, requests: Sequence[Request]) -> Sequence[Scores | Sequence[float]]:
        return [[self.value(request, document.text) for document in request.candidates] for request in requests]


# --- one's own answer in company


@plugin
class AtRandom(Honest):
    def value(self, request: Request, text: str) -> float:
        return random.random()


@plugin
class WithDropout(Honest):
    """A model left in training mode: a tenth of its parts are missing each time."""

    def value(self, request: Request, text: str) -> float:
        parts = random.Random(f"{request.query.text} {text}")
        return sum(parts.gauss(0, 1) * (random.random() > 0.1) / 0.9 for _ in range(20))


@plugin
class AtRandomFaintly(Honest):
    """A thousandth of the scores is chance."""

    def value(self, request: Request, text: str) -> float:
        return super().value(request, text) * (1 + random.gauss(0, 1e-2))


@plugin
class SmallAtRandom(Honest):
    """Probabilities near 0 are no excuse."""

    info = ModelInfo("probability")

    def value(self, request: Request, text: str) -> float:
        return random.random() * 1e-6


@plugin
class CountsCalls(Honest):
    calls = 0

    def score(self, requests: Sequence[Request]) -> Sequence[Sequence[float]]:
        self.calls += 1
        return [[self.value(r, document.text) + self.calls for document in r.candidates] for r in requests]


@plugin
class Normalises(Honest):
    """Over all that comes together."""

    def score(self, requests: Sequence[Request]) -> Sequence[Sequence[float]]:
        found = [[self.value(request, document.text) for document in request.candidates] for request in requests]
        mean = sum(map(sum, found)) / sum(map(len, found))
        return [[value - mean for value in one] for one in found]


@plugin
class CountsCompany(Honest):
    def score(self, requests: Sequence[Request]) -> Sequence[Sequence[float]]:
        return [[self.value(r, document.text) * len(requests) for document in r.candidates] for r in requests]


@plugin
class LooksAtPlaces(Honest):
    """The first of a call is answered right, which the warm-up's query is in both: its cost tells."""

    def score(self, requests: Sequence[Request]) -> Sequence[Sequence[float]]:
        return [
            [self.value(request, document.text) * (1 + place) for document in request.candidates]
            for place, request in enumerate(requests)
        ]


@plugin
class OrdersAtRandom:
    """A reranker, whose scores are places."""

    info = ModelInfo("rank")

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None: ...

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        return [
            Ranking.from_scores(request, random.sample(range(len(request.candidates)), len(request.candidates)))
            for request in requests
        ]


@plugin
class FitsTwoAtRandom(AtRandom):
    """Longer lists are shown in windows."""

    info = ModelInfo("logit", max_candidates=2)


@plugin
class ListAtRandom(AtRandom):
    info = ModelInfo("logit", listwise=True)


# --- what it says of itself


@plugin
class UnknownScale(Honest):
    info = ModelInfo("percent")  # type: ignore[arg-type]


@plugin
class UnknownState(Honest):
    info = ModelInfo("logit", state="fine-tuned")  # type: ignore[arg-type]


@plugin
class UnknownPrecision(Honest):
    info = ModelInfo("logit", precision="half")  # type: ignore[arg-type]


@plugin
class NoInfo(Honest):
    info: ClassVar[dict[str, str]] = {"scale": "logit"}


@plugin
class NoInfoAtAll(Honest):
    info = None


@plugin
class HalfACandidate(Honest):
    info = ModelInfo("logit", max_candidates=2.5)  # type: ignore[arg-type]


@plugin
class FewerThanNone(Honest):
    info = ModelInfo("logit", max_candidates=-1)


@plugin
class NegativeWeights(Honest):
    info = ModelInfo("logit", parameters=-3)


@plugin
class WeightsAsText(Honest):
    info = ModelInfo("logit", trainable="22 M")  # type: ignore[arg-type]


@plugin
class OneNote(Honest):
    info = ModelInfo("logit", notes="a text is no tuple")  # type: ignore[arg-type]


@plugin
class NotesThatAreNone(Honest):
    info = ModelInfo("logit", notes=(None,))  # type: ignore[arg-type]


@plugin
class MaybeListwise(Honest):
    info = ModelInfo("logit", listwise="yes")  # type: ignore[arg-type]


@plugin
class RerankerOfUnknownScale(OrdersAtRandom):
    info = ModelInfo("places")  # type: ignore[arg-type]


@plugin
class TrainedFromNothing(Honest):
    info = ModelInfo("logit", state="trained")


@plugin
class RerankerTrainedFromNothing(OrdersAtRandom):
    info = ModelInfo("rank", state="trained")


# --- scores outside of the scale


@plugin
class MoreThanCertain(Honest):
    info = ModelInfo("probability")

    def value(self, request: Request, text: str) -> float:
        return 1.001


@plugin
class LessThanImpossible(Honest):
    info = ModelInfo("probability", max_candidates=4)

    def value(self, request: Request, text: str) -> float:
        return -0.001


@plugin
class NotNormalised(Honest):
    info = ModelInfo("cosine", listwise=True)

    def value(self, request: Request, text: str) -> float:
        return float(len(text))


@plugin
class RerankerBeyondCertain(OrdersAtRandom):
    info = ModelInfo("probability")


# --- those that pass


@plugin
class Rounds(Honest):
    """Company changes the order in which a sum is taken."""

    def value(self, request: Request, text: str) -> float:
        return super().value(request, text) * (1 + random.uniform(-1, 1) * 1e-6)


@plugin
class RoundsInHalf(Honest):
    info = ModelInfo("logit", precision="bfloat16")

    def value(self, request: Request, text: str) -> float:
        return super().value(request, text) * (1 + random.uniform(-1, 1) * 2**-8)


@plugin
class RoundsInWindows(Rounds):
    info = ModelInfo("logit", listwise=True, max_candidates=2)


@plugin
class RoundsACosine(Rounds):
    info = ModelInfo("cosine")

    def value(self, request: Request, text: str) -> float:
        return 1 + random.uniform(0, 1) * 1e-6


@plugin
class TrainedElsewhere(Honest):
    info = ModelInfo("logit", state="trained")

    class Settings(Settings):
        def weights(self) -> str:
            return "a hash"


# --- trainers


class Loads(Honest):
    """Its one weight, and what a trainer has left."""

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._weight = float((checkpoint / "weight").read_text()) if checkpoint else 1.0
        self.info = ModelInfo("logit", state="trained" if checkpoint else "untrained", parameters=1, trainable=1)

    def value(self, request: Request, text: str) -> float:
        return self._weight * super().value(request, text)


class Trainer:
    writes: ClassVar[dict[str, str]] = {"weight": "2"}

    def __init__(self, settings: Settings, scorer_settings: Settings) -> None: ...

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        on_event(TrainingEvent(1, 1, loss=1.0))
        for name, content in self.writes.items():
            (out / name).parent.mkdir(exist_ok=True)
            (out / name).write_text(content)


@plugin
class WritesNothing(Trainer):
    writes: ClassVar[dict[str, str]] = {}


@plugin
class WritesAStateOnly(Trainer):
    writes: ClassVar[dict[str, str]] = {"state/weight": "2"}


@plugin
class SavesWhatItStartedFrom(Trainer):
    writes: ClassVar[dict[str, str]] = {"weight": "1.0"}


@plugin
class BeginsWithAllOfDevRight(SavesWhatItStartedFrom):
    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        for step in (0, 1):
            on_event(TrainingEvent(step, 1, dev=1.0, metric="nDCG@10"))
        super().train(dataset, out, on_event)


@plugin
class SavesWhatCannotBeLoaded(Trainer):
    writes: ClassVar[dict[str, str]] = {"weights": "2"}


@plugin
class CountsInWords(Trainer):
    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        on_event(TrainingEvent(1, 1, loss=1.0, trained="all of them"))  # type: ignore[arg-type]
        super().train(dataset, out, on_event)


@plugin
class Learns(Trainer):
    pass


@plugin
class LearnsLittle(Trainer):
    writes: ClassVar[dict[str, str]] = {"weight": "1.0001"}


CLASSES["Loads"] = Loads


@plugin
class IgnoresItsCheckpoint(Honest):
    pass


@plugin
class NeedsACheckpoint(Loads):
    """Has nothing that it could be mistaken for."""

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        if checkpoint is None:
            raise RerankError("give a checkpoint")
        super().__init__(settings, checkpoint)


@plugin
class OrdersOnly(Loads):
    """A scale that means nothing but an order, which a training need not change for most queries."""

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        super().__init__(settings, checkpoint)
        self.info = ModelInfo("rank", state="trained" if checkpoint else "untrained")


def kind_of(one: type) -> str:
    return "trainer" if issubclass(one, Trainer) else "reranker" if hasattr(one, "rerank") else "scorer"


PLUGINS = Plugins(
    [
        *installed_plugins().components,
        *(
            Registered(Component(name, f"{__name__}:{name}", ""), kind_of(one), "ours", "ours", "1")  # type: ignore[arg-type]
            for name, one in CLASSES.items()
        ),
    ]
)


def benched(registry: Path, name: str, **entry: Any) -> dict[str, Row]:
    """The rows of this component and of an honest one."""
    from rr_bench.registry import load_registry

    found = load_registry(registry)
    told = RerankerEntry.model_validate({kind_of(CLASSES[name]): name, **entry})
    found = found.model_copy(update={"rerankers": {**found.rerankers, "it": told}})
    result = rr.bench(["it", "bm25"], registry=found, plugins=PLUGINS)
    return {row.reranker: row for row in result.datasets[0].rows}


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("AtRandom", {}),
        ("AtRandom", {"window": 3}),
        ("AtRandomFaintly", {}),
        ("WithDropout", {}),
        ("SmallAtRandom", {}),
        ("CountsCalls", {}),
        ("Normalises", {}),
        ("CountsCompany", {}),
        ("LooksAtPlaces", {}),
        ("OrdersAtRandom", {}),
        ("FitsTwoAtRandom", {}),
        ("FitsTwoAtRandom", {"beyond": "tournament"}),
        ("ListAtRandom", {"permutations": 3}),
    ],
)
def test_scores_that_depend_on_chance_or_company_fail(small_registry: Path, name: str, entry: dict[str, Any]) -> None:
    for _ in range(2):  # nor do they stand the second time
        found = benched(small_registry, name, **entry)
        assert "must not depend on which requests come together, nor on chance" in found["it"].failure
        assert "query 'q" in found["it"].failure
        assert found["it"].metrics == {}
        assert not found["bm25"].failure


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("UnknownScale", "info.scale is 'percent'; it must be one of logit, probability, cosine, rank"),
        ("UnknownState", "info.state is 'fine-tuned'; it must be one of no weights, pretrained, untrained, trained"),
        ("UnknownPrecision", "info.precision is 'half'; it must be one of float32, float16, bfloat16"),
        ("NoInfo", "info is dict, not rr.ModelInfo"),
        ("NoInfoAtAll", "info is NoneType, not rr.ModelInfo"),
        ("HalfACandidate", "info.max_candidates is 2.5"),
        ("FewerThanNone", "info.max_candidates is -1"),
        ("NegativeWeights", "info.parameters is -3"),
        ("WeightsAsText", "info.trainable is '22 M'"),
        ("OneNote", "info.notes is 'a text is no tuple'; it must be a tuple of texts"),
        ("NotesThatAreNone", "info.notes is (None,)"),
        ("MaybeListwise", "info.listwise is 'yes'"),
        ("RerankerOfUnknownScale", "info.scale is 'places'"),
        ("TrainedFromNothing", "says that it is trained, but was given no checkpoint and its settings name no weights"),
        ("RerankerTrainedFromNothing", "says that it is trained"),
        ("MoreThanCertain", "scores 1.001, and a probability lies between 0 and 1"),
        ("LessThanImpossible", "scores -0.001, and a probability lies between 0 and 1"),
        ("NotNormalised", "and a cosine lies between -1 and 1; correct the scores, or info.scale"),
        ("RerankerBeyondCertain", "and a probability lies between 0 and 1"),
    ],
)
def test_what_it_says_of_itself_must_be_understood_and_true(small_registry: Path, name: str, reason: str) -> None:
    found = benched(small_registry, name)
    assert reason in found["it"].failure
    assert found["it"].metrics == {}
    assert not found["bm25"].failure


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("Rounds", {}),
        ("RoundsInHalf", {}),
        ("RoundsInWindows", {}),
        ("RoundsInWindows", {"beyond": "tournament"}),
        ("RoundsInWindows", {"permutations": 2}),
        ("RoundsACosine", {}),
        ("TrainedElsewhere", {}),
    ],
)
def test_rounding_passes(small_registry: Path, name: str, entry: dict[str, Any]) -> None:
    found = benched(small_registry, name, **entry)["it"]
    assert found.failure == ""
    assert found.trainable == 0


@pytest.mark.parametrize(
    ("scorer", "trainer", "reason"),
    [
        ("Loads", "WritesNothing", "the trainer of 'it' wrote nothing"),
        ("Loads", "WritesAStateOnly", "the trainer of 'it' wrote nothing"),
        ("NeedsACheckpoint", "WritesNothing", "the trainer of 'it' wrote nothing"),
        ("Loads", "SavesWhatItStartedFrom", "dev queries exactly as the untrained model does"),
        ("IgnoresItsCheckpoint", "Learns", "dev queries exactly as the untrained model does"),
        ("OrdersOnly", "SavesWhatItStartedFrom", "dev queries exactly as the untrained model does"),
        ("Loads", "BeginsWithAllOfDevRight", "no order of their candidates is better, whatever its trainer does"),
        ("Loads", "CountsInWords", "TrainingEvent.trained is 'all of them'; it counts weights"),
        ("Loads", "SavesWhatCannotBeLoaded", "cannot be loaded: FileNotFoundError"),
    ],
)
def test_a_training_that_changes_nothing_fails(small_registry: Path, scorer: str, trainer: str, reason: str) -> None:
    for _ in range(2):
        found = benched(small_registry, scorer, trainer=trainer)
        assert reason in found["it"].failure
        assert not found["bm25"].failure
        assert not list((home() / "checkpoints").glob("[!.]*"))


@pytest.mark.parametrize(
    ("scorer", "trainer"),
    [("Loads", "Learns"), ("Loads", "LearnsLittle"), ("NeedsACheckpoint", "Learns"), ("OrdersOnly", "Learns")],
)
def test_a_training_that_changes_something_passes(small_registry: Path, scorer: str, trainer: str) -> None:
    found = benched(small_registry, scorer, trainer=trainer)["it"]
    assert found.failure == ""
    assert found.state == "trained"
    assert found.trainable == (0 if scorer == "OrdersOnly" else 1)  # as the scorer says, where the trainer does not


@pytest.mark.parametrize("name", ["UnknownScale", "NoInfo", "OneNote", "HalfACandidate"])
def test_the_gate_is_the_same_whoever_composes(name: str) -> None:
    with pytest.raises(PluginError, match=r"^info"):
        compose(CLASSES[name](Settings()))


def test_a_checked_info_is_the_one_that_was_given() -> None:
    info = ModelInfo("rank", True, 26, "pretrained", 7, 3, ("note",), "float16")
    assert checked_info(info) is info


@pytest.mark.parametrize(
    ("scale", "precision", "score", "right"),
    [
        ("probability", "float32", 1 + 1e-6, True),
        ("probability", "float32", 1 + 1e-4, False),
        ("probability", "float32", -1e-4, False),
        ("cosine", "float32", -1 - 1e-6, True),
        ("cosine", "bfloat16", 1 + 2**-7, True),
        ("cosine", "float16", 1.01, False),
        ("logit", "float32", 1e9, True),
        ("rank", "float32", -40.0, True),
    ],
)
def test_scores_lie_on_their_scale(scale: Any, precision: Any, score: float, right: bool) -> None:
    info = ModelInfo(scale, precision=precision)
    if right:
        within_scale(request_of(1), [score], info)
        return
    with pytest.raises(ScoringError, match="document 'd0' scores"):
        within_scale(request_of(1), [score], info)


def test_one_near_tie_may_turn_in_a_ranking_and_no_more() -> None:
    ids = [f"d{place}" for place in range(6)]
    places = dict(zip(ids, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], strict=True))
    turned = {**places, "d2": 3.0, "d3": 4.0}
    twice = {**turned, "d0": 5.0, "d1": 6.0}
    info = ModelInfo("logit")
    same_in_company(request_of(6), places, turned, info, ("windowed",))
    with pytest.raises(ScoringError, match="document 'd0' scores 6 when the query is asked alone and 5"):
        same_in_company(request_of(6), places, twice, info, ("windowed",))
    with pytest.raises(ScoringError, match="document 'd2'"):
        same_in_company(request_of(6), places, turned, info, ())
