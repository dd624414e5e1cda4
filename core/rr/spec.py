"""The hook specs. A plugin implements any of them with `@rr.hookimpl` and is found by the entry point group
`rr.plugins`. Registration is cheap: a row names its class as text, and nothing heavy is imported until it is used."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pluggy

__all__ = ["API", "Component", "hookimpl"]

PROJECT = "rr"
API = 1
"""The version of all that authors of plugins use. It grows when something is added; what is renamed stays under its old
name until the next one."""
Kind = Literal["scorer", "reranker", "trainer", "reader", "retriever", "command", "check", "measure"]
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class Component:
    """One implementation that a plugin offers."""

    name: str
    """Unique among the components of its kind: small letters, digits, `_`, `.` and `-`. Of a command, the words that
    follow `rr` (`data weights`); of a measure, letters of any kind, digits and `_` (`nDCG`)."""
    target: str
    """`"package.module:Class"`; of a command, a check or a measure, a function."""
    summary: str
    """One line for `rr list`."""
    requires: tuple[str, ...] = ()
    """PEP 508 requirements without which loading fails, named in the error that says so. Their releases are part of the
    key of what the component computes."""
    settings: str = ""
    """`"package.module:Class"` of its settings, in a module that imports nothing heavy: they are then checked before
    anything is loaded. Empty: the target's own `Settings`, which are checked when it is imported."""
    uses: tuple[str, ...] = ()
    """Packages outside the component's distribution whose code decides what it computes (`rr_torch`)."""
    trains: str = ""
    """Of a trainer: the name of the scorer that loads what it writes."""
    api: int = API
    """The `rr.API` that it was written for; a newer one than this program's is refused."""


class Hooks:
    """What a plugin may implement, each as a function of its module: its components of one kind."""

    @hookspec
    def rr_register_scorers(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """See `rr.Scorer`."""

    @hookspec
    def rr_register_rerankers(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """See `rr.Reranker`."""

    @hookspec
    def rr_register_trainers(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """See `rr.Trainer`."""

    @hookspec
    def rr_register_readers(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """See `rr.Reader`; what generates data is one, too."""

    @hookspec
    def rr_register_retrievers(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """See `rr.Retriever`."""

    @hookspec
    def rr_register_commands(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """Sub-commands of `rr` that belong to this plugin: functions as typer takes them."""

    @hookspec
    def rr_register_checks(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """Functions that `rr doctor` asks, `(Evidence) -> Finding | None`: None where there is nothing to say of it
        (`rr.Evidence`, `rr.Finding`)."""

    @hookspec
    def rr_register_measures(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """Functions `(rr.measures.Rankings, settings)` that give an array of one value a query, from 0 to 1. The
        settings are the measure's parameters; `cutoff` is the one behind the @."""
