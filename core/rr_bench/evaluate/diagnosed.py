"""The doctor's verdict on a row: of its checkpoint's training, of the data, and of what it has just scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rr.diagnosis import Evidence
from rr.registry.plugins import Plugins
from rr.registry.resolve import target_name
from rr.types import Dataset, Request, float32
from rr_bench.doctor.diagnosis import Diagnosis, diagnose
from rr_bench.doctor.evidence import of_checkpoint, with_chosen
from rr_bench.resolve import Resolved
from rr_bench.train.checkpoints import Choice


def diagnosed(
    resolved: Resolved,
    dataset: Dataset,
    choice: Choice,
    diagnostics: Mapping[str, float],
    chosen: Sequence[int],
    plugins: Plugins,
) -> Diagnosis:
    """`diagnostics`, `chosen`: of the test queries."""
    evidence = of_checkpoint(choice.checkpoint) if choice.checkpoint else Evidence()
    here = replace(
        evidence,
        reranker=resolved.name,
        dataset=dataset.name,
        scorer=target_name(resolved.target),
        settings=resolved.settings.model_dump(mode="json"),
        data=dataset.report,
        diagnostics=with_chosen(diagnostics, chosen),
    )
    return diagnose(here, plugins)


def best(run: Mapping[str, float]) -> str:
    """The first of `trec_order`, without an order of all."""
    return max(zip(float32(run.values()), run, strict=True))[1]


def chosen_places(requests: Sequence[Request], runs: Mapping[str, Mapping[str, float]]) -> tuple[int, ...]:
    """Place among the candidates → how many queries' best one was shown there."""
    counts = [0] * max((len(request.candidates) for request in requests), default=0)
    for request in requests:
        if run := runs[request.query.id]:
            counts[[document.id for document in request.candidates].index(best(run))] += 1
    return tuple(counts)
