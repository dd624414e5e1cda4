"""Rerank Registry: rerankers as plugins, trained and compared on the same data. The public names are these; what takes
long to import is imported when it is used. Of the evaluator, `rr_bench`, this package reaches up for these alone."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rr import errors, spec, types
from rr.errors import *  # noqa: F403 - each says in `__all__` what is public of it
from rr.spec import *  # noqa: F403
from rr.types import *  # noqa: F403

if TYPE_CHECKING:
    from rr.diagnosis import *  # noqa: F403
    from rr.protocols import *  # noqa: F403
    from rr_bench.api import load as load
    from rr_bench.evaluate.bench import bench as bench

_PROTOCOLS = ["Corpus", "Exports", "ModelInfo", "Named", "OnEvent", "Precision", "Reader", "ReadsConfig", "Reranker"]
_PROTOCOLS += ["Recognises", "Requalifies", "Retriever", "Scorer", "Searches", "Settings", "Trainer", "TrainingEvent"]
_LAZY = {"load": "rr_bench.api", "bench": "rr_bench.evaluate.bench", **dict.fromkeys(_PROTOCOLS, "rr.protocols")}
_LAZY |= dict.fromkeys(["Evidence", "Finding", "Verdict"], "rr.diagnosis")
__all__ = [*errors.__all__, *spec.__all__, *types.__all__, *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rr' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
