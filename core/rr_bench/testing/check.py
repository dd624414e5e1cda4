"""What a check is, and what becomes of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from rr_bench.testing.subject import Part, Subject

Function = Callable[["Subject"], None]
FunctionT = TypeVar("FunctionT", bound=Function)
Verdict = Literal["passed", "failed", "expected failure", "unexpected pass", "not applicable", "broken"]
"""`broken`: the check could not be asked, since something that other checks are about does not work."""
BAD = ("failed", "unexpected pass", "broken")


class BrokenRuleError(AssertionError):
    """A component breaks a rule. `expected`: the rule, in a sentence that begins with what must be so. `found`: what it
    did instead. `example`: the smallest one that shows it."""

    def __init__(self, expected: str, found: str, example: str = "") -> None:
        super().__init__(f"expected: {expected}; found: {found}" + (f"; example: {example}" if example else ""))
        self.expected, self.found, self.example = expected, found, example


@dataclass(frozen=True, slots=True)
class Check:
    """`part`: what of a subject it looks at. A check of a part is asked after those of the parts before it, in the
    order in which they are written."""

    name: str
    part: Part
    function: Function

    @property
    def page(self) -> str:
        """What it expects and why, and how what breaks it is mended."""
        return f"docs/checks/{self.name}.md"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a check. `message`: why it failed, in one line; `seconds` of wall time."""

    check: str
    verdict: Verdict
    message: str = ""
    seconds: float = 0.0

    @property
    def bad(self) -> bool:
        return self.verdict in BAD

    @property
    def page(self) -> str:
        """As of the check."""
        return f"docs/checks/{self.check}.md"


WRITTEN: list[Check] = []
"""All checks, once the module of each part is imported (`rr_bench.testing.asked`)."""


def check_of(part: Part) -> Callable[[FunctionT], FunctionT]:
    """Adds a function called `check_…` to the checks of a part."""

    def add(function: FunctionT) -> FunctionT:
        WRITTEN.append(Check(function.__name__.removeprefix("check_").replace("_", "-"), part, function))
        return function

    return add
