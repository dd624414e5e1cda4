"""registry.yaml: what its keys are, what its names resolve to, and how it is read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rr.errors import RegistryError, nearest
from rr.registry.validation import ModelT, Name, told_apart, validated
from rr.spec import Kind
from rr.types import Beyond, Permutation

Method = Literal["rrf", "combsum", "combmnz", "weighted"]
Normalisation = Literal["min-max", "sum", "zmuv", "rank", "none"]
T = TypeVar("T")
MAX_VALUES = 100_000  # with aliases written out: ten that each name the one before ten times are ten billion


class Section(BaseModel):
    """Base of every part of the file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Price(Section):
    """Dollars, for one of these; `per_token` is for a million of them."""

    per_hour: float | None = Field(None, ge=0)
    per_token: float | None = Field(None, ge=0)
    per_call: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _one(self) -> "Price":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give exactly one of 'per_hour', 'per_token' and 'per_call'")
        return self


class Stage(Section):
    """Of a cascade: the next stage reranks the first `keep` of its ranking."""

    reranker: str
    keep: int | None = Field(None, ge=1)


class RerankerEntry(Section):
    """One name that users pick. Exactly one of `scorer`, `reranker`, `fuse` and `cascade`."""

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
    fuse: tuple[str, ...] | None = None
    method: Method = "rrf"
    k: int = Field(60, ge=0)
    normalisation: Normalisation = "min-max"
    weights: tuple[float, ...] | Literal["dev"] = "dev"
    cascade: tuple[Stage, ...] | None = None
    price: Price | None = None

    @property
    def composed(self) -> Literal["fuse", "cascade"] | None:
        """The key under which it names what it is made of; None where it names a component."""
        return "fuse" if self.fuse is not None else "cascade" if self.cascade is not None else None

    @property
    def members(self) -> tuple[str, ...]:
        """The entries that it is made of (`rr_bench.members` finds and checks them)."""
        return self.fuse or tuple(stage.reranker for stage in self.cascade or ())

    @property
    def component(self) -> tuple[Kind, str]:
        """What it names: its kind and its name."""
        return ("scorer", self.scorer) if self.scorer is not None else ("reranker", str(self.reranker))

    @model_validator(mode="after")
    def _consistent(self) -> "RerankerEntry":
        if [self.scorer, self.reranker, self.fuse, self.cascade].count(None) != 3:
            raise ValueError("give exactly one of 'scorer', 'reranker', 'fuse' and 'cascade'")
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

    def overridden(self, values: dict[str, Any], where: str) -> "RerankerEntry":
        """This entry with other values laid over it; nested keys are merged. Raises RegistryError where the result is
        no valid entry; `where` says whose values they are."""
        return validated(RerankerEntry, _merge(self.model_dump(exclude_unset=True), values), where)


class Profile(Section):
    """Which suite and which rerankers `rr bench` runs, and what changes for some of them."""

    suite: str
    rerankers: tuple[str, ...] | None = None
    price: Price | None = None
    overrides: dict[str, dict[str, Any]] = {}


class Registry(Section):
    """The rerankers by name, and what profiles change of them. The suites are the evaluator's: `rr_bench.registry`."""

    version: Literal[1]
    default_profile: str = "embedded"
    profiles: dict[Name, Profile]
    suites: dict[Name, Any]
    rerankers: dict[Name, RerankerEntry]

    def profile(self, name: str | None = None) -> Profile:
        return pick(self.profiles, name or self.default_profile, "profile")

    def reranker(self, name: str, profile: str | None = None) -> "RerankerEntry":
        """The entry called `name`, with the profile's overrides laid over it."""
        entry, profile = pick(self.rerankers, name, "reranker"), profile or self.default_profile
        overrides = self.profile(profile).overrides.get(name)
        return entry.overridden(overrides, f"profile {profile!r}: profile override of {name!r}") if overrides else entry

    @model_validator(mode="after")
    def _names_resolve(self) -> "Registry":
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


def must_exist(names: Iterable[str], table: dict[str, Any], what: str) -> None:
    for name in names:
        if name not in table:
            raise ValueError(f"{what} {name!r}, which does not exist{nearest(name, list(table))}")


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def pick(table: dict[str, T], name: str, what: str) -> T:
    if name not in table:
        raise RegistryError(f"no {what} is called {name!r}{nearest(name, list(table))}")
    return table[name]


def read_registry(source: Path, model: type[ModelT]) -> ModelT:
    """Reads and checks the registry. Raises RegistryError: one line with file, place, what is wrong and the nearest
    valid name."""
    try:
        content = read_yaml(source.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{source}: cannot be read as UTF-8 text ({error}); save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        mend = "; indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        raise RegistryError(f"{source}{line}: {error.problem}{mend}") from error
    except ValueError as error:
        raise RegistryError(f"{source}: {error}") from error
    if not isinstance(content, dict):
        raise RegistryError(f"{source}: is empty or no mapping; start with 'version: 1'")
    return validated(model, content, str(source))


def read_yaml(text: str) -> Any:
    """What a YAML text says. A key that comes twice in a mapping is an error. Raises yaml.MarkedYAMLError: it is
    malformed; with the line; ValueError: it cannot be read; in one line."""
    try:
        loader = _UniqueKeyLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MAX_VALUES:
            raise ValueError(f"its aliases stand for more than {MAX_VALUES:,} values; write less with them")
        return loader.construct_document(node)
    except yaml.MarkedYAMLError:
        raise
    except RecursionError as error:
        raise ValueError("nested too deep; flatten it") from error
    except (yaml.YAMLError, ValueError, KeyError, AttributeError) as error:
        # PyYAML lets the errors of a value's own parser through (`2024-13-01` is no date, `!!int x` no number)
        raise ValueError(" ".join(str(error).split())) from error


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values it stands for with its aliases written out; a ValueError where it stands for itself."""
    if id(node) not in known:
        known[id(node)] = 0  # until it is counted
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
        known[id(node)] = 1 + sum(_size(one, known) for one in inner)
    if known[id(node)] == 0:
        raise ValueError(f"line {node.start_mark.line + 1}: an alias stands within what it stands for; write it out")
    return known[id(node)]


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe loading that does not let a second key of the same name replace the first in silence."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line, problem = key.start_mark.line + 1, ""
            if not isinstance(key, yaml.ScalarNode):
                problem = "a key must be a single word or text"
            elif key.value in seen and key.value != "<<":
                problem = f"{key.value!r} stands here and on line {seen[key.value]}; rename one"
            if problem:
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            seen[key.value] = line
        return node
