"""The page of a check, as docs/doctor has it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rr.errors import RerankError, nearest
from rr.registry.plugins import Plugins
from rr_bench.doctor.diagnosis import CORE


def page(check: str, plugins: Plugins) -> str:
    """What there is to read about a check; of a plugin without a page its summary and its docstring.

    Raises:
        RerankError: no check is called so.
    """
    names = [*CORE, "overfit", *(one.component.name for one in plugins.of_kind("check"))]
    if check not in names:
        raise RerankError(f"no check is called {check!r}{nearest(check, names)}")
    packaged = Path(str(files("rr_bench"))) / "doctor" / "pages"
    folder = packaged if packaged.is_dir() else Path(__file__).parents[3] / "docs" / "doctor"
    path = folder / f"{check}.md"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    summary = plugins.get("check", check).component.summary
    return f"# {check}\n\n{summary}\n\n{plugins.load('check', check).__doc__ or ''}".rstrip() + "\n"
