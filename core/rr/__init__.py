"""Rerank Registry: rerankers as plugins, trained and compared on the same data. The public names are these.

Each is imported when it is first used, so that `rr --help` and a plugin's `plugin.py` do not pay for the rest. `load`
and `bench` are the evaluator's, `rr_bench`: the one thing that this package reaches up for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rr.errors import DataError, NotApplicableError, PluginError, RegistryError, RerankError, ScoringError, nearest
    from rr.protocols import (
        Corpus,
        Exports,
        ModelInfo,
        Named,
        OnEvent,
        Precision,
        Reader,
        ReadsConfig,
        Reranker,
        Retriever,
        Scorer,
        Settings,
        Trainer,
        TrainingEvent,
    )
    from rr.spec import API, Component, hookimpl
    from rr.types import (
        Dataset,
        Document,
        HardNegative,
        Query,
        RankedDocument,
        Ranking,
        Request,
        Scale,
        Scores,
        State,
    )
    from rr_bench.api import load
    from rr_bench.evaluate.bench import bench

__all__ = [
    "API",
    "Component",
    "Corpus",
    "DataError",
    "Dataset",
    "Document",
    "Exports",
    "HardNegative",
    "ModelInfo",
    "Named",
    "NotApplicableError",
    "OnEvent",
    "PluginError",
    "Precision",
    "Query",
    "RankedDocument",
    "Ranking",
    "Reader",
    "ReadsConfig",
    "RegistryError",
    "Request",
    "RerankError",
    "Reranker",
    "Retriever",
    "Scale",
    "Scorer",
    "Scores",
    "ScoringError",
    "Settings",
    "State",
    "Trainer",
    "TrainingEvent",
    "bench",
    "hookimpl",
    "load",
    "nearest",
]

_MODULES = ("rr.errors", "rr.spec", "rr.types", "rr.protocols", "rr_bench.api", "rr_bench.evaluate.bench")
"""Where the public names live, the lightest first."""


def __getattr__(name: str) -> Any:
    for module in _MODULES if name in __all__ else ():
        found = vars(import_module(module)).get(name)
        if found is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module 'rr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
