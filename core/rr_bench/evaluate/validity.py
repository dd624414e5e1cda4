"""Whether the figures of a row mean what they seem to: shares and means, and the faults that make it doubtful. A fault
is what concerns so many test queries that no conclusion should rest on the row; docs/validity.md lists them all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from rr.measures import Rankings
from rr.types import Dataset, Request
from rr_bench.data.report_notes import SURPRISE, surprise
from rr_bench.evaluate.diagnosed import best
from rr_bench.evaluate.pairs import Answer
from rr_bench.evaluate.probe import Probe
from rr_bench.evaluate.results import Weights

Floats = NDArray[np.float64]
SERIOUS = 0.1
"""Share of the test queries from which on what is wrong with them is a fault."""
LEAKED = 0.01
"""Share of the test queries that train asks too, from which on that is a fault of what was trained there."""
ALWAYS = 0.95
"""Share of the truths at one place of the candidates from which on the place tells the answer."""
NO_CEILING = 0.05
"""Recall ceiling below which nothing can be found."""
UNSTABLE, DISAGREEING, ENOUGH = 0.5, 0.5, 5
"""Share of the best candidates that another order changes, and Kendall τ between two orders, beyond which a ranking is
one of places; of so many queries at least."""


@dataclass(frozen=True)
class Leak:
    """Test queries that train asks too: `queries`, equal or nearly so; and with an `answers` of train's."""

    queries: int
    answers: int
    of: int

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Leak:
        found = dataset.report["overlap"]["train/test"]
        near = found["equal"] + found["near"] + found.get("similar", 0)
        return cls(near, found.get("answers", 0), max(found["of"], 1))


def dataset_figures(dataset: Dataset) -> dict[str, float]:
    """Shares of the test queries: `missing`, without candidates; `unanswerable`; `leak_queries`, asked in train too, or
    nearly; `leak_answers`, with an answer that train has; `truth_first`, whose first candidate is relevant. And
    `truth_place`, the mean place of relevant ones, from 0 (front) to 1 (back). What does not apply is not there."""
    report, test, leak = dataset.report, dataset.splits["test"], Leak.of_dataset(dataset)
    found = {
        "missing": fmean(not dataset.candidates[query_id] for query_id in test),
        "unanswerable": report["unanswerable"].get("test", 0) / len(test),
    }
    if dataset.splits.get("train"):
        found |= {"leak_queries": leak.queries / leak.of, "leak_answers": leak.answers / leak.of}
    places = [
        place / (len(dataset.candidates[query_id]) - 1)
        for query_id in test
        for place, id_ in enumerate(dataset.candidates[query_id])
        if len(dataset.candidates[query_id]) > 1 and dataset.qrels[query_id].get(id_, 0) > 0
    ]
    if places:
        found |= {"truth_place": fmean(places), "truth_first": report["truth_first"]["test"]}
    return found


def truth_places(dataset: Dataset) -> tuple[float, ...]:
    """The shares of the relevant candidates of test in each tenth of their lists."""
    return tuple(dataset.report["truth_places"].get("test", ()))


def dataset_faults(dataset: Dataset, figures: Mapping[str, float]) -> tuple[str, ...]:
    """What makes every row on the data set doubtful; `figures`: of `dataset_figures`."""
    return tuple(_of_dataset(dataset, figures))


def _of_dataset(dataset: Dataset, figures: Mapping[str, float]) -> Iterator[str]:
    report = dataset.report
    if figures["missing"] >= SERIOUS:
        yield f"missing: {figures['missing']:.0%} of the test queries have no candidates"
    ceiling = report["ceilings"].get("test", 1.0)
    if ceiling < NO_CEILING:
        yield f"ceiling: {ceiling:.1%} of what is relevant is among the candidates"
    expected = report["truth_expected"].get("test", 1.0)
    tenths = truth_places(dataset)
    if expected < 0.5 and figures.get("truth_first", 0.0) >= ALWAYS:
        yield f"truth place: the first candidate of {figures['truth_first']:.0%} of the test queries is relevant"
    elif tenths and max(expected, 0.2) < 0.5 and max(tenths) >= ALWAYS:
        place = tenths.index(max(tenths)) + 1
        yield f"truth place: {max(tenths):.0%} of the relevant candidates stand in tenth {place} of their lists"
    known = report["target_in_history"].get("test", 0.0)
    if known >= SERIOUS:
        yield f"history: {known:.0%} of the test queries have a relevant document in their history"


def judged_shares(rankings: Rankings, cutoff: int | None) -> Floats:
    """How much of the best `cutoff` (None: of all) is judged, of each query that has an answer and candidates."""
    judged = rankings.judged[:, :1].max(axis=1, initial=0) > 0
    shown = rankings.lengths if cutoff is None else np.minimum(rankings.lengths, cutoff)
    counts = (rankings.ranks <= shown[:, None]).sum(axis=1)
    counted = judged & (shown > 0)
    return counts[counted] / shown[counted]  # type: ignore[no-any-return]


def judged_figure(shares: Floats, cutoff: int | None) -> dict[str, float]:
    """`judged@k`, or `judged`: the mean of `judged_shares`, where there are any."""
    return {f"judged@{cutoff}" if cutoff else "judged": float(shares.mean())} if len(shares) else {}


def row_figures(requests: Sequence[Request], answers: Mapping[str, Answer], probe: Probe) -> dict[str, float]:
    """Shares of the test queries: `tied_best`, several share the best score; `order_changed` and `order_tau`
    (`rr_bench.evaluate.probe.Probe`), and `fewer_moved`."""
    runs = [answers[request.query.id].scores for request in requests if request.candidates]
    found = {"tied_best": _tied_best(runs)} if runs else {}
    if probe.queries:
        found |= {"order_changed": probe.order_changed, "order_tau": probe.order_tau}
    if probe.fewer_moved is not None:
        found["fewer_moved"] = probe.fewer_moved
    return found


def _tied_best(runs: Sequence[Mapping[str, float]]) -> float:
    """The share of queries of which several candidates have the best score."""
    scores = np.fromiter(chain.from_iterable(run.values() for run in runs), float)
    with np.errstate(over="ignore"):  # as trec_eval holds them
        held = scores.astype(np.float32)
    lengths = np.array([*map(len, runs)])
    starts = np.concatenate([[0], lengths[:-1].cumsum()])
    best = np.repeat(np.maximum.reduceat(held, starts), lengths)
    return float((np.add.reduceat(held == best, starts, dtype=int) > 1).mean())


def row_faults(
    dataset: Dataset,
    requests: Sequence[Request],
    answers: Mapping[str, Answer],
    diagnostics: Mapping[str, float],
    probe: Probe,
    pointwise: bool,
    weights: Sequence[Weights],
) -> tuple[str, ...]:
    """What makes this row doubtful, besides `dataset_faults`; each begins with the name of its kind. `pointwise`:
    whether it says that it looks at one candidate at a time."""
    return (
        *_of_answers(requests, answers, diagnostics),
        *_of_probe(probe, pointwise),
        *(_favoured(requests, answers) if probe.order_moved and _is_shuffled(dataset) else ()),
        *_of_training(dataset, weights),
    )


def _of_answers(
    requests: Sequence[Request], answers: Mapping[str, Answer], diagnostics: Mapping[str, float]
) -> Iterator[str]:
    several = [answers[r.query.id].diagnostics for r in requests if len(r.candidates) > 1]
    constant = fmean(bool(one.get("constant")) for one in several) if several else 0.0
    if constant >= SERIOUS:
        yield f"constant: {constant:.0%} of the test queries give all their candidates one score"
    if diagnostics.get("lost_in_32_bits", 0.0) >= SERIOUS:
        yield f"lost in 32 bits: the order of {diagnostics['lost_in_32_bits']:.0%} of the test queries is partly of ids"


def _of_probe(probe: Probe, pointwise: bool) -> Iterator[str]:
    if probe.order_moved and pointwise:
        yield (
            f"order: {probe.order_moved:.0%} of {probe.queries} queries score candidates otherwise when they are shown "
            "in another order, and it says that it looks at one at a time"
        )
    elif probe.queries >= ENOUGH and (probe.order_changed > UNSTABLE or probe.order_tau < DISAGREEING):
        yield (
            f"order: another order of the candidates changes the best of {probe.order_changed:.0%} of {probe.queries} "
            f"queries (τ {probe.order_tau:.2f})"
        )
    if probe.fewer_moved:
        yield (
            f"list: {probe.fewer_moved:.0%} of {probe.queries} queries score candidates otherwise among half of them, "
            "and it says that it looks at one at a time (info.listwise)"
        )


def _is_shuffled(dataset: Dataset) -> bool:
    """Whether chance explains where the truth stands: else who chooses a place may choose the truth."""
    first, expected = (dataset.report[key].get("test", 0.0) for key in ("truth_first", "truth_expected"))
    return surprise(first, expected, len(dataset.splits["test"])) <= SURPRISE


def _favoured(requests: Sequence[Request], answers: Mapping[str, Answer]) -> Iterator[str]:
    """The place that is chosen so often that chance does not explain it, where there is one."""
    chosen: dict[str, list[bool]] = {}
    expected: dict[str, list[float]] = {}
    for request in requests:
        count = len(request.candidates)
        if count < 3:
            continue
        at = [document.id for document in request.candidates].index(best(answers[request.query.id].scores))
        for name, here in [*((f"place {n + 1}", n == at) for n in range(count)), ("the last place", at == count - 1)]:
            chosen.setdefault(name, []).append(here)
            expected.setdefault(name, []).append(1 / count)
    found = {name: (fmean(hits), fmean(expected[name]), len(hits)) for name, hits in chosen.items()}
    bound = SURPRISE + math.log(max(len(found), 1))
    strange = {name: share for name, (share, chance, count) in found.items() if surprise(share, chance, count) > bound}
    if strange:
        name = max(strange, key=strange.__getitem__)
        chance = found[name][1]
        yield f"position: {name} is chosen in {strange[name]:.0%} of the test queries, by chance {chance:.0%}"


def _of_training(dataset: Dataset, weights: Sequence[Weights]) -> Iterator[str]:
    here = [one for one in weights if one.dataset == dataset.name]
    leak = Leak.of_dataset(dataset)
    of_this = any(one.data_fingerprint == dataset.fingerprint for one in here)
    if of_this and leak.queries and leak.queries >= LEAKED * leak.of:
        yield f"leak: {leak.queries} of {leak.of} test queries are asked, or nearly, in train too"
    other = [one.checkpoint for one in here if one.data_fingerprint != dataset.fingerprint]
    if other:
        yield f"leak: {other[0]} learnt from {dataset.name} of other content or splits, maybe from these queries"


def pooled_figures(of_folds: Sequence[Mapping[str, float]], sizes: Sequence[int]) -> dict[str, float]:
    """The means over the queries of the folds that have a figure; `sizes`: of the folds."""
    names = dict.fromkeys(name for figures in of_folds for name in figures)
    having = {name: [(one[name], n) for one, n in zip(of_folds, sizes, strict=True) if name in one] for name in names}
    return {name: sum(value * n for value, n in pairs) / sum(n for _, n in pairs) for name, pairs in having.items()}


def pooled_places(of_folds: Iterable[Sequence[float]]) -> tuple[float, ...]:
    return tuple(map(fmean, zip_longest(*(places for places in of_folds if places), fillvalue=0.0)))
