"""Rerank Registry: rerankers as plugins, trained and compared on the same data. The public names are these.

`load` and `bench` are the evaluator's, `rr_bench`: the one thing that this package reaches up for, when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rr import errors, protocols, spec, types
from rr.errors import *  # noqa: F403 - each of the four says in `__all__` what is public of it
from rr.protocols import *  # noqa: F403
from rr.spec import *  # noqa: F403
from rr.types import *  # noqa: F403

if TYPE_CHECKING:
    from rr_bench.api import load
    from rr_bench.evaluate.bench import bench

__all__ = ["bench", "load"]
__all__ += errors.__all__
__all__ += protocols.__all__
__all__ += spec.__all__
__all__ += types.__all__

_LAZY = {"load": "rr_bench.api", "bench": "rr_bench.evaluate.bench"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rr' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
