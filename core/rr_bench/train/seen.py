"""What a checkpoint has seen of the queries that it is tested on, where it was trained on another data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rr.errors import DataError
from rr.files import home
from rr.types import Dataset
from rr_bench.data.overlap import shared_queries
from rr_bench.data.store import read_dataset


def seen_queries(data: Mapping[str, Any], dataset: Dataset) -> tuple[str, ...]:
    """A remark on the test queries that the training data ask too: by text, nearly, and by id. `data`: of the
    checkpoint's record. The training data are looked for among the prepared ones in `$RR_HOME`."""
    if data["fingerprint"] == dataset.fingerprint or not dataset.splits["test"]:
        return ()
    trained = _kept(str(data["fingerprint"]))
    if trained is None:
        return (f"{data['name']}, which it was trained on, is not kept here: its overlap with test is not known",)
    counts = shared_queries(trained, dataset)
    if not any(counts.values()):
        return ()
    told = (
        f"{counts['equal']} by text, {counts['near']} more but for case, accents, punctuation or the order of words, "
        f"{counts['id']} by id"
    )
    return (f"of {len(dataset.splits['test'])} test queries {data['name']}, which it was trained on, asks {told}",)


def _kept(fingerprint: str) -> Dataset | None:
    for folder in sorted((home() / "data").glob("[!.]*")):
        try:
            if json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["fingerprint"] == fingerprint:
                return read_dataset(folder)
        except (OSError, ValueError, KeyError, TypeError, DataError):  # damaged, or another's: it is not known
            continue
    return None
