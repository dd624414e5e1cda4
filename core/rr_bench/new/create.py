"""Writes a distribution from the template."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Literal

from rr.errors import RerankError
from rr.files import atomic_folder
from rr.registry.plugins import OURS
from rr_bench.new.naming import Naming

TEMPLATE = Path(__file__).with_name("template")
NewKind = Literal["scorer", "listwise", "trainer", "reader", "http"]
SUMMARIES: dict[str, str] = {
    "scorer": "The share of the query's words that a document has",
    "listwise": "The query's words that a document has, by how few others of the list have them",
    "trainer": "A few features of a query and a document, weighed as a training found best",
    "reader": "Questions with their answers, a JSON object a line",
    "http": "Scores that a remote API gives",
}
"""Kind → what its implementation does as generated, in the line that `rr list` shows."""


def create(naming: Naming, kind: NewKind, out: Path) -> list[Path]:
    """Writes the distribution into the new folder `out`, whole or not at all. Nothing of the template is run, and
    nothing is fetched. The files, relative to `out`.

    Raises:
        RerankError: copier is not installed.
    """
    try:
        from copier import Settings, run_copy
    except ImportError as error:
        raise RerankError(f"rr new needs copier; install with: pip install '{OURS}[new]'") from error
    data = {"name": naming.name, "module": naming.module, "base": naming.base, "kind": kind}
    data |= {"summary": SUMMARIES[kind], "version": version(OURS)}
    with atomic_folder(out) as folder:
        for layer in ("common", kind):
            answers = {**data, "layer": layer}
            # of settings of its own: what the user's file of copier's trusts is no matter here
            run_copy(str(TEMPLATE), folder, answers, defaults=True, quiet=True, unsafe=False, settings=Settings())
        return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
