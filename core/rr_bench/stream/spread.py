"""The parts of a run scored by the actors of a Ray cluster. Ray Data carries them there and back, in the run's order:
one task reads the run, actors score what it has read, and no more is under way than they can take."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from rr import errors
from rr.errors import RerankError, summary
from rr.registry.plugins import installed_plugins
from rr_bench.api import NamedReranker, find_entry
from rr_bench.arguments import opened
from rr_bench.engine.cluster import capacity, connected
from rr_bench.engine.work import heard, place, stand
from rr_bench.entries import whole
from rr_bench.progress import SILENT
from rr_bench.registry import Registry
from rr_bench.registry_files import from_record, recordable
from rr_bench.schema import Resources, needed
from rr_bench.stream.lookup import collection
from rr_bench.stream.reranking import Candidates, Lines, Reranking, reranked

GB = 10**9
BLOCK = 1
"""Bytes that Ray Data packs together: a part stays by itself, so that it is on its way as soon as it is read."""
Batch = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """`address`: of the cluster (`rr_bench.engine.cluster.connected`). `loading`: what `rr_bench.api.load` is given on
    each actor, the registry as `rr_bench.registry_files.recordable` has it. `resources`: of an actor."""

    address: str
    loading: Mapping[str, Any]
    resources: Resources

    def parts(self, task: Reranking, done: int, fingerprint: str) -> Iterator[Lines]:
        """What is behind the run's first `done` queries, in order. `fingerprint`: of the reranker here, which must be
        that of the actors'.

        Raises:
            RerankError: Ray is not there, or the actors' reranker is another one, or it failed.
        """
        told = {"task": asdict(task), "done": done, "loading": dict(self.loading), "fingerprint": fingerprint}
        with connected(self.address), place(json.dumps(told)) as where:
            ray, data = import_module("ray"), import_module("ray.data")
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            dataset = data.from_items([{"part": ""}])
            dataset.context.target_max_block_size = BLOCK
            dataset.context.enable_progress_bars = False
            dataset.context.print_on_execution_start = False
            dataset.context.execution_options.preserve_order = True
            memory = self.resources.memory
            scored = dataset.map_batches(_read, fn_args=(where, told), num_cpus=0, batch_format="numpy").map_batches(
                _Scoring,
                fn_constructor_args=(where, told),
                batch_size=1,
                batch_format="numpy",
                compute=data.ActorPoolStrategy(size=capacity(self.resources)),
                num_cpus=self.resources.cpus,
                num_gpus=self.resources.gpus,
                memory=None if memory is None else int(memory * GB),
            )
            try:
                for row in scored.iter_rows():
                    yield _lines(json.loads(row["part"]))
            except ray.exceptions.RayError as error:
                raise RerankError(f"the Ray cluster gave up: {summary(error)}; what was finished is kept") from error


def spread_over(
    address: str,
    reranker: NamedReranker,
    registry: Path | str | Registry | None,
    profile: str | None,
    checkpoint: Path | str | None,
    dataset: str | None,
) -> Spread:
    """For a reranker that was loaded by these arguments of `rr_bench.api.load`."""
    found, plugins = opened(registry), installed_plugins()
    entry = find_entry(found, plugins, reranker.name, profile)
    leaves = whole(found, plugins, profile, reranker.name, entry).leaves
    loading = {
        "name": reranker.name,
        "checkpoint": None if checkpoint is None else str(checkpoint),
        "dataset": dataset,
        "profile": profile,
        "registry": recordable(found.model_dump(exclude_unset=True)),
    }
    return Spread(address, loading, needed([leaf.entry.resources for leaf in leaves]))


def _read(_: Batch, where: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Batch]:
    stand(where)
    for part in Reranking(**told["task"]).parts(told["done"]):
        yield {"part": np.array([json.dumps([asdict(one) for one in part])], dtype=object)}


class _Scoring:
    """An actor, which loads the model once. What goes wrong is told where the work was handed out."""

    def __init__(self, where: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        from rr_bench.api import load

        self._stack, self._task, self._refused = ExitStack(), Reranking(**told["task"]), dict[str, Any]()
        try:
            stand(where)
            loading = dict(told["loading"])
            loading["registry"] = Registry.model_validate(from_record(loading["registry"]))
            self._reranker = load(**loading)
            if self._reranker.fingerprint() != told["fingerprint"]:
                raise RerankError(
                    f"a worker computes {self._reranker.name!r} otherwise than this machine: it has another device, "
                    "other releases, code or files; start this on a machine like the workers"
                )
            self._texts = self._stack.enter_context(collection(Path(self._task.data), SILENT))
        except Exception as error:  # noqa: BLE001 - it is raised again there
            self._refused = _error(error)

    def __call__(self, batch: Batch) -> Batch:
        return {"part": np.array([json.dumps(self._answer(part)) for part in batch["part"]], dtype=object)}

    def _answer(self, part: str) -> dict[str, Any]:
        if self._refused:
            return self._refused
        asked = [
            Candidates(one["query"], tuple(one["documents"]), tuple(one["scores"]), one["place"])
            for one in json.loads(part)
        ]
        with heard() as said:
            try:
                return {"lines": asdict(reranked(self._reranker, asked, *self._texts, self._task)), "said": said}
            except Exception as error:  # noqa: BLE001 - likewise
                return _error(error)


def _error(error: Exception) -> dict[str, Any]:
    known = isinstance(error, RerankError)
    return {"error": type(error).__name__ if known else "RerankError", "text": str(error) if known else summary(error)}


def _lines(answer: Mapping[str, Any]) -> Lines:
    if "error" in answer:
        raise getattr(errors, answer["error"], RerankError)(answer["text"])
    for level, text in answer["said"]:
        logging.getLogger("rr").log(level, "%s", text)
    return Lines(answer["lines"]["text"], answer["lines"]["queries"], tuple(answer["lines"]["empty"]))
