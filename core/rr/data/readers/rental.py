"""Rental listings: short queries, the listing that fits, and listings that differ from it in a named way.

`rows` is a JSON list, or JSONL, of `{query, pos, hard_neg: [{text, type: [...], weight}]}`. Documents are
the distinct texts; rows of the same query are merged, and all their positives are relevant (grade 1).
`weight_file` is the JSON object of weights by type. A weight has no unit: it multiplies a hard negative's
exponential in a contrastive loss.

Raw files hold weights of 0 or null, which would switch the negative off or crash a trainer: they are filled
from the types. What was merged, dropped and filled is counted in the notes. A positive must not be met in two
splits: queries that share one, directly or through others, form a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rr.data.collection import Collection
from rr.data.files import DataPath, read_json, read_records
from rr.data.rows import Row
from rr.errors import nearest
from rr.protocols import Settings
from rr.types import Document, HardNegative, Query

# How the weight file itself names the rule of `combined_weight`, and the rule's two figures.
METHOD = "max_incremental"
RULE_KEYS = {"increment": "increment_ratio", "cap": "cap"}


class Options(Settings):
    rows: DataPath  # the JSON list, or JSONL, of queries with their listings
    weight_file: DataPath | None = None  # the JSON of weights by type; needed where a row has no weight


@dataclass(frozen=True, slots=True)
class WeightConfig:
    """The weight of every type (`other` stands for all that are not named), and how several are combined."""

    weights: Mapping[str, float]
    increment: float = 0.3
    cap: float = 4.0


def combined_weight(types: Sequence[str], config: WeightConfig) -> float:
    """min(cap, max(w) + increment × Σ{w below max(w)}) over the weights w of the distinct types.

    A type that is not configured weighs what `other` does, and so does a negative without any type.
    """
    other = config.weights["other"]
    weights = [config.weights.get(type_, other) for type_ in dict.fromkeys(types)] or [other]
    heaviest = max(weights)
    lighter = sum(weight for weight in weights if weight < heaviest)
    return min(config.cap, heaviest + config.increment * lighter)


def read(options: Options) -> Collection:
    """
    Raises:
        DataError: a file is missing or malformed, a text is blank, a weight is negative or no number, or a
            weight is to be filled and there is no weight file.
    """
    config = _weight_config(options.weight_file) if options.weight_file else None
    rows = read_records(options.rows)
    document_ids: dict[str, str] = {}
    query_ids: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    negatives: dict[str, dict[str, HardNegative]] = {}
    repeated = filled = 0
    for row in rows:
        query_id = query_ids.setdefault(row.text("query"), f"q{len(query_ids) + 1:04}")
        positive = _document_id(row.text("pos"), document_ids)
        qrels.setdefault(query_id, {})[positive] = 1
        hard = negatives.setdefault(query_id, {})
        for child in row.children("hard_neg"):
            weight, is_filled = _weight(child, config)
            id_ = _document_id(child.text("text"), document_ids)
            filled += is_filled
            repeated += id_ in hard
            hard.setdefault(id_, HardNegative(id_, _types(child), weight))

    hard_negatives = {
        query_id: [negative for id_, negative in hard.items() if id_ not in qrels[query_id]]
        for query_id, hard in negatives.items()
    }
    dropped = sum(map(len, negatives.values())) - sum(map(len, hard_negatives.values()))
    counted = {
        "rows that repeat a query, merged into it": len(rows) - len(query_ids),
        "hard negatives that came before for the same query, dropped": repeated,
        "hard negatives that are positives of their own query, dropped": dropped,
        "weights of 0, null or missing, filled from their types": filled,
    }
    return Collection(
        documents={id_: Document(id_, text) for text, id_ in document_ids.items()},
        queries={id_: Query(id_, text) for text, id_ in query_ids.items()},
        qrels=qrels,
        groups=_groups(qrels),
        hard_negatives=hard_negatives,
        notes=tuple(f"{what}: {count}" for what, count in counted.items() if count),
    )


def _weight_config(path: Path) -> WeightConfig:
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
    return WeightConfig(weights, **given)


def _document_id(text: str, ids: dict[str, str]) -> str:
    return ids.setdefault(text, f"d{len(ids) + 1:04}")


def _types(negative: Row) -> tuple[str, ...]:
    types = negative.fields.get("type") or []
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not all(isinstance(type_, str) for type_ in types):
        raise negative.error(f"'type' must be a list of words, not {types!r}")
    return tuple(types)


def _weight(negative: Row, config: WeightConfig | None) -> tuple[float, bool]:
    """The negative's weight, and whether it had to be filled from its types."""
    given = 0.0 if negative.fields.get("weight") is None else negative.number("weight")
    if given < 0:
        raise negative.error(f"'weight' must not be negative, but is {given}")
    if given > 0:
        return given, False
    if config is None:
        raise negative.error("'weight' is 0, null or missing; set `weight_file` to have it filled from 'type'")
    return combined_weight(_types(negative), config), True


def _groups(qrels: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Query id → the connected component of its positives, by union-find over the documents."""
    parent: dict[str, str] = {}

    def root(id_: str) -> str:
        while parent.setdefault(id_, id_) != id_:
            id_ = parent[id_]
        return id_

    for first, *others in qrels.values():
        for other in others:
            parent[root(other)] = root(first)
    return {query_id: root(next(iter(positives))) for query_id, positives in qrels.items()}
