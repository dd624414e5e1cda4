"""What the data report (docs/data.md) tells of why nothing can be learnt, or of why what is learnt is not true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rr.diagnosis import Evidence, Finding
from rr_bench.doctor.curve import SYMPTOMS

LEARNT = (*SYMPTOMS, "weights-did-not-move")


def labels(evidence: Evidence) -> Finding | None:
    """How well words, the first stage and histories tell relevant candidates from others, split by split."""
    report = evidence.data
    told, wrong = [], []
    for name, what in (("words_auc", "words"), ("first_stage_auc", "the first stage"), ("history_auc", "histories")):
        aucs = {
            split: auc
            for split, auc in report.get(name, {}).items()
            if split != "test" and auc is not None and report.get("auc_queries", {}).get(split, 0) >= 10
        }
        if not aucs:
            continue
        told.append(f"{what} {', '.join(f'{split} {auc:.2f}' for split, auc in aucs.items())}")
        # a first stage may rank wrongly all over, and be no worse than that
        lowest = 0.45 if name == "words_auc" else 0.0
        low = [split for split, auc in aucs.items() if auc < lowest or (auc < 0.56 and max(aucs.values()) > auc + 0.12)]
        wrong += [(split, what, aucs[split], max(aucs.values())) for split in low]
    ceilings = _splits(report, "ceilings")
    best = max(ceilings.values(), default=0.0)
    for split, ceiling in ceilings.items():
        if split == "train" and best > 0.3 and ceiling < best / 2 and not any(split == one for one, *_ in wrong):
            told.append(f"the first stage finds {ceiling:.0%} of what is relevant in train, {best:.0%} elsewhere")
            wrong.append((split, "the first stage", 0.5, best))
    if not told:
        return Finding("cannot tell", "there are too few queries with both kinds of candidates") if report else None
    text = f"AUC of relevant against other candidates: {'; '.join(told)}"
    if not wrong:
        return Finding("ok", text)
    split, what, auc, best = min(wrong, key=lambda one: one[2])
    how = "swapped (what is relevant is called irrelevant)" if auc < 0.4 else "of other queries (shuffled, or shifted)"
    fault = auc < 0.4 or (auc < 0.56 and best > 0.65)
    return Finding(
        "fault" if fault else "warning",
        text,
        f"the labels of {split} look {how}: {what} tell them apart elsewhere, or the other way round",
        _show(evidence),
        LEARNT,
    )


def truth_missing(evidence: Evidence) -> Finding | None:
    """The recall ceilings of the splits, and queries whose truth is not among their candidates."""
    ceilings = _splits(evidence.data, "ceilings")
    if not ceilings:
        return None
    text = f"recall ceiling {', '.join(f'{split} {value:.2f}' for split, value in ceilings.items())}"
    worst = min(ceilings, key=ceilings.__getitem__)
    if ceilings[worst] >= 0.3:
        return Finding("ok", text)
    return Finding(
        "fault" if ceilings[worst] < 0.05 else "warning",
        text,
        f"the truth is hardly ever among the candidates of {worst}: no reranker can find it"
        + (", and what is selected there is selected by chance" if worst == "dev" else ""),
        _show(evidence),
        ("worse-than-base", "metric-does-not-follow", "steps", "overfitted", "dev-split"),
    )


def order(evidence: Evidence) -> Finding | None:
    """Where the answers stood in training, and where the truth stands among the candidates."""
    places = _places(evidence)
    told = []
    total = sum(places.values())
    if total >= 20 and len(places) > 0:
        place, count = max(places.items(), key=lambda one: one[1])
        width = max(max(places) + 1, int(evidence.number("candidates", 2)))
        told.append(f"{count / total:.0%} of {total:.0f} answers at place {place + 1} of {width}")
        if count / total > max(0.5, 2.5 / width) and width > 2:
            return Finding(
                "fault",
                told[0],
                "the model learns a place, not an answer: shuffle the candidates of every training sample",
                evidence.retrain(),
                (*SYMPTOMS, "letter-bias"),
            )
    first, expected = _splits(evidence.data, "truth_first"), _splits(evidence.data, "truth_expected")
    for split, share in first.items():
        told.append(f"truth first in {share:.0%} of {split}")
        if share > max(0.5, 3 * expected.get(split, 0.0)) and evidence.data.get("sizes", {}).get(split, 0) >= 10:
            return Finding(
                "fault",
                f"the first candidate is relevant in {share:.0%} of {split}, by chance {expected.get(split, 0):.0%}",
                "the candidates are not shuffled: place tells the answer",
                _show(evidence),
                SYMPTOMS,
            )
    return Finding("ok", "; ".join(told)) if told else None


def history(evidence: Evidence) -> Finding | None:
    """How much there is to go on."""
    spans = _splits(evidence.data, "history")
    if not spans:
        return None
    worst = max(spans, key=lambda split: spans[split]["empty"])
    text = ", ".join(f"{split} {span['median']:g}" for split, span in spans.items())
    text = f"median history: {text} items; {spans[worst]['empty']:.0%} of {worst} have none"
    aucs = {split: auc for split, auc in _splits(evidence.data, "history_auc").items() if auc is not None}
    if aucs:
        text += f"; AUC of what others met along with it {', '.join(f'{s} {auc:.2f}' for s, auc in aucs.items())}"
    if spans[worst]["empty"] > 0.3 or min(span["median"] for span in spans.values()) < 2:
        return Finding(
            "fault",
            text,
            "histories are too short to tell anything: raise core, or leave such queries out",
            _show(evidence),
            (*LEARNT, "labels", "model-size"),
        )
    if aucs and max(aucs.values()) < 0.55:
        return Finding(
            "warning",
            text,
            "what a user met says nothing about what comes next: histories may be another user's, or random",
            _show(evidence),
            LEARNT,
        )
    return Finding("ok", text)


def target_in_history(evidence: Evidence) -> Finding | None:
    """Queries whose answer stands in their own history."""
    shares = _splits(evidence.data, "target_in_history")
    if not shares:
        return None
    worst = max(shares, key=shares.__getitem__)
    text = f"{shares[worst]:.0%} of {worst} have their target in their history"
    if shares[worst] < 0.05:
        return Finding("ok", text)
    return Finding(
        "fault" if shares[worst] > 0.3 else "warning",
        text,
        "the model reads the answer, or learns to copy; cut the history before the target",
        _show(evidence),
        LEARNT,
    )


def candidates(evidence: Evidence) -> Finding | None:
    """How many there are, and how different between queries."""
    spans, distinct = _splits(evidence.data, "candidates"), _splits(evidence.data, "distinct_candidates")
    if not spans:
        return None
    text = ", ".join(f"{split} {span['median']:g}" for split, span in spans.items())
    text = f"median candidates: {text}; distinct {', '.join(f'{s} {share:.0%}' for s, share in distinct.items())}"
    few = [split for split, span in spans.items() if span["median"] < 2]
    if few:
        return Finding(
            "fault",
            text,
            f"queries of {few[0]} have fewer than two candidates: there is nothing to rank",
            _show(evidence),
            SYMPTOMS,
        )
    return Finding("ok", text)


def leak(evidence: Evidence) -> Finding | None:
    """Queries that an earlier split asks too."""
    pairs = evidence.data.get("overlap", {})
    shares = {
        # two who watch the same film after the same film are no leak
        pair: max((counts["equal"] + counts["near"]) / counts["of"], counts["targets"] / counts["of"] - 0.1)
        for pair, counts in pairs.items()
        if counts.get("of")
    }
    if not shares:
        return None
    worst = max(shares, key=shares.__getitem__)
    counts = pairs[worst]
    text = f"{worst}: of {counts['of']} {counts['equal']} equal, {counts['near']} nearly, {counts['targets']} targets"
    if shares[worst] < 0.02:
        return Finding("ok", text)
    return Finding(
        "fault" if shares[worst] > 0.2 else "warning",
        text,
        "what is tested was trained on: every figure of it is too good; split by group, or drop the copies",
        _show(evidence),
        ("overfitted", "steps"),
    )


def duplicates(evidence: Evidence) -> Finding | None:
    """Documents with the text of another, positives above all."""
    counts = evidence.data.get("duplicates")
    if not counts:
        return None
    documents = max(evidence.data.get("documents", 0), 1)
    text = f"{counts['documents']} of {documents} documents have another's text, {counts['positives']} positives a copy"
    share = counts["positives"] / max(sum(evidence.data.get("sizes", {}).values()), 1)
    if share < 0.05 and counts["documents"] / documents < 0.3:
        return Finding("ok", text)
    return Finding(
        "fault" if share > 0.3 or counts["documents"] / documents > 0.6 else "warning",
        text,
        "a copy of what is relevant counts as wrong, in training and in every figure: judge copies alike, or drop them",
        _show(evidence),
        LEARNT,
    )


def dev_split(evidence: Evidence) -> Finding | None:
    """Whether anything can be selected on it."""
    count = evidence.data.get("sizes", {}).get("dev")
    if count is None or not evidence.series("dev"):
        return None
    if count >= 5:
        return Finding("ok", f"{count} dev queries")
    return Finding(
        "fault" if count < 3 else "warning",
        f"{count} dev queries",
        "the best evaluation is chosen by luck: give the dev split 20 queries or more",
        _show(evidence),
        ("worse-than-base", "overfitted", "steps", "metric-does-not-follow"),
    )


def mojibake(evidence: Evidence) -> Finding | None:
    """Texts that were read in another encoding than they were written in."""
    shares = evidence.data.get("mojibake")
    if not shares:
        return None
    worst = max(shares, key=shares.__getitem__)
    text = f"{shares[worst]:.0%} of the {worst} are garbled"
    if shares[worst] < 0.02:
        return Finding("ok", text)
    return Finding(
        "fault" if shares[worst] > 0.2 else "warning",
        text,
        "UTF-8 was read as another encoding: read the source again, as UTF-8",
        _show(evidence),
        LEARNT,
    )


def _show(evidence: Evidence) -> str:
    return evidence.command("data", "show", evidence.dataset or "DATA")


def _splits(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Of the splits that were trained and selected on."""
    return {split: value for split, value in report.get(name, {}).items() if split != "test"}


def _places(evidence: Evidence) -> dict[int, float]:
    """Place → how many answers of the training stood there."""
    found: dict[int, float] = {}
    for event in evidence.events:
        for name, count in event.figures.items():
            if name.startswith("place "):
                place = int(name.removeprefix("place "))
                found[place] = found.get(place, 0.0) + count
    return found
