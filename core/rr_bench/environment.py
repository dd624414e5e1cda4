"""What a time depends on besides the work: the machine, the device that computes, the versions of what runs on it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

from rr.training.processes import processes

__version__ = version("rerank-registry")
REPORTED_VERSIONS = ("rerank-registry", "torch", "transformers", "peft", "sentence-transformers", "numpy")

Conditions = dict[str, str]
"""`machine` (platform, processor, cores), `threads`, `device`, and name → version of `REPORTED_VERSIONS` and python."""


def installed_versions() -> dict[str, str]:
    """The versions of the distributions that figures may depend on."""
    versions = {}
    for name in REPORTED_VERSIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def machine() -> str:
    """`x86_64, AMD EPYC 7B13, 2 cores`: the cores that this process may use."""
    return ", ".join(filter(None, (platform.machine(), _processor(), f"{cores()} cores")))


@contextmanager
def conditions() -> Iterator[Callable[[], Conditions]]:
    """What the block is timed on. The device is known when it has computed: a GPU where the block held memory on it."""
    _reset_peak()
    before = gpu_bytes()

    def found() -> Conditions:
        return {
            "machine": machine(),
            "threads": str(_threads()),
            "device": _device(gpu_bytes() > before),
            "python": platform.python_version(),
            **installed_versions(),
        }

    yield found


def gpu_bytes() -> int:
    """The most memory that tensors have held on the current GPU since `_reset_peak`; on Apple's, what they hold now."""
    torch = sys.modules.get("torch")
    if torch is None:
        return 0
    if torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    return int(torch.mps.current_allocated_memory()) if torch.backends.mps.is_available() else 0


def merged(timed_on: Sequence[Mapping[str, str]]) -> Conditions:
    """What several things were timed on; where that differs, each of it once."""
    names = dict.fromkeys(chain.from_iterable(timed_on))
    return {name: " / ".join(dict.fromkeys(one[name] for one in timed_on if name in one)) for name in names}


def _processor() -> str:
    """Its name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads() -> int:
    """Of torch, where anybody has loaded it; the core itself does not."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else int(os.environ.get("OMP_NUM_THREADS") or cores())


def _device(on_gpu: bool) -> str:
    name = _gpu_name() if on_gpu else "cpu"
    return name if processes() == 1 else f"{processes()} × {name}"


def _gpu_name() -> str:
    cuda = sys.modules["torch"].cuda
    return str(cuda.get_device_name()) if cuda.is_initialized() else "mps"


def _reset_peak() -> None:
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
