"""A request that is refused: a status, and one line that says why and what to do."""

from __future__ import annotations

from collections.abc import Mapping

LONGEST = 500
"""Characters of a line; what a client sent may be far longer."""


class Refusal(Exception):  # noqa: N818 - it is an answer
    """`headers`: of the answer, besides (`Retry-After`)."""

    def __init__(self, status: int, line: str, headers: Mapping[str, str] | None = None) -> None:
        line = " ".join(line.split())
        self.status, self.line = status, line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
        self.headers = dict(headers or {})
        super().__init__(self.line)
