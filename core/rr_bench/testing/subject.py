"""What is checked: a component as its class and its settings, as a registry entry or an author's test names it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rr import spec
from rr.errors import RerankError
from rr.protocols import ModelInfo, Settings
from rr.registry.plugins import Plugins, Registered
from rr.registry.resolve import target_name
from rr.registry.validation import validated
from rr.rerank.gate import score_all
from rr.types import Request, Scores
from rr_bench.loading import Checked, Isolated
from rr_bench.testing.process import state

if TYPE_CHECKING:
    from rr_bench.testing.trained import Trainings

Kind = spec.Kind | Literal["plugin"]
"""What a subject is: a component of some kind, or a plugin as such."""
Part = Kind
"""What a check looks at. `plugin`: the module that registers a component, where one does. A `scorer` check is asked of
rerankers too, whose rankings are read as scores."""
METHODS: dict[str, Kind] = {"score": "scorer", "rerank": "reranker", "read": "reader", "fit": "retriever"}


@dataclass(frozen=True)
class Subject:
    """`target`: the class. `settings`: of it, checked. `trainer`, `training`: of what it loads, where there is one.
    `registered`: as its distribution registers it, where one does; `point`: the plugin that does. Of a plugin as such,
    that is all there is."""

    name: str
    kind: Kind
    target: type[Any]
    settings: Settings
    trainer: type[Any] | None = None
    training: Settings | None = None
    registered: Registered | None = None
    registered_trainer: Registered | None = None
    point: EntryPoint | None = None
    plugins: Plugins = field(default_factory=Plugins)

    @cached_property
    def workspace(self) -> Path:
        """A folder for whatever the checks write, which is gone when the subject is."""
        folder = tempfile.mkdtemp(prefix="rr-testing-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def load(self, checkpoint: Path | None = None) -> Any:
        """A new one of the class, with nothing around it."""
        if self.kind in ("reader", "retriever"):
            return self.target(self.settings)
        return self.target(self.settings, checkpoint)

    @cached_property
    def process(self) -> dict[str, Any]:
        """How the process was before the first one was loaded (`rr_bench.testing.process.state`)."""
        return state()

    @cached_property
    def loaded(self) -> Any:
        """The one that checks share which change nothing."""
        self.process  # noqa: B018 - now
        return self.another()

    def another(self) -> Any:
        """A new one. It is untrained where it can be, else trained on `rr_bench.testing.examples.small`."""
        try:
            return self.load()
        except RerankError:
            if self.trainer is None:
                raise
            return self.load(self.checkpoint)

    @property
    def checkpoint(self) -> Path:
        """What its trainer writes for the examples, trained once."""
        return self.trainings.first.folder

    @cached_property
    def trainings(self) -> Trainings:
        """The trainings that checks share."""
        from rr_bench.testing.trained import Trainings

        return Trainings(self)

    @property
    def info(self) -> ModelInfo:
        return Isolated(self.loaded).info

    def scores(self, requests: Sequence[Request], component: Any = None) -> list[Scores]:
        """What the component (else the shared one) answers, through the gate that a bench asks through. Raises
        RerankError: it breaks, or the gate refuses the answer."""
        asked = self.loaded if component is None else component
        if self.kind == "scorer":
            return score_all(Isolated(asked), requests)
        rankings = Checked(Isolated(asked)).rerank(requests)
        return [
            Scores(tuple(ranking.run[document.id] for document in request.candidates), ranking.diagnostics)
            for request, ranking in zip(requests, rankings, strict=True)
        ]

    @property
    def fits(self) -> int:
        """How many candidates a request may have; one that takes any number is asked about 20."""
        return self.info.max_candidates or 20


def subject_of(
    target: type[Any],
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    trainer: type[Any] | None = None,
    training: Settings | Mapping[str, Any] | None = None,
) -> Subject:
    """A class that no registry need know. Settings may be given as a mapping, which the class's own `Settings` checks.

    Raises:
        RerankError: the settings are wrong, or the class has no method by which its kind is known.
    """
    kinds = [kind for method, kind in METHODS.items() if callable(getattr(target, method, None))]
    if not kinds:
        raise RerankError(f"{target_name(target)} has none of the methods {', '.join(METHODS)}; give it one")
    taught = None if trainer is None else _checked(trainer, training)
    return Subject(target.__name__, kinds[0], target, _checked(target, settings), trainer, taught)


def _checked(target: type[Any], settings: Settings | Mapping[str, Any] | None) -> Settings:
    if isinstance(settings, Settings):
        return settings
    model: type[Settings] = getattr(target, "Settings", Settings)
    return validated(model, dict(settings or {}), f"{target_name(target)}: settings")
