"""What the components of each kind are. A plugin's class needs no base class: it only has to fit. It may carry
`Settings`, a subclass of `rr.Settings`, that its registry entry is checked against before it is called. Construction
loads: whatever cannot be loaded raises there."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from rr.data.collection import Collection
from rr.errors import RerankError
from rr.spec import Kind
from rr.types import Dataset, Document, Query, Ranking, Request, Run, Scale, Scores, State

__all__ = ["Corpus", "Exports", "ModelInfo", "Named", "OnEvent", "Precision", "Reader", "ReadsConfig"]
__all__ += ["Recognises", "Requalifies", "Reranker", "Retriever", "Scorer", "Searches", "Settings", "Trainer"]
__all__ += ["TrainingEvent"]


class Settings(BaseModel):
    """Base of a component's settings: frozen, and an unknown key is an error. Texts under its fields describe them."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False, use_attribute_docstrings=True
    )

    def weights(self) -> str:
        """A hash of the pretrained weights that these settings name: part of every key (of scores, of checkpoints), so
        that a component that loads weights overrides this (`rr_torch.weights_fingerprint` computes one)."""
        return ""

    def version(self) -> str:
        """What answers behind these settings where it is no file (the release of a remote model): part of every key."""
        return ""

    def engines(self) -> tuple[str, ...]:
        """The distributions that compute with these settings, besides what the component requires; part of the key."""
        return ()

    def components(self) -> tuple[Named, ...]:
        """The components that these settings name: what decides their answers decides those of this one."""
        return ()

    def selects_by(self) -> str | None:
        """Of a trainer's: the name of the dev metric that it selects by, as its events have it, so that `checkpoint:
        best` knows before any training which checkpoints compare. None: it cannot be told."""
        return None

    def dev_split(self) -> tuple[float, int] | None:
        """Of a trainer's: share and seed of a dev split of its own, in place of the data set's."""
        return None

    @classmethod
    def expanded(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What is given as flags, with what a name in it stands for (a preset), to be laid over an entry."""
        return given

    def reference(self) -> Settings:
        """The settings that these approximate by fewer bits or another engine, for `rr info NAME --verify`; itself if
        they are exact. Raises RerankError: there are none."""
        raise RerankError("its settings name no reference to verify it against; leave out --verify")


@dataclass(frozen=True, slots=True)
class Named:
    """A component by its name, and the settings that it is used with."""

    kind: Kind
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def load(self, where: str) -> Any:
        """Built with its settings, a scorer without a checkpoint. RerankError: it cannot be, or `where` is wrong."""
        from rr.registry import plugins, resolve  # they import this module

        found = plugins.installed_plugins()
        checked = resolve.checked_settings(found, self.kind, self.name, dict(self.settings), where)
        return found.load(self.kind, self.name)(checked, *[None] * (self.kind in ("scorer", "reranker")))


Precision = Literal["float32", "float16", "bfloat16"]
"""The number format that scores are computed in, at its coarsest."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a loaded scorer or reranker. `listwise`: a document's score depends on the other candidates.
    `max_candidates`: how many fit into one request (None: any number). `parameters` / `trainable`: counts of weights in
    all, and of those that its trainer changes at most; of a checkpoint the table shows how many its training did
    change. `notes`: what a reader of the table must know. `precision`: how far company may change a score by rounding.
    """

    scale: Scale
    listwise: bool = False
    max_candidates: int | None = None
    state: State = "no weights"
    parameters: int = 0
    trainable: int = 0
    notes: tuple[str, ...] = ()
    precision: Precision = "float32"


class Scorer(Protocol):
    """Gives every candidate of a request a score; higher is better. Built as `Class(settings, checkpoint)`, where
    `checkpoint` is a folder that its trainer wrote, or None."""

    @property
    def info(self) -> ModelInfo: ...

    def score(self, requests: Sequence[Request]) -> Sequence[Scores | Sequence[float]]:
        """One answer a request, in their order; one finite number a candidate, in their order. Never called with an
        empty candidate list, nor with more than `info.max_candidates`. The answer must not depend on which requests
        come together. Raise where a score cannot be computed: never fill in."""


class Reranker(Protocol):
    """Turns requests into rankings. Built as `Class(settings, checkpoint)`."""

    @property
    def info(self) -> ModelInfo: ...

    def rerank(self, requests: Sequence[Request]) -> Sequence[Ranking]:
        """One ranking a request, in their order, holding each of its candidates once."""


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """One optimiser step of `total`: its training loss, or a dev metric measured after it, higher is better
    (`rr.training.ranking_quality`). `metric` names the latter: nobody else can know what it is, and a figure without a
    name is compared with none. `trained`: how many weights have received a gradient up to here; where no event says it,
    `info.trainable` of the checkpoint does. Step 0 is before the first update.

    `figures`: what else is known, under names of its own, or those that checks read. Of a step: `epoch`, `items`, `lr`,
    `chance` (the loss if all scores were equal), `gradient_norm` (before clipping), `truncated` (the share of texts),
    `place N` (answers that stood at place N). Of an evaluation, `probe_train` and `probe_dev`: the losses of some fixed
    samples in eval mode, each with its `… chance`; `moved` and `moved GROUP`: how far weights are from their start, as
    a share of their norm."""

    step: int
    total: int
    loss: float | None = None
    dev: float | None = None
    metric: str | None = None
    trained: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


OnEvent = Callable[[TrainingEvent], None]
STATE = "state"
"""Where in its folder a trainer may keep what it needs to go on after a kill."""
DEV_METRICS = "dev_metrics.json"
"""What a trainer may leave beside its weights: {"metrics": {name: value}, "targets": {name: {"goal": x, "met": bool}},
"notes": [line]}."""


class Trainer(Protocol):
    """Trains what a Scorer loads. Built as `Class(settings, scorer_settings)`: its own checked `training:` settings and
    the scorer's checked `settings:`, so that both read the same base model and the same limits."""

    def train(self, dataset: Dataset, out: Path, on_event: OnEvent) -> None:
        """Trains on `dataset.splits["train"]`, selects on `"dev"`, never touches `"test"`, and writes into the folder
        `out` what its Scorer needs as `checkpoint`: something, by which it scores otherwise than without it. `out`
        becomes visible only when this returns. It is empty but for notes of the caller's (`workplace.json`,
        `events.jsonl`), a home of the training's own (`kept`, where `rr.files.home()` points meanwhile) and `out /
        "state"`, where a trainer that was killed may have left, for this same training, what it goes on from; all but
        the events are removed when this returns.
        Raises RerankError: there is nothing to train on, or the training broke (a loss that is NaN, say)."""


@runtime_checkable
class Exports(Protocol):
    """What a scorer or reranker may do besides: `rr export` writes it in the form that others serve it in."""

    def export(self, out: Path) -> None:
        """Writes into the empty folder `out`."""


@runtime_checkable
class ReadsConfig(Protocol):
    """What a trainer's class may do besides: `rr train --config` reads the config file of another training script."""

    @classmethod
    def read_config(cls, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Sequence[str]]:
        """What the file says as `settings` and as `training` of a registry entry, and a line about each key that is
        passed over. Raises RerankError: it says what cannot be done."""


@runtime_checkable
class Requalifies(Protocol):
    """What a trainer may do besides, whose dev metric is none of `rr.measures`: tell it of what is loaded from disk."""

    def quality(self, scorer: Any, dataset: Dataset) -> float:
        """The metric that it selects by, of a newly loaded scorer of its on the dev split."""


class Reader(Protocol):
    """Reads a data set, or generates one. Built as `Class(settings)`, with the checked `options:` of its data set."""

    def files(self) -> Sequence[Path]:
        """All files that `read` reads; a change of one has the data set prepared anew."""

    def read(self) -> Collection:
        """Raises DataError: a file is missing or malformed; in one line, with the file and the line."""


@runtime_checkable
class Recognises(Protocol):
    """What a reader's class may do besides: `rr data add` asks it whether it reads these files or folders. One that
    would take almost anything says so by a class attribute `general = True`, and is asked last."""

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """The `options:` that it would read them with; None where they are not of its format. Raises nothing."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a retriever is fitted on. `documents`: in one order, to be gone through as often as needed; they may be on
    disk, and more than fit into memory. `train`: the queries that it may learn from, with the ids of their relevant
    documents. `run`: the one that the source brought along, empty if it has none."""

    documents: abc.Collection[Document]
    train: Sequence[tuple[Query, tuple[str, ...]]] = ()
    run: Run = field(default_factory=dict)


class Retriever(Protocol):
    """A first stage: scores a whole corpus for one query. Built as `Class(settings)`, of checked `options:`."""

    learns: bool
    """Whether `fit` looks at `corpus.train`: such a one cannot serve all folds of a cross-validation."""

    def fit(self, corpus: Corpus) -> None:
        """Raises DataError: the corpus lacks what it needs."""

    def scores(self, query: Query) -> Mapping[str, float]:
        """Document id → score, for the documents that were found at all."""


@runtime_checkable
class Searches(Protocol):
    """What a retriever may do besides: find the best of many queries at once, which is asked instead of `scores` where
    no other score is needed, and the only way to search a corpus that is larger than memory."""

    def search(self, queries: Sequence[Query], depth: int) -> Iterable[Mapping[str, float]]:
        """Of each query, in their order, what `scores` would give: at least its best `depth` documents and all that tie
        with the last of them (in 32 bits)."""
