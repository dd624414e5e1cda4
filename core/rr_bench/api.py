"""The Python API: `rr.load("name").rerank(query, documents)`. Its other doors: `rr_bench.public`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rr.errors import RerankError
from rr.files import fingerprint
from rr.protocols import ModelInfo, Reranker, Settings
from rr.registry.plugins import Plugins, installed_plugins
from rr.types import Dataset, Document, Query, Ranking, Request
from rr_bench import arguments, entries
from rr_bench.arguments import opened
from rr_bench.cache.using import Claim, using_home
from rr_bench.code import room_fingerprint
from rr_bench.compose.loaded import Composite, Known, asks
from rr_bench.compose.weights import Found, found_weights, spelled
from rr_bench.data.load import load_dataset
from rr_bench.data.view import shown
from rr_bench.explain import explaining
from rr_bench.keys import model_key, reranker_key
from rr_bench.loading import load_reranker
from rr_bench.members import Part, of_member
from rr_bench.registry import Registry
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.checkpoints import Checkpoint, chosen_checkpoint, open_checkpoint
from rr_bench.train.training import checkpoint_folder
from rr_bench.turns import WITH_WEIGHTS

if TYPE_CHECKING:
    from rr_bench.calibrate.kept import Calibration


Documents = Iterable[str | Mapping[str, Any] | Document]
"""Texts, mappings with a `text`, Documents: `rr_bench.arguments.asked`."""


@dataclass(frozen=True)
class NamedReranker:
    """A loaded entry of the registry, and the checkpoint that its weights are from, if they are.

    Any number of threads may ask it at once. It answers one after the other, and models with weights take turns in the
    whole process, since their libraries keep settings for all of it: threads make no single model faster; `rerank_all`
    with many requests does, which the model may batch. In coroutines, `arerank`.

    As long as it lives, `rr cache clean` takes nothing away: it may read vectors, answers and its calibration at any
    time."""

    resolved: Resolved
    checkpoint: Checkpoint | None
    reranker: Reranker
    key: str = ""
    """Of one that is made of others: a hash of everything that its scores depend on besides the requests."""
    _own_turn: AbstractContextManager[Any] = field(default_factory=threading.RLock, repr=False, compare=False)
    _claim: Claim = field(default_factory=Claim, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.resolved.name

    @property
    def info(self) -> ModelInfo:
        return self.reranker.info

    def fingerprint(self) -> str:
        """A hash of everything that its scores depend on besides the requests."""
        return self.key or _key(self.resolved, self.checkpoint)

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

    def known_probabilities(self, ranking: Ranking) -> dict[str, float]:
        """As `probabilities`; empty where nothing tells them, or they cannot be had, which is a warning."""
        from rr_bench.calibrate.probable import are_places, gives_probabilities

        told = not are_places(ranking) and gives_probabilities(self, None)
        return self.probabilities(ranking) if told else {}

    def rerank(
        self,
        query: str | Query,
        documents: Documents,
        *,
        top_n: int | None = None,
        min_probability: float | None = None,
    ) -> Ranking:
        """The documents, best first: all, or the best `top_n` of them; and of these the ones of at least
        `min_probability` (see `probabilities`), maybe none. A document is a text, a `Document`, or a mapping with a
        `text`, maybe an `id` and a `title`, and metadata. What has no id gets its position (`"0"`, `"1"`, …).

        Raises:
            RerankError: `min_probability` is none, or nothing tells probabilities here; `top_n` is below 1.
            TypeError: the query or a document is of another type; its place is named.
            DataError: two documents share an id.
            ScoringError: the model's answer cannot be ranked.
            PluginError: the model broke (its error is chained).
        """
        asked = [arguments.asked(query, documents)]
        return self.rerank_all(asked, top_n=top_n, min_probability=min_probability)[0]

    @explaining()
    def rerank_all(
        self, requests: Iterable[Request], *, top_n: int | None = None, min_probability: float | None = None
    ) -> Sequence[Ranking]:
        """One ranking a request; the model may batch across them.

        Raises:
            RerankError: and what else `rerank` raises, likewise.
        """
        asked, most = arguments.requests(requests), arguments.most(top_n)
        least = None if min_probability is None else self._least(min_probability)
        with self._own_turn if self.info.state == "no weights" else WITH_WEIGHTS:
            rankings = list(self.reranker.rerank(asked))
        if least is not None:
            from rr_bench.calibrate.probable import without_improbable

            rankings = [without_improbable(one, self.probabilities(one), least) for one in rankings]
        return rankings if most is None else [replace(one, items=one.items[:most]) for one in rankings]

    async def arerank(
        self,
        query: str | Query,
        documents: Documents,
        *,
        top_n: int | None = None,
        min_probability: float | None = None,
    ) -> Ranking:
        """As `rerank`, for coroutines: the event loop goes on meanwhile. Answers are worked out in the order in which
        they are asked for. One that is cancelled while it waits is never worked out; one that is being worked out comes
        to its end, and is dropped.

        Raises:
            RerankError: and what else `rerank` raises, likewise.
        """
        asked = [arguments.asked(query, documents)]
        return (await self.arerank_all(asked, top_n=top_n, min_probability=min_probability))[0]

    async def arerank_all(
        self, requests: Iterable[Request], *, top_n: int | None = None, min_probability: float | None = None
    ) -> Sequence[Ranking]:
        """As `rerank_all` and `arerank`.

        Raises:
            RerankError: and what else `rerank` raises, likewise.
        """
        asked = arguments.requests(requests)
        work = partial(self.rerank_all, asked, top_n=top_n, min_probability=min_probability)
        # a thread of its own: those that the loop has would all wait here, and nothing else of the program's could run
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(copy_context().run, work))

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix=f"rr {self.name}")

    def _least(self, min_probability: float) -> float:
        """What was asked for, where there are probabilities at all: told before the work."""
        from rr_bench.calibrate.probable import checked_least

        least = checked_least(min_probability)
        self.probabilities(Ranking(Query("", ""), ()))
        return least


@explaining()
@using_home
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

    From here on, and as long as the reranker lives, `rr cache clean` takes nothing away.

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
    entry = find_entry(registry, plugins, name, profile)
    part = entries.whole(registry, plugins, profile, name, entry)
    if part.members and checkpoint is not None:
        raise RerankError(f"{name!r} is made of {', '.join(entry.members)}: say 'checkpoint' in their own entries")
    resolved: dict[str, Resolved] = {}
    for leaf in part.leaves:
        with of_member(leaf, part):
            resolved[leaf.name] = resolve(plugins, leaf.name, with_checkpoint(leaf.entry, checkpoint))
    data = load_dataset(dataset, registry.dataset(dataset)) if dataset else None
    if not part.members:
        return loaded_entry(resolved[name], _checkpoint(resolved[name], checkpoint, data, plugins))
    loaded: dict[str, NamedReranker] = {}
    known: dict[str, NamedReranker] = {}
    for leaf in part.leaves:
        with of_member(leaf, part):
            trained = _checkpoint(resolved[leaf.name], None, data if leaf.entry.has_weights_of_data else None, plugins)
            key = _key(resolved[leaf.name], trained)
            if key not in known:  # else it is loaded already, under another name
                known[key] = loaded_entry(resolved[leaf.name], trained)
        loaded[leaf.name] = replace(known[key], resolved=resolved[leaf.name])
    return _whole(part, loaded, data, registry)


def _checkpoint(
    resolved: Resolved, checkpoint: Path | str | None, data: Dataset | None, plugins: Plugins
) -> Checkpoint | None:
    """What an entry with a component is loaded from. `checkpoint`: what was given in place of the entry's own."""
    if data is None or checkpoint is not None or resolved.entry.checkpoint == "best":
        return chosen_checkpoint(plugins, resolved, data).checkpoint
    return _trained_on(data, resolved, plugins)


def loaded_entry(resolved: Resolved, trained: Checkpoint | None) -> NamedReranker:
    """An entry with a component, loaded. Raises RerankError: it would answer from random weights."""
    name, reranker = resolved.name, load_reranker(resolved, trained.folder if trained else None)
    if reranker.info.state == "untrained" and resolved.entry.checkpoint != "none":
        train = f"Run 'rr train {name} --dataset NAME', then give that data set or the checkpoint"
        mend = (
            train if resolved.entry.trainer is not None else "Name a model that is trained, or a checkpoint of this one"
        )
        raise RerankError(f"{name!r} is untrained: its scores would come from random weights. {mend}")
    return NamedReranker(resolved, trained, reranker)


def _key(resolved: Resolved, trained: Checkpoint | None) -> str:
    return fingerprint([reranker_key(resolved), trained.fingerprint() if trained else ""])


def _whole(part: Part, loaded: Mapping[str, NamedReranker], data: Dataset | None, registry: Registry) -> NamedReranker:
    """The loaded entries as the one that they make."""
    keys = {name: one.fingerprint() for name, one in loaded.items()}
    rerankers = {name: one.reranker for name, one in loaded.items()}
    weights = {name: one.weights for name, one in _found_weights(part, rerankers, keys, data, registry).items()}
    known = {
        name: Known(
            one.info,
            model_key(one.resolved, one.checkpoint.fingerprint() if one.checkpoint else ""),
            one.checkpoint.folder.absolute().name if one.checkpoint else "",
        )
        for name, one in loaded.items()
    }
    resolved = Resolved(part.name, part.entry, Composite, Settings())
    key = fingerprint([spelled(part), keys, weights, room_fingerprint("rr_bench.compose")])
    return NamedReranker(resolved, None, Composite(part, rerankers, known, weights), key)


def _found_weights(
    part: Part, rerankers: Mapping[str, Reranker], keys: Mapping[str, str], data: Dataset | None, registry: Registry
) -> dict[str, Found]:
    """What its fusions with `weights: dev` were found to weigh, or are now, by the leading metric of the data set's
    suite."""
    if not any(one.searched for one in part.parts):
        return {}
    if data is None:
        raise RerankError(f"{part.name!r} finds its weights on the dev split of a data set; name it with --dataset")
    measure = next(suite.metrics[0] for suite in registry.suites.values() if data.name in suite.datasets)
    return found_weights(part, shown(data), measure, keys, asks(part, rerankers))


def find_entry(registry: Registry, plugins: Plugins, name: str, profile: str | None) -> RerankerEntry:
    """The entry of that name; a RerankError where it failed, or nothing is called so."""
    return entries.usable(registry, plugins, profile, name)


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
