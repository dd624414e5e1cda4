"""The common evaluator and the command line: it trains rerankers, and compares them on the same data."""

from rr.border import guard_with
from rr_bench.border import Guarded

guard_with(Guarded())
