"""Who is asked about a data set, through the stores: what one row has had scored is scored for no other row again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from rr.files import fingerprint
from rr.measures import Metric
from rr.protocols import Reranker
from rr.registry.plugins import Plugins
from rr.types import Dataset, Request, Scores
from rr_bench.compose.answers import answers
from rr_bench.compose.loaded import Known, as_scores
from rr_bench.compose.weights import Found, found_weights
from rr_bench.entries import Failure
from rr_bench.evaluate.cost import Cost, stored_cost
from rr_bench.evaluate.diagnosed import chosen_places
from rr_bench.evaluate.pairs import Answer, Pairs
from rr_bench.evaluate.probe import NOT_ASKED, Probe, stored_probe
from rr_bench.evaluate.store import Scored, score, score_part
from rr_bench.keys import model_key, reranker_key
from rr_bench.loading import load_reranker
from rr_bench.members import Part, of_member
from rr_bench.parts import parts
from rr_bench.progress import Progress
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import Price
from rr_bench.train.checkpoints import Choice
from rr_bench.train.training import entry_checkpoint


@dataclass(frozen=True, slots=True)
class Skipped:
    """In the place of a row that does not apply: why."""

    reason: str


@dataclass(frozen=True)
class Handed:
    """What became of rows that were handed out (`rr_bench.evaluate.handing`), by `row_key`: why there are no figures,
    and of which something was computed."""

    met: dict[str, Failure | Skipped] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Bench:
    """What is asked of every row of a data set. `view`: what rerankers are shown of it. `requests`: of its test split.
    `measures`: each metric with the test queries that it is a mean over, the leading one first. `faults`: of the data
    set. `price`: of entries without one of their own."""

    dataset: Dataset
    view: Dataset
    requests: Sequence[Request]
    measures: Mapping[Metric, Sequence[str]]
    faults: tuple[str, ...]
    price: Price | None
    plugins: Plugins
    progress: Progress
    handed: Handed | None = None

    @property
    def leading(self) -> Metric:
        return next(iter(self.measures))

    @property
    def cutoff(self) -> int | None:
        """Of the leading metric."""
        return getattr(self.leading.settings, "cutoff", None)


@dataclass(frozen=True)
class Leaf:
    """An entry's component and the checkpoint that it is scored with."""

    resolved: Resolved
    choice: Choice

    @cached_property
    def key(self) -> list[str]:
        """All that its answers depend on besides the requests."""
        return [reranker_key(self.resolved), self.choice.fingerprint()]

    def key_on(self, dataset: Dataset, split: str, *narrowed: str) -> list[str]:
        """All that its answers depend on. `narrowed`: what tells requests from those of the whole split."""
        return [*self.key, dataset.fingerprint, split, *narrowed]

    @cached_property
    def model(self) -> str:
        return model_key(self.resolved, self.choice.fingerprint())

    def load(self) -> Reranker:
        return load_reranker(self.resolved, self.choice.folder)

    def known(self, scored: Scored) -> Known:
        folder = self.choice.folder
        return Known(scored.info, self.model, folder.absolute().name if folder else "")


@dataclass(frozen=True)
class Asked:
    """A leaf, what it was asked, and what it answered."""

    part: Part
    leaf: Leaf
    requests: Sequence[Request]
    scored: Scored
    key: object
    probe: Probe
    """`NOT_ASKED` where these are not all candidates of the test split: a later stage's are its first one's choice."""

    @property
    def pointwise(self) -> bool:
        """Whether it has said that it looks at one candidate at a time; of a reranker of its own nobody asks that."""
        return _pointwise(self.part, self.scored)

    @cached_property
    def diagnostics(self) -> dict[str, float]:
        return means(list(self.scored.answers.values()))

    @cached_property
    def chosen(self) -> tuple[int, ...]:
        runs = {query_id: answer.scores for query_id, answer in self.scored.answers.items()}
        return chosen_places(self.requests, runs)

    @cached_property
    def cost(self) -> Cost:
        return stored_cost(self.leaf.load, self.key, self.requests, self.scored.answers)


@dataclass
class Asking:
    """One entry of a bench on one data set. `loading`: how a leaf's model is had."""

    part: Part
    bench: Bench
    loading: Callable[[Leaf], Reranker] = Leaf.load
    leaves: dict[str, Leaf] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Finds its leaves; what is to be trained is trained."""
        bench = self.bench
        for one in self.part.leaves:
            with of_member(one, self.part):
                resolved = resolve(bench.plugins, one.called, one.entry)
                choice = entry_checkpoint(bench.plugins, resolved, bench.dataset, bench.progress)
                self.leaves[one.name] = Leaf(resolved, choice)

    def weights(self) -> dict[str, Found]:
        """Those of its fusions that are found on dev, by the leading metric."""
        keys, view = {name: fingerprint(leaf.key) for name, leaf in self.leaves.items()}, self.bench.view
        leading = self.bench.leading.name
        return found_weights(self.part, view, leading, keys, lambda one, asked: self._ask(one, "dev", asked, []))

    def answers(self, weights: Mapping[str, Found]) -> tuple[list[Scores], list[Asked]]:
        """One answer a test query, and what the leaves were asked for it."""
        asked: list[Asked] = []
        given = {name: found.weights for name, found in weights.items()}
        requests = self.bench.requests
        return answers(self.part, requests, lambda one, some: self._ask(one, "test", some, asked), given), asked

    def score_part(self, name: str, number: int) -> bool:
        """One part of a leaf's answers to the whole test split, which `answers` finds then; whether it was computed."""
        (one,) = (leaf for leaf in self.part.leaves if leaf.name == name)
        leaf, (part,) = self.leaves[name], islice(parts(self.bench.requests), number, number + 1)
        key = leaf.key_on(self.bench.dataset, "test")
        return score_part(lambda: self.loading(leaf), key, number, part, self._pairs(one))

    def _pairs(self, one: Part) -> Pairs | None:
        return Pairs.of(self.leaves[one.name].key, one.entry, self.bench.dataset)

    def _ask(self, one: Part, split: str, requests: Sequence[Request], asked: list[Asked]) -> list[Scores]:
        leaf, loaded, dataset = self.leaves[one.name], list[Reranker](), self.bench.dataset

        def load() -> Reranker:
            loaded.extend([] if loaded else [self.loading(leaf)])
            return loaded[0]

        narrowed = self._narrowed(requests)
        key = leaf.key_on(dataset, split, *narrowed)
        with (
            of_member(one, self.part),
            self.bench.progress.task(f"{dataset.name}: {one.name}", len(requests)) as advance,
        ):
            scored = score(load, key, requests, advance, self._pairs(one))
            probe = NOT_ASKED
            if split == "test" and not narrowed:
                probe = stored_probe(load, key, requests, scored.answers, _pointwise(one, scored))
        asked.append(Asked(one, leaf, requests, scored, key, probe))
        runs = [scored.answers[request.query.id] for request in requests]
        return [as_scores(request, run.scores, run.diagnostics) for request, run in zip(requests, runs, strict=True)]

    def _narrowed(self, requests: Sequence[Request]) -> list[str]:
        """What tells these requests from those of the whole split, where they hold fewer candidates."""
        shown = {request.query.id: [document.id for document in request.candidates] for request in requests}
        if all(tuple(ids) == tuple(self.bench.view.candidates[query_id]) for query_id, ids in shown.items()):
            return []
        return [fingerprint(shown)]


def means(answers: Sequence[Scores | Answer]) -> dict[str, float]:
    """Of each diagnostic over the queries; what a query does not report counts 0."""
    names = sorted({name for one in answers for name in one.diagnostics})
    return {name: sum(one.diagnostics.get(name, 0.0) for one in answers) / len(answers) for name in names}


def _pointwise(part: Part, scored: Scored) -> bool:
    return part.entry.scorer is not None and not scored.info.listwise
