"""What authors of plugins may use: its names and signatures are frozen in api.txt, so that a change of one is meant."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import rr_torch

FROZEN = Path(__file__).with_name("api.txt")
PACKAGES = ("rr", "rr.data", "rr.training", "rr.measures", "rr.files", "rr.testing")


def described(name: str, found: Any) -> list[str]:
    if isinstance(found, type):
        lines = [f"class {name}"]
        if issubclass(found, BaseModel):
            lines += [f"  {key}: {field.annotation}" for key, field in found.model_fields.items()]
        elif "__init__" in vars(found) and not getattr(found, "_is_protocol", False):
            lines[0] += str(inspect.signature(found)).removesuffix(" -> None")
        lines += [
            f"  {key}{inspect.signature(getattr(value, '__func__', value))}"
            for key, value in vars(found).items()
            if not key.startswith("_") and (inspect.isfunction(value) or isinstance(value, classmethod))
        ]
        return lines + [f"  {key}" for key, value in vars(found).items() if isinstance(value, property)]
    return [f"{name}{inspect.signature(found)}" if inspect.isfunction(found) else f"{name}: {type(found).__name__}"]


def surface() -> str:
    lines = []
    for package in PACKAGES:
        module = import_module(package)
        assert sorted(module.__all__) == sorted(set(module.__all__))
        lines.append(f"{package}\n")
        for name in sorted(module.__all__):
            lines += [f"  {line}" for line in described(name, getattr(module, name))]
        lines.append("")
    lines += ["rr_torch (provisional: its names alone)\n", *(f"  {name}" for name in sorted(rr_torch.__all__)), ""]
    return re.sub(r" at 0x[0-9a-f]+", "", "\n".join(lines))


def test_the_surface_is_the_frozen_one() -> None:
    """Where a change is meant: `python -m tests.core.test_api` writes the file anew, CHANGELOG says what changed, and a
    name that goes stays as an alias until the next `rr.API`."""
    assert surface() == FROZEN.read_text(encoding="utf-8")


def test_dir_tells_the_public_names() -> None:
    import rr

    assert dir(rr) == sorted(rr.__all__)
    assert {getattr(rr_torch, name) is not None for name in dir(rr_torch)} == {True}


if __name__ == "__main__":
    FROZEN.write_text(surface(), encoding="utf-8")
