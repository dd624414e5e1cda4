"""Measures of rankings: their names, what they are given, and the queries that they are a mean over. The formulas are
plugins (`rr_register_measures`), ours in `rr_measures`. numpy is loaded when something is measured."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rr.measures.names import Metric, Population, metric, population

if TYPE_CHECKING:
    from rr.measures.rankings import UNJUDGED, Rankings, evaluate, evaluate_all

__all__ = ["UNJUDGED", "Metric", "Population", "Rankings", "evaluate", "evaluate_all", "metric", "population"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rr.measures' has no attribute {name!r}")
    return getattr(import_module("rr.measures.rankings"), name)
