"""The hook specs. A plugin implements any of them with `@rr.hookimpl` and is found by the entry point group
`rr.plugins`. Registration is cheap: a row names its class as text, and nothing heavy is imported until it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pluggy

PROJECT = "rr"
Kind = Literal["scorer", "reranker", "trainer"]

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class Component:
    """One implementation that a plugin offers.

    `name`: unique among the components of its kind. `target`: `"package.module:Class"`. `summary`: one line for
    `rr list`. `requires`: the distributions without which loading fails, named in the error that says so.
    """

    name: str
    target: str
    summary: str
    requires: tuple[str, ...] = ()


@hookspec
def rr_register_scorers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Return the scorers of this plugin (see `rr.protocols.Scorer`)."""


@hookspec
def rr_register_rerankers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Return the rerankers of this plugin (see `rr.protocols.Reranker`)."""


@hookspec
def rr_register_trainers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Return the trainers of this plugin (see `rr.protocols.Trainer`)."""
