"""Entries that are made of other entries: what they name is found, and whether it fits is checked, before anything is
loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

from rr.errors import NotApplicableError, RegistryError, RerankError, summary
from rr_bench.schema import Method, RerankerEntry

Find = Callable[[str], RerankerEntry]
"""The entry of a name. Raises RerankError: nothing is called so, or its plugin failed."""
ANY = {"summary", "price", "fuse", "cascade"}
"""Keys of every entry that is made of others."""
FUSION = {
    "method": get_args(Method),
    "k": ("rrf",),
    "normalisation": ("combsum", "combmnz", "weighted"),
    "weights": ("weighted",),
}
"""Key of a fusion → the methods that it goes with."""


@dataclass(frozen=True)
class Part:
    """An entry by its name, and the entries that it is made of; none where it names a component."""

    name: str
    entry: RerankerEntry
    members: tuple[Part, ...] = ()
    entry_name: str = ""
    """What the registry calls it, where its row has another name."""

    @property
    def called(self) -> str:
        """As commands name it."""
        return self.entry_name or self.name

    @property
    def parts(self) -> list[Part]:
        """All that it is made of, however deep, each once, and itself, last."""
        found = {part.name: part for member in self.members for part in member.parts}
        return [*found.values(), self]

    @property
    def leaves(self) -> list[Part]:
        """Those of its parts that name a component; itself, if it does."""
        return [part for part in self.parts if not part.members]

    @property
    def searched(self) -> bool:
        """Whether it is a fusion whose weights are found on the dev split."""
        return self.entry.fuse is not None and self.entry.method == "weighted" and self.entry.weights == "dev"


def part_of(name: str, entry: RerankerEntry, find: Find, above: Sequence[str] = ()) -> Part:
    """The entry with all that stands behind the names in it. `above`: the names that led here.

    Raises:
        RegistryError: a name that does not exist, a circle, a member that comes twice, or options that do not fit.
    """
    if entry.composed is None:
        return Part(name, entry)
    where = f"reranker {name!r}: {entry.composed}"
    _check(entry, where)
    way = (*above, name)
    members = []
    for member in entry.members:
        if member in way:
            raise RegistryError(f"{where} goes in a circle: {' → '.join((*way[way.index(member) :], member))}")
        try:
            found = find(member)
        except RerankError as error:
            raise RegistryError(f"{where}: {error}") from error
        members.append(part_of(member, found, find, way))
    return Part(name, entry, tuple(members))


@contextmanager
def of_member(leaf: Part, whole: Part) -> Iterator[None]:
    """What goes wrong in the block is said to be of the member, where it is one.

    Raises:
        NotApplicableError: it does not apply here.
        RerankError: all else; its cause is chained.
    """
    try:
        yield
    except Exception as error:
        if leaf is whole:
            raise
        kind = NotApplicableError if isinstance(error, NotApplicableError) else RerankError
        reason = str(error) if isinstance(error, RerankError) else summary(error)
        raise kind(f"member {leaf.name!r}: {reason}") from error


def told(part: Part) -> str:
    """In one line how it is made: `RRF (k 60) of bm25 and bi-encoder`; its component's name where it is not."""
    entry = part.entry
    names = [member.name for member in part.members]
    if entry.cascade is not None:
        steps = zip(names[1:], entry.cascade[:-1], strict=True)
        return ", then ".join([names[0], *(f"its best {stage.keep} by {name}" for name, stage in steps)])
    if entry.fuse is None:
        return entry.component[1]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    if entry.method == "rrf":
        return f"RRF (k {entry.k}) of {listed}"
    method = {"combsum": "CombSUM", "combmnz": "CombMNZ"}.get(entry.method)
    if method is None:
        by = "found on dev" if entry.weights == "dev" else ", ".join(f"{weight:g}" for weight in entry.weights)
        method = f"weighted sum ({by})"
    return f"{method} of {listed}, {entry.normalisation}"


def _check(entry: RerankerEntry, where: str) -> None:
    asked, members = sorted(entry.model_fields_set), entry.members
    for key in asked:
        if key not in ANY and (entry.cascade is not None or key not in FUSION):
            mend = "belongs to 'fuse'" if key in FUSION else "belongs to a member's own entry"
            raise RegistryError(f"{where}: {key!r} {mend}; leave it out")
        if key in FUSION and entry.method not in FUSION[key]:
            raise RegistryError(f"{where}: {key!r} goes with method {' or '.join(FUSION[key])}, not {entry.method}")
    if len(members) < 2:
        raise RegistryError(f"{where} names {len(members)} of the two members or more that it needs")
    twice = next((name for name in members if members.count(name) > 1), None)
    if twice is not None:
        raise RegistryError(f"{where} names {twice!r} twice; name each member once")
    if isinstance(entry.weights, tuple):
        _check_weights(entry.weights, len(members), where)
    for number, (stage, following) in enumerate(pairwise(entry.cascade or ()), 1):
        if stage.keep is None:
            raise RegistryError(
                f"{where}: stage {number}, {stage.reranker!r}, needs 'keep': how many of its best the next one reranks"
            )
        if following.keep is not None and following.keep > stage.keep:
            raise RegistryError(
                f"{where}: stage {number + 1} keeps {following.keep} of the {stage.keep} that stage {number} keeps; "
                "lower it"
            )


def _check_weights(weights: Sequence[float], members: int, where: str) -> None:
    if len(weights) != members:
        raise RegistryError(f"{where} has {members} members and {len(weights)} weights; give one a member, or 'dev'")
    if min(weights) < 0 or not math.fsum(weights) > 0:
        raise RegistryError(f"{where}: weights are 0 or more, and not all 0")
