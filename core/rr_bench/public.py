"""What `rr` shows of this package, for whoever checks types; `rr` itself imports each where it is used."""

from rr_bench.api import NamedReranker, load
from rr_bench.api_evaluate import evaluate
from rr_bench.api_train import train
from rr_bench.environment import __version__
from rr_bench.evaluate.bench import bench

__all__ = ["NamedReranker", "__version__", "bench", "evaluate", "load", "train"]
