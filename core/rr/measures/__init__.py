"""Metrics: a run and judgements in, one value a query out."""

from __future__ import annotations

from rr.measures.metrics import METRICS, Metric, evaluate, metric
from rr.measures.population import population

__all__ = ["METRICS", "Metric", "evaluate", "metric", "population"]
