"""What `rr check` found last of what an entry names: kept, and told as long as its code is the one that was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rr.files import fingerprint, home
from rr.protocols import ModelInfo
from rr.registry.plugins import Plugins, Registered
from rr_bench.code import code_fingerprint
from rr_bench.keeping import read_checked, write_checked
from rr_bench.outputs import as_file_name
from rr_bench.schema import RerankerEntry

Found = Mapping[str, str]
"""Check → verdict."""


@dataclass(frozen=True)
class Conformance:
    """`bad`: the checks that failed, `checks`: how many applied. `capabilities`: what the loaded component said of
    itself. `stale`: the code is another one by now."""

    checks: int
    bad: tuple[str, ...]
    finished: str
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    stale: bool = False

    def __str__(self) -> str:
        said = (
            f"{len(self.bad)} of {self.checks} failed: {', '.join(self.bad)}" if self.bad else f"{self.checks} passed"
        )
        return f"{said}, {self.finished[:10]}{', of other code than today' if self.stale else ''}"


def capabilities(info: ModelInfo) -> dict[str, Any]:
    """What a loaded component says of itself, for whoever chooses one."""
    asked = {"scale": info.scale, "listwise": info.listwise, "max_candidates": info.max_candidates}
    return {**asked, "state": info.state, "precision": info.precision}


def keep_conformance(
    plugins: Plugins, entry: RerankerEntry, checks: int, bad: Sequence[str], capabilities: Mapping[str, Any]
) -> None:
    """For `last_conformance`, in place of what was kept of the same entry."""
    content = {
        "checks": checks,
        "bad": list(bad),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "capabilities": dict(capabilities),
        "code": _code(plugins, entry),
    }
    write_checked(*_place(plugins, entry), content)


def last_conformance(plugins: Plugins, entry: RerankerEntry) -> Conformance | None:
    """None: it was never checked here."""
    found = read_checked(*_place(plugins, entry))
    if found is None:
        return None
    stale = found.pop("code") != _code(plugins, entry)
    return Conformance(found["checks"], tuple(found["bad"]), found["finished"], found["capabilities"], stale)


def _place(plugins: Plugins, entry: RerankerEntry) -> tuple[Path, str]:
    asked = entry.model_dump(mode="json", include={"settings", "training"})
    key = fingerprint([[_called(one) for one in _registered(plugins, entry)], asked])
    name = as_file_name(entry.component[1])
    return home() / "checks" / f"{name}-{key[:16]}.json", key


def _code(plugins: Plugins, entry: RerankerEntry) -> list[str]:
    """Of what the entry names, found without an import of it."""
    return [code_fingerprint(one.component.target.partition(":")[0]) for one in _registered(plugins, entry)]


def _registered(plugins: Plugins, entry: RerankerEntry) -> list[Registered]:
    found = [plugins.get(*entry.component)]
    return [*found, plugins.get("trainer", entry.trainer)] if entry.trainer else found


def _called(one: Registered) -> list[str]:
    return [one.kind, one.distribution, one.component.name]
