"""What the first stage takes for a query: a figure of the data set, measured as a reranker's is."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from rr.border import plugin_code
from rr.errors import DataError
from rr.files import fingerprint, home
from rr.protocols import Corpus
from rr.registry.plugins import Plugins
from rr.registry.resolve import checked_settings
from rr.types import Dataset
from rr_bench.data.corpus import corpus_size
from rr_bench.data.gate import checked_first_stage
from rr_bench.environment import Conditions, conditions
from rr_bench.evaluate.cost import AT_LEAST, SECONDS, drawn
from rr_bench.keeping import nothing_kept, read_checked, write_checked
from rr_bench.keys import component_key, engines_of, settings_key
from rr_bench.registry import CandidatePlan

GIVEN = ("run", "given")
"""The retrievers that look up what the source brought along: whatever found that is not here to be timed."""


@dataclass(frozen=True)
class Retrieval:
    """Over `queries` test queries, one at a time, fitting left out."""

    ms_per_query: float
    ms_p95: float
    queries: int
    timed_on: Conditions


def stored_retrieval(plan: CandidatePlan, dataset: Dataset, plugins: Plugins) -> Retrieval | None:
    """From disk, or measured now with a retriever that is fitted anew on the whole corpus; None where there is nothing
    to be timed: a run that the source brought along, or a corpus that is not kept whole."""
    registered = plugins.get("retriever", plan.retriever)
    if registered.component.name in GIVEN or len(dataset.documents) < corpus_size(dataset):
        return None
    target = plugins.load("retriever", plan.retriever)
    where = f"data set {dataset.name!r}: candidates.options"
    settings = checked_settings(plugins, "retriever", plan.retriever, plan.options, where)
    key = fingerprint(
        [
            "first stage",
            component_key(target, registered, engines_of(settings)),
            settings_key(settings),
            dataset.fingerprint,
        ]
    )
    path = home() / "costs" / f"first-stage-{key[:32]}.json"
    stored = read_checked(path, key)
    if stored is not None:
        return Retrieval(**stored)
    try:
        found = _measured(target, settings, plan.retriever, dataset)
    except DataError:  # it needs of the source what a data set does not keep: its run
        return None
    write_checked(path, key, asdict(found))
    return found


def _measured(target: type, settings: object, name: str, dataset: Dataset) -> Retrieval:
    """
    Raises:
        DataError: it cannot be fitted on what is kept.
    """
    train = tuple((dataset.queries[q], tuple(sorted(dataset.relevant(q)))) for q in dataset.splits["train"])
    warm_up, asked = drawn(dataset.splits["test"])
    seconds: list[float] = []
    with plugin_code(f"retriever {name!r}"), conditions() as timed_on:
        retriever = target(settings)
        retriever.fit(Corpus(tuple(dataset.documents.values()), train))  # not timed: it may use what it keeps
        with nothing_kept():
            retriever.scores(dataset.queries[warm_up])
            for query_id in asked:
                started = time.perf_counter()
                answer = retriever.scores(dataset.queries[query_id])
                # it may be computed as it is read
                checked_first_stage(answer, dataset.documents, f"retriever {name!r}")
                seconds.append(time.perf_counter() - started)
                if sum(seconds) > SECONDS and len(seconds) >= AT_LEAST:
                    break
        found = timed_on()
    return Retrieval(1000 * median(seconds), 1000 * float(np.percentile(seconds, 95)), len(seconds), found)
