"""The name of a new distribution, which becomes a folder, a package, classes and a component: checked before any is."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

from rr.errors import RerankError
from rr.registry.plugins import Plugins

LONGEST = 36
"""Characters; the lines of the template that hold a name fit into 120 with one as long."""
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
TAKEN = ("conftest", "server", "src", "tests")
"""Modules of the template's own."""


@dataclass(frozen=True, slots=True)
class Naming:
    """`name`: of the distribution and of its component (`my-words`); `module`: `my_words`; `base`: what its classes'
    names begin with, `MyWords`."""

    name: str
    module: str
    base: str


def naming(name: str, kind: str, plugins: Plugins) -> Naming:
    """
    Raises:
        RerankError: no distribution or package can be called so, or something installed is.
    """
    if len(name) > LONGEST:
        raise RerankError(f"the name {name[:20]!r}… is longer than {LONGEST} characters; shorten it")
    if not NAME.fullmatch(name):
        fit = "-".join(re.findall(r"[a-z0-9]+", name.lower()))
        mend = f"write {fit!r}" if NAME.fullmatch(fit) else "begin with a letter"
        raise RerankError(f"the name {name!r} is not one of small letters and digits, joined by single '-'; {mend}")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in TAKEN:
        raise RerankError(f"the name {name!r} is taken: Python or the template has a module {module!r}; choose another")
    if (holder := _holder(name, module)) is not None:
        raise RerankError(f"the name {name!r} is taken: {holder} is installed; choose another, or uninstall it")
    for one in ("scorer", "reranker", "trainer", "reader"):
        for registered in plugins.of_kind(one):
            if registered.component.name == name:
                raise RerankError(
                    f"the name {name!r} is taken: {registered.distribution} has a {one} of that name; choose another"
                )
    base = "".join(part.capitalize() for part in name.split("-"))
    return Naming(name, module, base.removesuffix(kind.capitalize()))


def _holder(name: str, module: str) -> str | None:
    """What is installed under the name."""
    try:
        return f"the distribution {distribution(name).name}"
    except PackageNotFoundError:
        found = find_spec(module)
    # a folder that happens to lie in the working folder is none
    return f"a module {module}" if found is not None and found.origin is not None else None
