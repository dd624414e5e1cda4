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
    from rr_bench.public import *  # noqa: F403

_PROTOCOLS = ["Corpus", "Exports", "ModelInfo", "Named", "OnEvent", "Precision", "Reader", "ReadsConfig", "Reranker"]
_PROTOCOLS += ["Recognises", "Requalifies", "Retriever", "Scorer", "Searches", "Settings", "Trainer", "TrainingEvent"]
_LAZY = {"bench": "rr_bench.evaluate.bench", "evaluate": "rr_bench.api_evaluate", "train": "rr_bench.api_train"}
_LAZY |= {"NamedReranker": "rr_bench.api", "load": "rr_bench.api", "__version__": "rr_bench.environment"}
_LAZY |= dict.fromkeys(["Evidence", "Finding", "Verdict"], "rr.diagnosis") | dict.fromkeys(_PROTOCOLS, "rr.protocols")
__all__ = [*errors.__all__, *spec.__all__, *types.__all__, *_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rr' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
