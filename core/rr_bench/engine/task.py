"""A piece of work that can be done anywhere, and what became of it: plain data both, as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rr.files import kept
from rr_bench.schema import Resources

ANY = Resources.model_validate({})
State = Literal["done", "failed", "inapplicable", "lost"]


@dataclass(frozen=True)
class Task:
    """`function(**arguments)`, done by a worker. `name`: as people are told of it, and unlike all others'. `group`:
    tasks of one group are best done by one worker, which has loaded what they need."""

    name: str
    function: str
    """`package.module:function`, which takes and gives plain data."""
    arguments: Mapping[str, Any]
    group: str = ""
    resources: Resources = ANY

    def plain(self) -> dict[str, Any]:
        """What `rr_bench.engine.work.do` takes, with all that was made anew until now."""
        made = None if kept.made_anew is None else sorted(map(str, kept.made_anew))
        return {"function": self.function, "arguments": dict(self.arguments), "made_anew": made}


@dataclass(frozen=True)
class Outcome:
    """`failed`: the work broke, as it would have anywhere; `inapplicable`: there is nothing to do here
    (`rr.errors.NotApplicableError`); `lost`: nobody knows, since its worker is gone. `made`: the paths below
    `$RR_HOME` that were made anew, where that was asked for (`rr_bench.keeping.anew`). `said`: level and text of what
    was logged meanwhile."""

    state: State
    value: Any = None
    reason: str = ""
    traceback: str = ""
    made: list[str] = field(default_factory=list)
    said: list[tuple[int, str]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        return asdict(self)
