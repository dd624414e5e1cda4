"""Fingerprints: of values, files, folders and code."""

import hashlib
import json
import os
import platform
from collections.abc import Collection
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path, PurePath

from rr.errors import RerankError

LEFT_BESIDE = ("__pycache__", "*.py[co]", "*~", ".*.sw?", ".#*", ".DS_Store", ".git", ".ipynb_checkpoints")


def fingerprint(value: object) -> str:
    """SHA-256 of a JSON-able value; equal values have equal fingerprints whatever their key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_fingerprint(folder: Path, pattern: str = "*", exclude: Collection[str] = ()) -> str:
    """SHA-256 over the names and contents of a folder's files, so that a change of any byte shows. `exclude`: names of
    files that do not count."""
    files = [f for f in files_below(folder) if fnmatch(f.name, pattern) and f.name not in exclude]
    names = [str(file.relative_to(folder)).encode(errors="backslashreplace").decode() for file in files]
    return fingerprint(dict(zip(names, map(file_sha256, files), strict=True)))


def files_below(folder: Path) -> list[Path]:
    """A folder's files that count, those behind links to folders too, in the order of their names."""
    found, seen = list[Path](), set[Path]()

    def failed(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=failed, followlinks=True):
        real = Path(place).resolve()
        if real in seen:  # a link to a folder around it
            folders.clear()
            continue
        seen.add(real)
        found += [Path(place, name) for name in names if counts(Path(name)) and Path(place, name).is_file()]
        folders[:] = [name for name in folders if counts(Path(name))]
    return sorted(found)


def counts(path: PurePath) -> bool:
    """Whether a file says anything: not what Python, an editor or a file manager leaves beside it."""
    return not any(fnmatch(part, pattern) for part in path.parts for pattern in LEFT_BESIDE)


def chosen_device() -> str:
    """Where torch computes here, as torch calls it: `$RR_DEVICE` (cpu, cuda, cuda:1, mps), or `auto`, the first GPU (of
    several processes each its own), else the CPU. Raises RerankError: there is no such device."""
    torch, asked = import_module("torch"), os.environ.get("RR_DEVICE") or "auto"
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    there, own = ["cpu", *gpus, *["mps"] * torch.backends.mps.is_available()], os.environ.get("LOCAL_RANK", "0")
    found = {"auto": f"cuda:{own}" if gpus else "cpu", "cuda": f"cuda:{own}"}.get(asked, asked)
    if found not in there:
        raise RerankError(f"device {asked!r}: there is no such device here; one of {', '.join(there)} or auto")
    return found


def device_name() -> str:
    """What torch computes on here, by its make: the same weights score otherwise on another one. It loads torch, so it
    is for those who have it anyway. Raises RerankError: there is no device that is called as `$RR_DEVICE` says."""
    kind, _, number = chosen_device().partition(":")
    return str(import_module("torch").cuda.get_device_name(int(number))) if number else f"{kind} {platform.machine()}"
