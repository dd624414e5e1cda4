"""What would raise a low recall ceiling: the first stage is asked again, with other settings."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rr.registry.plugins import Plugins, installed_plugins
from rr.registry.resolve import settings_model
from rr.types import Dataset
from rr_bench.data.load import keyed_component, read_collection
from rr_bench.data.prepare import first_stage_lists
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import CandidatePlan, DatasetEntry

LOW = 0.9
"""A ceiling below this is worth a hint."""
MOST_DOCUMENTS = 200_000
"""In a corpus of more, the first stage takes too long to be asked again for a hint."""
MOST_QUERIES = 1_000
"""Of the split, drawn with a seed."""
DEEPER = (2, 5, 10)
"""Times the depth."""
GAIN = 0.01
"""What a setting must raise the ceiling by, to be named."""


@dataclass(frozen=True)
class Hint:
    """What the ceiling of a split would be with other settings under `candidates:`. `now`: over the same queries."""

    split: str
    candidates: Mapping[str, Any]
    now: float
    ceiling: float
    queries: int

    def __str__(self) -> str:
        settings = ", ".join(_spelled(key, value) for key, value in self.candidates.items())
        return (
            f"{self.split}: the recall ceiling of {self.now:.3f} would be {self.ceiling:.3f} "
            f"with candidates: {{{settings}}} (over {self.queries} queries)"
        )


def ceiling_hints(
    dataset: Dataset, entry: DatasetEntry, progress: Progress = SILENT, plugins: Plugins | None = None
) -> list[Hint]:
    """Settings that raise the recall ceiling: deeper lists, and folded accents where the first stage can; none where
    the ceiling is not low, the corpus is large, or the candidates are the oracle's.
    Ceilings are of the test split, as those in tables are, or of train where nothing is tested."""
    plan, plugins = entry.candidates, plugins or installed_plugins()
    split = "test" if dataset.splits["test"] else "train"
    if plan.protocol == "oracle" or dataset.recall_ceiling(split) >= LOW or len(dataset.documents) > MOST_DOCUMENTS:
        return []
    depths = [plan.depth, *(plan.depth * times for times in DEEPER)]
    query_ids = list(dataset.splits[split])
    if len(query_ids) > MOST_QUERIES:
        query_ids = random.Random(plan.seed).sample(query_ids, MOST_QUERIES)
    collection = read_collection(entry, plugins)
    ceilings: dict[tuple[int, bool], float] = {}
    for folding in _foldings(plugins, plan):
        options = {**plan.options, **({"fold_accents": True} if folding else {})}
        asked = plan.model_copy(update={"options": options, "depth": depths[-1], "order": "retriever"})
        retriever, _ = keyed_component(plugins, "retriever", plan.retriever, options, "candidates.options")
        with progress.task(f"{dataset.name}: hints{', accents folded' if folding else ''}", len(query_ids)) as advance:
            lists = first_stage_lists(collection, query_ids, dataset.splits["train"], retriever, asked, advance)
        for depth in depths:
            found = {query_id: tuple(ids[:depth]) for query_id, ids in lists.items()}
            asked_of = replace(dataset, splits={split: tuple(found)}, candidates=found)
            ceilings[depth, folding] = asked_of.recall_ceiling(split)
    now, best = ceilings[plan.depth, False], -1.0
    hints = []
    for (depth, folding), ceiling in sorted(ceilings.items(), key=lambda one: (one[0][0], not one[0][1])):
        changed = {
            **({"depth": depth} if depth != plan.depth else {}),
            **({"options": {"fold_accents": True}} if folding else {}),
        }
        if changed and ceiling >= now + GAIN and ceiling >= best + GAIN:
            best = ceiling
            hints.append(Hint(split, changed, now, ceiling, len(query_ids)))
    return hints


def _foldings(plugins: Plugins, plan: CandidatePlan) -> tuple[bool, ...]:
    """Whether accents are folded: as it is, and then as they could be, if the first stage has that setting."""
    model = settings_model(plugins, "retriever", plan.retriever)
    can = "fold_accents" in model.model_fields and not plan.options.get("fold_accents")
    return (False, True) if can else (False,)


def _spelled(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{key}: {{{', '.join(_spelled(*one) for one in value.items())}}}"
    return f"{key}: {str(value).lower() if isinstance(value, bool) else value}"
