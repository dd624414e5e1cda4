"""What of a data set's report is worth a line under a table: nothing that is as it should be, or that `damage` says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

FEW_DEV = 5
"""Dev queries, below which a selection on them rests on little."""
SURPRISE = 12.0
"""By the bound of Chernoff, chance gets so far from what is expected once in e^12 = 160,000 data sets at the most."""
PERMUTED, FITTING, ENOUGH = 0.55, 0.65, 20
"""AUC up to which the labels of a split may be permuted, above which those of another are not; queries of both."""
SHARED_TARGETS = 0.5
"""Share of the queries with a history whose last step another split has; what is popular follows what is popular."""


def report_notes(report: Mapping[str, Any]) -> list[str]:
    """One line for each oddity; `report`: that of `data_report`, whole."""
    found = (_unanswerable, _overlaps, _duplicates, _selection, _order, _labels, _encoding)
    return [note for notes in found for note in notes(report)]


def _unanswerable(report: Mapping[str, Any]) -> Iterator[str]:
    for split, count in report["unanswerable"].items():
        then = "not in the means" if split == "test" else "not shown to trainers"
        yield f"{split}: {count} of {report['sizes'][split]} queries have no relevant document, as the data say: {then}"


def _overlaps(report: Mapping[str, Any]) -> Iterator[str]:
    for pair, counts in report["overlap"].items():
        earlier, later = pair.split("/")
        for key, how in (
            ("equal", ""),
            ("near", " but for case, accents, punctuation or the order of words"),
            ("similar", " but for a word or two, with the same answer"),
        ):
            if counts[key]:
                yield f"{counts[key]} of {counts['of']} {later} queries are asked in {earlier} too{how}"
        if report["history"] and counts["targets"] > SHARED_TARGETS * counts["of"]:
            yield f"{counts['targets']} of {counts['of']} {later} queries end as in {earlier}: last item, then target"


def _duplicates(report: Mapping[str, Any]) -> Iterator[str]:
    if near := report["duplicates"]["near"]:
        yield f"{near} documents differ from another in case, accents, punctuation or the order of words alone"
    for split, share in report["target_in_history"].items():
        if share:
            yield f"{split}: {share:.1%} of the queries with a history have a relevant document in it"


def _selection(report: Mapping[str, Any]) -> Iterator[str]:
    if report["ceilings"].get("train") == 0:
        yield "no train query has a relevant candidate"
    if report["ceilings"].get("dev") == 0:
        yield "no dev query has a relevant candidate: a selection on it is by chance"
    count = report["sizes"].get("dev", 0)
    if 0 < count < FEW_DEV:
        yield f"dev holds {count} {'query' if count == 1 else 'queries'}: a selection on it rests on little"


def _order(report: Mapping[str, Any]) -> Iterator[str]:
    for split, first in report["truth_first"].items():
        asked = report["sizes"][split] - report["unanswerable"].get(split, 0)
        count = asked * (1 - report["missing_truth"][split])
        expected, places = report["truth_expected"][split], report["truth_places"][split]
        most = max(range(len(places)), key=places.__getitem__)
        if surprise(first, expected, count) > SURPRISE:
            told = f"the first candidate of {first:.0%} of the queries is relevant, {expected:.0%} by chance"
            yield f"{split}: {told}: candidates are not shuffled"
        # of few candidates one place is a tenth, or nearly two of them are
        elif surprise(places[most], max(expected, 0.2), count) > SURPRISE:
            told = f"{places[most]:.0%} of the relevant candidates stand in one tenth of their lists, number {most + 1}"
            yield f"{split}: {told}: candidates are not shuffled"


def surprise(share: float, expected: float, count: float) -> float:
    """Of a share of `count` that is above the expected one: −ln of what bounds its probability."""
    if not share > expected:
        return 0.0
    rest = (1 - share) * math.log((1 - share) / (1 - expected)) if share < 1 else 0.0
    return count * (share * math.log(share / expected) + rest)


def _labels(report: Mapping[str, Any]) -> Iterator[str]:
    for key, what in (("words_auc", "shared words rank"), ("first_stage_auc", "the first stage ranks")):
        aucs = {split: auc for split, auc in report[key].items() if report["auc_queries"][split] >= ENOUGH}
        best = max(aucs, key=aucs.__getitem__, default="")
        for split, auc in aucs.items():
            if auc <= PERMUTED and aucs[best] > FITTING:
                told = f"{what} relevant candidates by chance or worse (AUC {auc:.2f}), not in {best}"
                yield f"{split}: {told} ({aucs[best]:.2f}): its labels may be permuted"


def _encoding(report: Mapping[str, Any]) -> Iterator[str]:
    for what, share in report["mojibake"].items():
        if share:
            yield f"{share:.1%} of the {what} hold text whose encoding was read wrongly (Ã¡, â€™, U+FFFD)"
