"""What a prepared data set is like: sizes, ceilings, overlaps, places of the truth, texts, histories, labels. Numbers
only: no id and no text of the data is in it. docs/data.md says what every key is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from rr.types import Dataset, Document
from rr_bench.data.labels import MetTogether, SharedWords, drawn_queries, mean_auc
from rr_bench.data.overlap import duplicates, folded_texts, split_overlap
from rr_bench.data.texts import mojibake, words

QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
OF_EVERY_QUERY = {"history_repeats", "weights"}
"""Keys whose figures are of the queries of all splits together; so are two parts of others:"""
PARTS_OF_EVERY_QUERY = {"positives", "queries"}


def data_report(dataset: Dataset, documents: int | None = None) -> dict[str, Any]:
    """The figures of a data set, for JSON. A split without queries has its size, and no other figure; nor has one to
    which a figure does not apply (the truth's place where no query has a relevant candidate). `documents`: how many the
    corpus holds, if the data set does not keep all."""
    corpus = len(dataset.documents) if documents is None else documents
    splits = {split: query_ids for split, query_ids in dataset.splits.items() if query_ids}
    relevant = {q: {id_ for id_, g in dataset.qrels.get(q, {}).items() if g > 0} for q in dataset.queries}
    candidates = {q: dataset.candidates.get(q, ()) for q in dataset.queries}
    # of the relevant documents in each query's candidates
    places = {q: sorted(map(ids.index, relevant[q].intersection(ids))) for q, ids in candidates.items()}
    asked = {split: [q for q in query_ids if relevant[q]] for split, query_ids in splits.items()}
    answered = {split: query_ids for split, query_ids in asked.items() if query_ids}
    having = {split: [q for q in query_ids if places[q]] for split, query_ids in splits.items()}
    found = {split: query_ids for split, query_ids in having.items() if query_ids}
    histories = {split: [len(dataset.queries[q].history) for q in query_ids] for split, query_ids in splits.items()}
    sequential = any(map(any, histories.values()))
    texts = folded_texts(dataset, relevant)

    def by_split(figure: Callable[[Sequence[str]], Any], of: Mapping[str, Sequence[str]] = splits) -> dict[str, Any]:
        return {split: figure(query_ids) for split, query_ids in of.items()}

    def truths(query_ids: Sequence[str]) -> list[float]:
        tenths = Counter(_tenth(p, len(candidates[q])) for q in query_ids for p in places[q])
        return [tenths[tenth] / tenths.total() for tenth in range(10)]

    return {
        "sizes": {split: len(query_ids) for split, query_ids in dataset.splits.items()},
        "unanswerable": {
            s: len(splits[s]) - len(query_ids) for s, query_ids in asked.items() if len(query_ids) < len(splits[s])
        },
        "documents": corpus,
        "ceilings": by_split(lambda ids: _mean(len(places[q]) / len(relevant[q]) for q in ids), answered),
        "missing_truth": by_split(lambda ids: _mean(not places[q] for q in ids), answered),
        "relevant": by_split(lambda ids: _mean(len(relevant[q]) for q in ids), answered),
        "popular_target": by_split(lambda ids: _most_common(relevant[q] for q in ids), answered),
        "overlap": split_overlap(dataset, relevant, texts),
        "target_in_history": _target_in_history(dataset, splits, relevant, texts),
        "history": {s: {**_quantiles(n), "empty": n.count(0) / len(n)} for s, n in histories.items() if sequential},
        "history_repeats": _mean(
            1 - len({item.id for item in query.history}) / len(query.history)
            for query in dataset.queries.values()
            if query.history
        ),
        "candidates": by_split(lambda ids: _quantiles([len(candidates[q]) for q in ids])),
        "distinct_candidates": by_split(
            lambda ids: (
                len(set(chain.from_iterable(candidates[q] for q in ids)))
                / max(min(corpus, sum(len(candidates[q]) for q in ids)), 1)
            )
        ),
        "most_common_candidate": by_split(lambda ids: _most_common(candidates[q] for q in ids)),
        "truth_places": by_split(truths, found),
        "truth_first": by_split(lambda ids: _mean(places[q][0] == 0 for q in ids), found),
        "truth_expected": by_split(lambda ids: _mean(len(places[q]) / len(candidates[q]) for q in ids), found),
        "weights": _weights(dataset),
        **_texts_and_labels(dataset, relevant, places),
    }


def report_without_test(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with nothing of the test split, for those who must not know of it."""

    def told(name: str) -> bool:
        return name != "test" and not name.endswith("/test") and name not in PARTS_OF_EVERY_QUERY

    return {
        key: {name: part for name, part in value.items() if told(name)} if isinstance(value, Mapping) else value
        for key, value in report.items()
        if key not in OF_EVERY_QUERY
    }


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    """Of no values there are none."""
    found = np.quantile(values, list(QUANTILES.values())).tolist() if values else []
    return dict(zip(QUANTILES, found, strict=False))


def _texts_and_labels(
    dataset: Dataset, relevant: Mapping[str, set[str]], places: Mapping[str, Sequence[int]]
) -> dict[str, Any]:
    """What reads every text, in one pass over the documents."""
    drawn = drawn_queries(dataset, places)
    shared = SharedWords(dataset, drawn)
    alike: dict[int, list[Document]] = {}  # by a sum that does not look at the order of words
    lengths, broken = [], 0
    for document in dataset.documents.values():
        content = document.content
        parts = content.split()
        found = words(parts)
        shared.add(document.id, found)
        alike.setdefault(sum(map(hash, found)), []).append(document)
        lengths.append(len(parts))
        broken += mojibake(content)
    asked = [query.text for query in dataset.queries.values()]
    with_history = {s: [q for q in query_ids if dataset.queries[q].history] for s, query_ids in drawn.items()}
    by_history = {s: query_ids for s, query_ids in with_history.items() if query_ids}
    # under oracle a truth that was put in would be known by its score
    by_first_stage = {} if dataset.protocol == "oracle" or not dataset.first_stage else drawn
    return {
        "duplicates": duplicates(relevant, [group for group in alike.values() if len(group) > 1]),
        "words": {"queries": _quantiles([len(text.split()) for text in asked]), "documents": _quantiles(lengths)},
        "mojibake": {"documents": broken / max(len(lengths), 1), "queries": _mean(map(mojibake, asked))},
        "words_auc": mean_auc(drawn, places, shared.scores),
        "first_stage_auc": mean_auc(by_first_stage, places, dataset.first_stage.__getitem__),
        "history_auc": mean_auc(by_history, places, MetTogether(dataset, relevant).scores),
        "auc_queries": {split: len(query_ids) for split, query_ids in drawn.items()},
    }


def _target_in_history(
    dataset: Dataset, splits: Mapping[str, Sequence[str]], relevant: Mapping[str, set[str]], texts: Mapping[str, str]
) -> dict[str, float]:
    """By id or by text; of the queries with a history."""
    found = {}
    for split, query_ids in splits.items():
        met = {q: {item.id for item in dataset.queries[q].history} for q in query_ids if dataset.queries[q].history}
        if met:
            found[split] = _mean(
                bool(ids & relevant[q] or {texts[id_] for id_ in ids} & {texts[id_] for id_ in relevant[q]})
                for q, ids in met.items()
            )
    return found


def _weights(dataset: Dataset) -> dict[str, Any]:
    negatives = [one for some in dataset.hard_negatives.values() for one in some]
    if not negatives:
        return {}
    weights = [float(one.weight) for one in negatives]
    return {
        "negatives": len(negatives),
        "min": min(weights),
        "max": max(weights),
        "zero": _mean(weight == 0 for weight in weights),
        "types": dict(Counter(type_ for one in negatives for type_ in one.types)),
        "untyped": sum(not one.types for one in negatives),
    }


def _tenth(place: int, count: int) -> int:
    """Of the order: 0 holds the first place and 9 the last, however few there are."""
    return min(10 * place // (count - 1), 9) if count > 1 else 0


def _most_common(ids: Iterable[Iterable[str]]) -> float:
    """The share of the lists that the most frequent id stands in."""
    lists = list(ids)
    counts = Counter(chain.from_iterable(lists))
    return max(counts.values(), default=0) / max(len(lists), 1)


def _mean(values: Iterable[float]) -> float:
    """0 of no values."""
    given = list(values)
    return sum(given) / max(len(given), 1)
