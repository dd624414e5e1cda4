"""Weights of hard negatives from their types: the rule, the weight file that configures it, and what rows give.

A weight has no unit: it multiplies a hard negative's exponential in a contrastive loss. Raw files hold weights of 0 or
null, which would switch the negative off or crash a trainer; both mean "not weighed yet".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rr import DataError, nearest
from rr.data import Row, read_json

# How the weight file itself names the rule of `combined_weight`, and the rule's two figures.
METHOD = "max_incremental"
RULE_KEYS = {"increment": "increment_ratio", "cap": "cap"}


@dataclass(frozen=True, slots=True)
class WeightConfig:
    """The weight of every type (`other` stands for all that are not named), and how several are combined."""

    weights: Mapping[str, float]
    increment: float = 0.3
    cap: float = 4.0


def combined_weight(types: Sequence[str], config: WeightConfig) -> float:
    """min(cap, max(w) + increment × Σ{w below max(w)}) over the weights w of the distinct types.

    A type that is not configured weighs what `other` does, and so does a negative without any type. Types that tie
    for the heaviest add nothing to each other, since neither is below the maximum.
    """
    other = config.weights["other"]
    weights = [config.weights.get(type_, other) for type_ in dict.fromkeys(types)] or [other]
    heaviest = max(weights)
    lighter = sum(weight for weight in weights if weight < heaviest)
    return min(config.cap, heaviest + config.increment * lighter)


def read_weight_config(path: Path) -> WeightConfig:
    """The weight file: a JSON object of weights by type, with the rule under `_metadata`.

    Raises:
        DataError: the file is missing or malformed, `other` is missing, a weight or the cap is not above 0, the
            increment is below 0, or the rule is another one.
    """
    row = Row.of(path, "top level", read_json(path))
    weights = {type_: row.number(type_) for type_ in row.fields if not type_.startswith("_")}
    for type_, weight in weights.items():
        if weight <= 0:
            raise row.error(f"the weight of {type_!r} must be above 0, not {weight}")
    row.number("other")  # it must be there: unknown types fall to it
    rule = Row.of(path, "_metadata", row.fields.get("_metadata", {}))
    method = rule.string("method", METHOD)
    if method != METHOD:
        raise rule.error(f"unknown method {method!r}{nearest(method, [METHOD])}")
    given = {name: rule.number(key) for name, key in RULE_KEYS.items() if key in rule.fields}
    # either would make weights of 0 or less, which switch negatives off or turn them into positives
    if given.get("cap", 1.0) <= 0:
        raise rule.error(f"'cap' must be above 0, not {given['cap']:g}")
    if given.get("increment", 0.0) < 0:
        raise rule.error(f"{RULE_KEYS['increment']!r} must not be negative, but is {given['increment']:g}")
    return WeightConfig(weights, **given)


def is_weight_config(path: Path) -> bool:
    """Whether a file looks like a weight file: numbers by type, `other` among them."""
    try:
        read_weight_config(path)
    except DataError:
        return False
    return True


def types_of(negative: Row) -> tuple[str, ...]:
    """
    Raises:
        DataError: `type` is neither a word nor a list of words.
    """
    types = negative.fields.get("type") or []
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not all(isinstance(type_, str) for type_ in types):
        raise negative.error(f"'type' must be a list of words, not {types!r}")
    return tuple(types)


def given_weight(negative: Row, query: str) -> float | None:
    """The weight that a hard negative of `query` comes with; None where it is 0, null or missing.

    Raises:
        DataError: it is negative, NaN, infinite or no number; the line names query and listing.
    """
    if negative.fields.get("weight") is None:
        return None
    try:
        given = negative.number("weight")
        if given < 0:
            raise negative.error(f"'weight' must not be negative, but is {given}")
    except DataError as error:
        raise DataError(f"{error} (query {query!r}, listing {negative.text('text')!r})") from error
    return given or None
