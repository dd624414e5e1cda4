"""Taking away what is kept."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Sequence

from rr.errors import RerankError, nearest
from rr_bench.cache.kept import Home, Kept
from rr_bench.cache.kinds import KINDS

UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
AGE = re.compile(rf"(\d+)({'|'.join(UNITS)})")


def seconds_of(age: str) -> float:
    """`90m`, `12h`, `30d`, `2w`.

    Raises:
        RerankError: it is something else.
    """
    found = AGE.fullmatch(age.strip())
    if found is None:
        raise RerankError(f"--older-than {age!r}: say a number and m, h, d or w, as 30d")
    return float(found[1]) * UNITS[found[2]]


def chosen(found: Home, kinds: Collection[str], older: float | None, now: float) -> list[Kept]:
    """What is of one of the kinds (of any, where none is named), and was not used for so many seconds.

    Raises:
        RerankError: there is no such kind.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise RerankError(f"nothing that is kept is called {kind!r}{nearest(kind, list(KINDS))}")
    return [
        one for one in found.kept if (not kinds or one.kind in kinds) and (older is None or now - one.used >= older)
    ]


def take_away(kept: Sequence[Kept]) -> None:
    """Each at once: under a hidden name first, so that what is left of it after a kill is nothing that is read. To be
    called within `alone_at_home`."""
    for one in kept:
        for path in reversed(one.paths):  # of a database its main file last
            if path.is_dir():
                hidden = path.with_name(path.name if path.name.startswith(".") else f".{path.name}.aside")
                if hidden != path:
                    shutil.rmtree(hidden, ignore_errors=True)
                    path.rename(hidden)
                shutil.rmtree(hidden)
            else:
                path.unlink(missing_ok=True)
