"""What one reranker's entry in registry.yaml says. The rest of the file, and how it is read: `rr_bench.registry`."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rr.registry.validation import validated
from rr.spec import Kind

Beyond = Literal["window", "tournament"]
"""How more candidates than fit are reranked: `rr.rerank`, `rr_bench.tournament`."""
Permutation = Literal["cyclic", "random"]
"""Which orders of its candidates a scorer is asked about: rotations, or seeded random ones (`rr_bench.permute`)."""
Method = Literal["rrf", "combsum", "combmnz", "weighted"]
Normalisation = Literal["min-max", "sum", "zmuv", "rank", "none"]


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


class Resources(Section):
    """What one task of an entry takes, a training or a part of its scores, where tasks are handed out
    (`rr_bench.engine`). `cpus` may be a share of one; `memory` is in GB of 10^9 bytes, None: it is not looked at."""

    cpus: float = Field(1, gt=0)
    gpus: float = Field(0, ge=0)
    memory: float | None = Field(None, gt=0)


def needed(each: Sequence[Resources]) -> Resources:
    """Of an entry that is made of others, one of which is at work at a time."""
    memory = [one.memory for one in each if one.memory is not None]
    return Resources(
        cpus=max(one.cpus for one in each),
        gpus=max(one.gpus for one in each),
        memory=max(memory) if memory else None,
    )


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
    resources: Resources = Resources.model_validate({})

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

    @property
    def trains(self) -> bool:
        """Whether a bench trains it on the data set that it is benched on."""
        return self.trainer is not None and self.checkpoint == "train"

    @property
    def has_weights_of_data(self) -> bool:
        """Whether its weights are others for each data set: what was trained on it, or is the best there."""
        return self.trainer is not None and self.checkpoint in ("train", "best")

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
        return validated(RerankerEntry, merged(self.model_dump(exclude_unset=True), values), where)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with other values laid over it; nested keys are merged."""
    found = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found
