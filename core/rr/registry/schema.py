"""The schema of registry.yaml: what its keys are, and what its names resolve to."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rr.errors import RegistryError, nearest
from rr.measures.metrics import metric
from rr.registry.names import Name, told_apart
from rr.registry.validation import validated
from rr.types import Beyond, Permutation, Protocol, Unfilled

T = TypeVar("T")


class Section(BaseModel):
    """Base of every part of the file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SplitPlan(Section):
    """How queries are dealt out where the source does not do it itself; the rest is the train split."""

    dev: float = Field(0.1, gt=0, lt=1)
    test: float = Field(0.3, gt=0, lt=1)
    seed: int = 13
    max_train: int | None = Field(None, gt=0)
    max_dev: int | None = Field(None, gt=0)
    max_test: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _leaves_a_train_split(self) -> SplitPlan:
        if self.dev + self.test >= 1:
            raise ValueError("dev + test must stay below 1, or nothing is left to train on")
        return self


class CandidatePlan(Section):
    """Which documents every reranker gets for a query."""

    retriever: str = "bm25"
    options: dict[str, Any] = {}
    depth: int = Field(20, gt=0)
    protocol: Protocol = "end-to-end"
    seed: int = 13

    @model_validator(mode="before")
    @classmethod
    def _older_spelling(cls, values: Any) -> Any:
        if isinstance(values, dict) and "fold_accents" in values and "options" not in values:
            return {
                **{k: v for k, v in values.items() if k != "fold_accents"},
                "options": {"fold_accents": values["fold_accents"]},
            }
        return values


class DatasetEntry(Section):
    """One data set of a suite."""

    reader: str
    options: dict[str, Any] = {}
    unfilled: Unfilled = "skip"
    split: SplitPlan = SplitPlan.model_validate({})
    candidates: CandidatePlan = CandidatePlan.model_validate({})

    @model_validator(mode="before")
    @classmethod
    def _older_spelling(cls, values: Any) -> Any:
        if isinstance(values, dict) and "generator" in values and "reader" not in values:
            return {"reader" if key == "generator" else key: value for key, value in values.items()}
        return values


class Suite(Section):
    """Data sets that are benched together, with the same metrics; the first metric leads."""

    metrics: tuple[str, ...] = ("nDCG@10", "MRR@10", "MAP", "Recall@10", "Hit@10")
    baseline: str = "first-stage"
    oracle_baseline: str = "random"
    datasets: dict[Name, DatasetEntry]

    @field_validator("metrics")
    @classmethod
    def _metrics_exist(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                metric(name)
            except RegistryError as error:
                raise ValueError(str(error)) from error
        return names


class RerankerEntry(Section):
    """One name that users pick. Exactly one of `scorer` and `reranker`."""

    summary: str = ""
    scorer: str | None = None
    reranker: str | None = None
    trainer: str | None = None
    checkpoint: str = "train"
    settings: dict[str, Any] = {}
    training: dict[str, Any] = {}
    beyond: Beyond = "window"
    window: int | None = Field(None, gt=1)
    stride: int | None = Field(None, gt=0)
    permutations: int = Field(1, gt=0, le=1000)
    permutation: Permutation = "cyclic"

    @model_validator(mode="after")
    def _consistent(self) -> RerankerEntry:
        if (self.scorer is None) == (self.reranker is None):
            raise ValueError("give exactly one of 'scorer' and 'reranker'")
        if self.trainer is not None and self.scorer is None:
            raise ValueError("a 'trainer' needs a 'scorer' that loads what it trains")
        if self.stride is not None and (self.window is None or self.stride >= self.window):
            raise ValueError("'stride' needs a 'window' that is longer, or nothing is carried from one to the next")
        if self.stride is not None and self.beyond == "tournament":
            raise ValueError("a tournament has no 'stride'; leave it out, or say 'beyond: window'")
        if self.permutation == "random" and self.permutations == 1:
            raise ValueError("'permutation: random' needs 'permutations' above 1; one order is the one given")
        asked = self.model_fields_set & {"beyond", "window", "stride", "permutations", "permutation"}
        if self.reranker is not None and asked:
            raise ValueError(f"{min(asked)!r} goes with a 'scorer'; a reranker of its own decides what it shows")
        return self

    def overridden(self, values: dict[str, Any], where: str) -> RerankerEntry:
        """This entry with other values laid over it; nested keys are merged.

        Raises:
            RegistryError: the result is no valid entry; `where` says whose values they are.
        """
        return validated(RerankerEntry, _merge(self.model_dump(exclude_unset=True), values), where)


class Profile(Section):
    """Which suite and which rerankers `rr bench` runs, and what changes for some of them."""

    suite: str
    rerankers: tuple[str, ...] | None = None
    overrides: dict[str, dict[str, Any]] = {}


class Registry(Section):
    version: Literal[1]
    default_profile: str = "embedded"
    profiles: dict[Name, Profile]
    suites: dict[Name, Suite]
    rerankers: dict[Name, RerankerEntry]

    def profile(self, name: str | None = None) -> Profile:
        return _pick(self.profiles, name or self.default_profile, "profile")

    def suite(self, name: str) -> Suite:
        return _pick(self.suites, name, "suite")

    def reranker(self, name: str, profile: str | None = None) -> RerankerEntry:
        """The entry called `name`, with the profile's overrides laid over it."""
        entry = _pick(self.rerankers, name, "reranker")
        overrides = self.profile(profile).overrides.get(name)
        if not overrides:
            return entry
        return entry.overridden(overrides, f"profile override of {name!r}")

    def dataset(self, name: str) -> DatasetEntry:
        return _pick(
            {key: entry for suite in self.suites.values() for key, entry in suite.datasets.items()},
            name,
            "data set",
        )

    @model_validator(mode="after")
    def _names_resolve(self) -> Registry:
        if self.default_profile not in self.profiles:
            raise ValueError(
                f"default_profile {self.default_profile!r} is not a profile"
                + nearest(self.default_profile, list(self.profiles))
            )
        for name, profile in self.profiles.items():
            if profile.suite not in self.suites:
                raise ValueError(
                    f"profile {name!r} names suite {profile.suite!r}, which does not exist"
                    + nearest(profile.suite, list(self.suites))
                )
            for used in [*(profile.rerankers or ()), *profile.overrides]:
                if used not in self.rerankers:
                    raise ValueError(
                        f"profile {name!r} names reranker {used!r}, which does not exist"
                        + nearest(used, list(self.rerankers))
                    )
            for overridden in profile.overrides:
                try:
                    self.reranker(overridden, name)
                except RegistryError as error:
                    raise ValueError(f"profile {name!r}: {error}") from error
        seen: dict[str, str] = {}
        for suite_name, suite in self.suites.items():
            # a default may be missing: the table then says that there is no Δ, and why
            for key in sorted({"baseline", "oracle_baseline"} & suite.model_fields_set):
                named = getattr(suite, key)
                if named not in self.rerankers:
                    raise ValueError(
                        f"suite {suite_name!r} names {key} {named!r}, which does not exist"
                        + nearest(named, list(self.rerankers))
                    )
            for dataset in suite.datasets:
                if dataset in seen:
                    raise ValueError(
                        f"data set {dataset!r} stands in suites {seen[dataset]!r} and {suite_name!r}; rename one"
                    )
                seen[dataset] = suite_name
        for names in (self.profiles, self.suites, self.rerankers, seen):
            told_apart(list(names))
        return self


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _pick(table: dict[str, T], name: str, what: str) -> T:
    if name not in table:
        raise RegistryError(f"no {what} is called {name!r}{nearest(name, list(table))}")
    return table[name]
