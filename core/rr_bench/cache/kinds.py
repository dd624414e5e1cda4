"""The folders of `$RR_HOME`, and how what rr puts into them is called: all of it carries a fingerprint in its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class KindOf:
    """`summary`: in a few words what lies there. `again`: whether rr makes it anew when it is missed. `name`: of what
    is ours."""

    summary: str
    again: bool = True
    name: re.Pattern[str] = FINGERPRINT


KINDS: dict[str, KindOf] = {
    "checkpoints": KindOf("trained weights, trainings that were interrupted or failed"),
    "data": KindOf("prepared data sets"),
    "scores": KindOf("scores of benches"),
    "pairs": KindOf("scores of pairs, for other data sets"),
    "embeddings": KindOf("vectors of texts"),
    "dense": KindOf("vectors and graphs of first stages"),
    "indexes": KindOf("places in files that are reranked"),
    "exports": KindOf("models for other engines"),
    "costs": KindOf("measured times"),
    "probes": KindOf("answers to probes"),
    "weights": KindOf("weights of fusions"),
    "sources": KindOf("fingerprints of source files"),
    "stores": KindOf("homes of workers that share a store"),
    "http": KindOf("answers of remote models, which cost money", again=False, name=re.compile(r"\.?[0-9a-f]{2}")),
    "calibrations": KindOf("fitted probabilities", again=False),
    "checks": KindOf("results of rr check", again=False),
    "sweeps": KindOf("trials of rr sweep", again=False),
    "runs": KindOf("runs of benches", again=False, name=re.compile(r"runs\.sqlite")),
}
"""Name of the folder → what it is; the largest first, as a rule."""
OTHERS = ("locks",)
"""Folders of ours with nothing to take away."""
