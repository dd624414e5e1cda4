"""Checks of someone else's: one that finds something, one that finds nothing, and those that are wrong themselves."""

from __future__ import annotations

from typing import Any

import rr


def finds(evidence: rr.Evidence) -> rr.Finding:
    """Finds <fault> in everything."""
    return rr.Finding("warning", f"{len(evidence.events)} events", "there are <some>", "rr list", ("steps",))


def none(evidence: rr.Evidence) -> None:
    return None


def raises(evidence: rr.Evidence) -> rr.Finding:
    raise ZeroDivisionError("in the check")


def exits(evidence: rr.Evidence) -> rr.Finding:
    raise SystemExit(3)


def junk(evidence: rr.Evidence) -> Any:
    return "all is well"


def verdict(evidence: rr.Evidence) -> rr.Finding:
    return rr.Finding("terrible", "")  # type: ignore[arg-type]


def number(evidence: rr.Evidence) -> rr.Finding:
    return rr.Finding("ok", 5)  # type: ignore[arg-type]


BROKEN = ("raises", "exits", "junk", "verdict", "number")


@rr.hookimpl
def rr_register_checks() -> list[rr.Component]:
    return [rr.Component(name, f"{__name__}:{name}", "A check") for name in ("finds", "none", *BROKEN)]
