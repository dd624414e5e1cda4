"""The Python API: `rr.load("name").rerank(query, documents)` and `rr.bench(...)`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rr.errors import RerankError
from rr.files import fingerprint
from rr.protocols import ModelInfo, Reranker
from rr.registry.plugins import Plugins, installed_plugins
from rr.registry.resolve import Resolved, resolve
from rr.registry.schema import RerankerEntry
from rr.types import Dataset, Document, Query, Ranking, Request
from rr_bench import arguments, entries
from rr_bench.arguments import opened
from rr_bench.data.load import load_dataset
from rr_bench.entries import Failure
from rr_bench.explain import explaining
from rr_bench.keys import reranker_key
from rr_bench.loading import load_reranker
from rr_bench.registry import Registry
from rr_bench.train.checkpoints import Checkpoint, chosen_checkpoint, open_checkpoint
from rr_bench.train.training import checkpoint_folder

if TYPE_CHECKING:
    from rr_bench.calibrate.kept import Calibration


@dataclass(frozen=True)
class NamedReranker:
    """A loaded entry of the registry, and the checkpoint that its weights are from, if they are."""

    resolved: Resolved
    checkpoint: Checkpoint | None
    reranker: Reranker

    @property
    def name(self) -> str:
        return self.resolved.name

    @property
    def info(self) -> ModelInfo:
        return self.reranker.info

    def fingerprint(self) -> str:
        """A hash of everything that its scores depend on besides the requests."""
        return fingerprint([reranker_key(self.resolved), self.checkpoint.fingerprint() if self.checkpoint else ""])

    @cached_property
    def calibration(self) -> Calibration | None:
        """What `rr calibrate` has kept for these weights and settings, if it has.

        Raises:
            RerankError: what is kept is damaged, or of other weights or settings.
        """
        from rr_bench.calibrate.kept import kept  # here, for most who rerank need none of scipy

        return kept(self.resolved, self.checkpoint)

    def probabilities(self, ranking: Ranking) -> dict[str, float]:
        """Document id → the probability that it is relevant, best first, for a ranking of this reranker's: calibrated,
        or else the score itself where that is one.

        Raises:
            RerankError: it is not calibrated, or its calibration is damaged or of other weights or settings.
        """
        from rr_bench.calibrate.probable import probabilities

        return probabilities(ranking, self.info, self.calibration, self.name)

    def rerank(
        self, query: str | Query, documents: Iterable[str | Document], *, min_probability: float | None = None
    ) -> Ranking:
        """All documents, best first, or those of at least `min_probability` (see `probabilities`), maybe none. A plain
        text gets its position as id (`"0"`, `"1"`, …).

        Raises:
            RerankError: `min_probability` is none, or nothing tells probabilities here.
            TypeError: the query or a document is neither a text nor a `Query` or `Document`; its place is named.
            DataError: two documents share an id.
            ScoringError: the model's answer cannot be ranked.
            PluginError: the model broke (its error is chained).
        """
        return self.rerank_all([arguments.asked(query, documents)], min_probability=min_probability)[0]

    @explaining()
    def rerank_all(self, requests: Iterable[Request], *, min_probability: float | None = None) -> Sequence[Ranking]:
        """One ranking a request; the model may batch across them.

        Raises:
            As `rerank`.
        """
        asked = arguments.requests(requests)
        if min_probability is None:
            return self.reranker.rerank(asked)
        from rr_bench.calibrate.probable import checked_least, without_improbable

        least = checked_least(min_probability)
        self.probabilities(Ranking(Query("", ""), ()))  # before the work, whether there are any
        rankings = self.reranker.rerank(asked)
        return [without_improbable(one, self.probabilities(one), least) for one in rankings]


@explaining()
def load(
    name: str,
    *,
    checkpoint: Path | str | None = None,
    dataset: str | None = None,
    profile: str | None = None,
    registry: Path | str | Registry | None = None,
    plugins: Plugins | None = None,
) -> NamedReranker:
    """The reranker that the registry calls `name`.

    Its weights: `checkpoint`, a folder that `rr train` wrote, or `latest`, `best` or `none` as in the registry; or the
    checkpoint that was trained on `dataset`; or what the entry itself says.

    Raises:
        RerankError: the name is unknown, the checkpoint missing, or the model would answer from random weights
            although its entry does not say `checkpoint: none`.
        TypeError: an argument is of a wrong type.
    """
    if not isinstance(name, str):
        raise TypeError(f"name is {type(name).__name__}, not str")
    arguments.of_type("checkpoint", checkpoint, str, Path)
    arguments.of_type("dataset", dataset, str)
    arguments.of_type("profile", profile, str)
    arguments.of_type("plugins", plugins, Plugins)
    registry = opened(registry)
    plugins = plugins or installed_plugins()
    entry = with_checkpoint(find_entry(registry, plugins, name, profile), checkpoint)
    resolved = resolve(plugins, name, entry)
    data = load_dataset(dataset, registry.dataset(dataset)) if dataset else None
    if data is None or checkpoint is not None or entry.checkpoint == "best":
        trained = chosen_checkpoint(plugins, resolved, data).checkpoint
    else:
        trained = _trained_on(data, resolved, plugins)
    reranker = load_reranker(resolved, trained.folder if trained else None)
    if reranker.info.state == "untrained" and resolved.entry.checkpoint != "none":
        raise RerankError(
            f"{name!r} is untrained: its scores would come from random weights. Run 'rr train {name} --dataset NAME', "
            f"then give that data set or the checkpoint"
        )
    return NamedReranker(resolved, trained, reranker)


def find_entry(registry: Registry, plugins: Plugins, name: str, profile: str | None) -> RerankerEntry:
    """The entry of that name; a RerankError where it failed, or nothing is called so."""
    entry = entries.find_entry(registry, plugins, profile, name)
    if isinstance(entry, Failure):
        raise RerankError(entry.reason)
    return entry


def with_checkpoint(entry: RerankerEntry, checkpoint: Path | str | None) -> RerankerEntry:
    """The entry with another `checkpoint:`, where one is given; a `Path` is always a folder."""
    if checkpoint is None:
        return entry
    named = checkpoint.absolute() if isinstance(checkpoint, Path) else checkpoint
    return entry.model_copy(update={"checkpoint": str(named)})


def _trained_on(data: Dataset, resolved: Resolved, plugins: Plugins) -> Checkpoint:
    folder = checkpoint_folder(plugins, resolved, data)
    if not folder.is_dir():
        raise RerankError(
            f"{resolved.name!r} was not trained on {data.name!r} yet; "
            f"run 'rr train {resolved.name} --dataset {data.name}' first"
        )
    return open_checkpoint(folder)
