"""Rerank Registry: rerankers as plugins, trained and compared on the same data. The public names are these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rr.errors import DataError, PluginError, RegistryError, RerankError, ScoringError
from rr.hookspecs import Component, hookimpl
from rr.protocols import ModelInfo, OnEvent, Reranker, Scorer, Settings, Trainer, TrainingEvent
from rr.types import (
    Dataset,
    Document,
    HardNegative,
    Query,
    RankedDocument,
    Ranking,
    Request,
    Scores,
)

if TYPE_CHECKING:
    from rr.api import bench, load

__all__ = [
    "Component",
    "DataError",
    "Dataset",
    "Document",
    "HardNegative",
    "ModelInfo",
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


def __getattr__(name: str) -> Any:
    # `load` and `bench` pull in numpy and more; a plugin.py that only needs `Component` must not pay for it
    if name in ("bench", "load"):
        from rr import api

        return getattr(api, name)
    raise AttributeError(f"module 'rr' has no attribute {name!r}")
