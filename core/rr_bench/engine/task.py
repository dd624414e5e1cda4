"""A piece of work that can be done anywhere, and what became of it: plain data both, as JSON has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rr.files import home, kept
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
        made = None if kept.made_anew is None else names_of(kept.made_anew)
        return {"function": self.function, "arguments": dict(self.arguments), "made_anew": made}


@dataclass(frozen=True)
class Outcome:
    """`failed`: the work broke, as it would have anywhere; `inapplicable`: there is nothing to do here
    (`rr.errors.NotApplicableError`); `lost`: nobody knows, since its worker is gone. `made`: what was
    made anew, where that was asked for (`rr_bench.keeping.anew`), as `names_of` has it. `said`: level and text of what
    was logged meanwhile."""

    state: State
    value: Any = None
    reason: str = ""
    traceback: str = ""
    made: list[str] = field(default_factory=list)
    said: list[tuple[int, str]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def names_of(paths: Iterable[Path]) -> list[str]:
    """What is kept as others know it, whose `$RR_HOME` may be another: the paths below it."""
    return sorted(str(path.relative_to(home())) for path in paths if path.is_relative_to(home()))


def made_elsewhere(names: Iterable[str]) -> None:
    """Notes what others have made anew, by `names_of`: it is not made once more."""
    for path in map(home().joinpath, names):
        if kept.made_anew is not None:
            kept.made_anew.add(path)
        if kept.elsewhere is not None:
            kept.elsewhere.renew(path)
