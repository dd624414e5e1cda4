"""registry.yaml as the evaluator reads it: where it is found, and the suites of data sets in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import Field, field_validator, model_validator

from rr.data.damage import Missing
from rr.errors import RegistryError, nearest
from rr.measures import metric
from rr.registry.expansion import expanded
from rr.registry.validation import validated
from rr.types import Protocol
from rr_bench.names import Name, told_apart
from rr_bench.registry_files import PACKAGED, in_file, laid_over, packaged, placed
from rr_bench.schema import Price, RerankerEntry, Section
from rr_bench.strict_yaml import read_yaml

T = TypeVar("T")
Unfilled = Literal["skip", "keep", "error"]
"""What becomes of template text that was never filled in: left out with its judgements, kept, or refused."""

DEV, TEST = 0.1, 0.3
"""Shares of the queries."""

ALL = ("all-train", "all-test")
"""In the place of a split: every query is of it, and nothing of the other."""

BOTH = "both"
"""In the place of a protocol: the data set is two, one under each (`both_protocols`)."""

Order = Literal["shuffled", "retriever"]
"""In which candidates are shown: seeded and random, so that a place tells nothing, or the first stage's best first."""


class SplitPlan(Section):
    """How queries are dealt out where the source does not do it itself; the rest is the train split. `train`, and `dev`
    and `test` where they are no share: files of query ids (`rr_bench.data.split_files`). `all`: of every query."""

    train: str | None = None
    dev: float | str = DEV
    test: float | str = TEST
    all: Literal["train", "test"] | None = None
    seed: int = 13
    max_train: int | None = Field(None, gt=0)
    max_dev: int | None = Field(None, gt=0)
    max_test: int | None = Field(None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _in_a_word(cls, given: Any) -> Any:
        if isinstance(given, str):
            if given not in ALL:
                raise ValueError(f"{given!r} is neither {' nor '.join(ALL)}, nor a mapping of keys")
            return {"all": given.removeprefix("all-")}
        return given

    @field_validator("dev", "test")
    @classmethod
    def _is_a_share(cls, given: float | str) -> float | str:
        if isinstance(given, float) and not 0 < given < 1:
            raise ValueError(f"a share is above 0 and below 1, and this is {given:g}")
        return given

    @model_validator(mode="after")
    def _fits(self) -> SplitPlan:
        if isinstance(self.dev, float) and isinstance(self.test, float) and self.dev + self.test >= 1:
            raise ValueError("dev + test must stay below 1, or nothing is left to train on")
        if self.all is not None and (self.files or "test" in self.model_fields_set):
            raise ValueError(f"'all: {self.all}' leaves nothing for 'train', 'dev' or 'test' to say; keep one of them")
        if self.train is not None and "test" in self.model_fields_set and isinstance(self.test, float):
            raise ValueError("where 'train' is a file, all other queries are tested; leave the share of 'test' out")
        return self

    @property
    def files(self) -> dict[str, str]:
        """Split → the file of its query ids, of those that have one."""
        named = {"train": self.train, "dev": self.dev, "test": self.test}
        return {split: file for split, file in named.items() if isinstance(file, str)}

    @property
    def dev_share(self) -> float:
        """The share of the queries that is dev, where no file says which."""
        return self.dev if isinstance(self.dev, float) else DEV

    @property
    def test_share(self) -> float:
        return self.test if isinstance(self.test, float) else TEST


class CandidatePlan(Section):
    """Which documents every reranker gets for a query."""

    retriever: str = "bm25"
    options: dict[str, Any] = Field(default_factory=dict)
    depth: int = Field(20, gt=0)
    protocol: Protocol = "end-to-end"
    order: Order = "shuffled"
    drop_same_id: bool = False
    seed: int = 13

    @model_validator(mode="before")
    @classmethod
    def _older_spelling(cls, values: Any) -> Any:
        if isinstance(values, dict) and "fold_accents" in values and "options" not in values:
            values = {**values, "options": {"fold_accents": values["fold_accents"]}}
            del values["fold_accents"]
        return values


class DatasetEntry(Section):
    """One data set of a suite."""

    reader: str
    options: dict[str, Any] = Field(default_factory=dict)
    missing: Missing = "fail"
    unfilled: Unfilled = "skip"
    group_by: tuple[str, ...] = ()
    split: SplitPlan = SplitPlan.model_validate({})
    candidates: CandidatePlan = CandidatePlan.model_validate({})

    @model_validator(mode="before")
    @classmethod
    def _older_spelling(cls, values: Any) -> Any:
        if isinstance(values, dict) and "generator" in values and "reader" not in values:
            return {"reader" if key == "generator" else key: value for key, value in values.items()}
        return values

    @field_validator("group_by", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given


def both_protocols(datasets: dict[str, Any]) -> dict[str, Any]:
    """As written, with every data set that asks for both protocols (`both`, or a list of them) in its place as two,
    which are labelled: `helpdesk (end-to-end)`, `helpdesk (oracle)`. Raises ValueError: such a name is taken."""
    found: dict[str, Any] = {}
    for name, entry in datasets.items():
        if not _asks_for_both(entry):
            found[name] = entry
            continue
        for protocol in get_args(Protocol):
            label = labelled(name, protocol)
            if label in datasets:
                raise ValueError(f"data set {name!r} asks for both protocols, and {label!r} is taken")
            found[label] = {**entry, "candidates": {**entry["candidates"], "protocol": protocol}}
    return found


def _asks_for_both(entry: Any) -> bool:
    candidates = entry.get("candidates") if isinstance(entry, dict) else None
    asked = candidates.get("protocol") if isinstance(candidates, dict) else None
    return asked == BOTH or (isinstance(asked, list) and sorted(map(str, asked)) == sorted(get_args(Protocol)))


def labelled(name: str, protocol: str) -> str:
    return f"{name} ({protocol})"


class Suite(Section):
    """Data sets that are benched together, with the same metrics; the first metric leads."""

    metrics: tuple[str, ...] = ("nDCG@10", "MRR@10", "MAP", "Recall@10", "Hit@10")
    baseline: str = "first-stage"
    oracle_baseline: str = "random"
    datasets: dict[Name, DatasetEntry]

    @field_validator("datasets", mode="before")
    @classmethod
    def _both_protocols(cls, datasets: Any) -> Any:
        return both_protocols(datasets) if isinstance(datasets, dict) else datasets

    def meant(self, name: str) -> list[str]:
        """The data sets of that name: two, where it asks for both protocols; none where there is none."""
        return [
            known for known in (name, *(labelled(name, one) for one in get_args(Protocol))) if known in self.datasets
        ]

    @field_validator("metrics")
    @classmethod
    def _metrics_exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            metric(name)
        return names


class Profile(Section):
    """Which suite and which rerankers `rr bench` runs, and what changes for some of them."""

    suite: str
    rerankers: tuple[str, ...] | None = None
    price: Price | None = None
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Registry(Section):
    """The whole file."""

    version: Literal[1]
    extends: str | None = None
    default_profile: str = "embedded"
    profiles: dict[Name, Profile]
    suites: dict[Name, Suite]
    rerankers: dict[Name, RerankerEntry]

    def profile(self, name: str | None = None) -> Profile:
        return pick(self.profiles, name or self.default_profile, "profile")

    def reranker(self, name: str, profile: str | None = None) -> RerankerEntry:
        """The entry called `name`, with the profile's overrides laid over it."""
        entry, profile = pick(self.rerankers, name, "reranker"), profile or self.default_profile
        overrides = self.profile(profile).overrides.get(name)
        return entry.overridden(overrides, f"profile {profile!r}: profile override of {name!r}") if overrides else entry

    def suite(self, name: str) -> Suite:
        return pick(self.suites, name, "suite")

    def dataset(self, name: str) -> DatasetEntry:
        entries = {key: entry for suite in self.suites.values() for key, entry in suite.datasets.items()}
        two = [one for suite in self.suites.values() for one in suite.meant(name) if one != name]
        if two:
            raise RegistryError(f"data set {name!r} is asked under both protocols; name {' or '.join(map(repr, two))}")
        return pick(entries, name, "data set")

    @model_validator(mode="after")
    def _names_resolve(self) -> Registry:
        if self.default_profile not in self.profiles:
            near = nearest(self.default_profile, list(self.profiles))
            raise ValueError(f"default_profile {self.default_profile!r} is not a profile{near}")
        for name, profile in self.profiles.items():
            must_exist([profile.suite], self.suites, f"profile {name!r} names suite")
            used = [*(profile.rerankers or ()), *profile.overrides]
            must_exist(used, self.rerankers, f"profile {name!r} names reranker")
            for overridden in profile.overrides:
                self.reranker(overridden, name)
        for names in (self.profiles, self.suites, self.rerankers):
            told_apart(list(names))
        return self

    @model_validator(mode="after")
    def _suites_resolve(self) -> Registry:
        seen: dict[str, str] = {}
        for name, suite in self.suites.items():
            # a default may be missing: the table then says that there is no Δ, and why
            for key in sorted({"baseline", "oracle_baseline"} & suite.model_fields_set):
                must_exist([getattr(suite, key)], self.rerankers, f"suite {name!r} names {key}")
            for dataset in suite.datasets:
                if seen.setdefault(dataset, name) != name:
                    raise ValueError(
                        f"data set {dataset!r} stands in suites {seen[dataset]!r} and {name!r}; rename one"
                    )
        told_apart(list(seen))
        return self


def must_exist(names: Iterable[str], table: dict[str, Any], what: str) -> None:
    for name in names:
        if name not in table:
            raise ValueError(f"{what} {name!r}, which does not exist{nearest(name, list(table))}")


def pick(table: dict[str, T], name: str, what: str) -> T:
    if name not in table:
        raise RegistryError(f"no {what} is called {name!r}{nearest(name, list(table))}")
    return table[name]


def find_registry(path: Path | None = None) -> Path:
    """`--registry`, else `$RR_REGISTRY`, else ./registry.yaml, else the copy that came with the package."""
    named = path or (Path(os.environ["RR_REGISTRY"]) if os.environ.get("RR_REGISTRY") else None)
    if named is not None:
        if not named.is_file():
            raise RegistryError(f"{named}: no such registry file; check --registry and $RR_REGISTRY")
        return named
    local = Path("registry.yaml")
    return local if local.is_file() else packaged()


def load_registry(path: Path | None = None) -> Registry:
    """The registry that `find_registry` finds, read and checked.

    Raises:
        RegistryError: one line with file, place, what is wrong and the nearest valid name.
    """
    source = find_registry(path)
    return parsed_registry(source, registry_text(source))


def registry_text(source: Path) -> str:
    """
    Raises:
        RegistryError: it cannot be read.
    """
    try:
        return source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{source}: cannot be read as UTF-8 text ({error}); save it as UTF-8") from error


def parsed_registry(source: Path, text: str) -> Registry:
    """The registry that a file of this text would be.

    Raises:
        RegistryError: as `load_registry`.
    """
    return validated(Registry, _content(source, text, ()), str(source))


def _content(source: Path, text: str, above: tuple[Path, ...]) -> dict[str, Any]:
    """What it says, over what those say that it extends. `above`: the files that extend it."""
    try:
        content = read_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        mend = "; indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        raise RegistryError(f"{source}{line}: {error.problem}{mend}") from error
    except ValueError as error:
        raise RegistryError(f"{source}: {error}") from error
    if not isinstance(content, dict):
        raise RegistryError(f"{source}: is empty or no mapping; start with 'version: 1'")
    own, extended = placed(content, source.parent), content.get("extends")
    if extended is None:
        return own
    if not isinstance(extended, str):
        raise RegistryError(f"{source}: extends: names one file, or 'packaged', not {type(extended).__name__}")
    try:
        base = packaged() if extended == PACKAGED else expanded(in_file(extended, source.parent))
    except ValueError as error:
        raise RegistryError(f"{source}: extends: {error}") from error
    if not base.is_file():
        raise RegistryError(f"{source}: extends {extended!r}, and {base} is no file; name one, or 'packaged'")
    chain = (*above, source)
    if base.resolve() in [one.resolve() for one in chain]:
        circle = " extends ".join(map(str, (*chain, base)))
        raise RegistryError(f"{source}: extends {extended!r} in a circle ({circle}); take one 'extends' out")
    inherited = _content(base, registry_text(base), chain)
    validated(Registry, inherited, str(base))  # or its mistakes would be told as if they stood here
    return laid_over(inherited, own)
