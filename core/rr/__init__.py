"""Rerank Registry: rerankers as plugins, trained and compared on the same data. The public names are these.

Each is imported when it is first used, so that `rr --help` and a plugin's `plugin.py` do not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rr.api import bench, load
    from rr.errors import DataError, NotApplicableError, PluginError, RegistryError, RerankError, ScoringError
    from rr.hookspecs import Component, hookimpl
    from rr.protocols import ModelInfo, OnEvent, Reranker, Scorer, Settings, Trainer, TrainingEvent
    from rr.types import Dataset, Document, HardNegative, Query, RankedDocument, Ranking, Request, Scores

__all__ = [
    "Component",
    "DataError",
    "Dataset",
    "Document",
    "HardNegative",
    "ModelInfo",
    "NotApplicableError",
    "OnEvent",
    "PluginError",
    "Query",
    "RankedDocument",
    "Ranking",
    "RegistryError",
    "Request",
    "RerankError",
    "Reranker",
    "Scorer",
    "Scores",
    "ScoringError",
    "Settings",
    "Trainer",
    "TrainingEvent",
    "bench",
    "hookimpl",
    "load",
]

_MODULES = ("errors", "hookspecs", "types", "protocols", "api")
"""Where the public names live, the lightest first."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = vars(import_module(f"rr.{module}")).get(name)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'rr' has no attribute {name!r}")
