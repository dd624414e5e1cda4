"""One row of the table: an entry asked about a data set's test queries, judged, timed and looked at by the doctor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rr.measures.rankings import blocks
from rr.protocols import ModelInfo
from rr.rerank.gate import with_ties
from rr.types import Request
from rr_bench.compose.answers import run_of
from rr_bench.compose.loaded import composed_info
from rr_bench.compose.weights import Found
from rr_bench.doctor.diagnosis import WORST_FIRST, Diagnosis, listed
from rr_bench.environment import merged
from rr_bench.evaluate.asking import Asked, Asking, Bench, means
from rr_bench.evaluate.cost import Cost, Spent, summed
from rr_bench.evaluate.diagnosed import chosen_places, diagnosed
from rr_bench.evaluate.doubts import doubts
from rr_bench.evaluate.pairs import Answer
from rr_bench.evaluate.price import dollars, estimated_tokens, told_calls
from rr_bench.evaluate.results import Row, Weights
from rr_bench.evaluate.significance import interval
from rr_bench.evaluate.validity import Floats, judged_figure, judged_shares
from rr_bench.members import Part
from rr_bench.runs.recording import described, heard
from rr_bench.schema import Price
from rr_bench.train.checkpoints import Checkpoint

WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a parameter."""


def measured_row(part: Part, bench: Bench) -> Row:
    """
    Raises:
        RerankError: it, or a member, cannot be trained, loaded or asked.
        NotApplicableError: it, or a member, has no answer here.
    """
    asking, requests = Asking(part, bench), bench.requests
    weights = asking.weights()
    found, asked = asking.answers(weights)
    if part.members:  # a leaf's have passed the gate
        found = [with_ties(one) if one.values else one for one in found]
    runs = {request.query.id: run_of(request, one) for request, one in zip(requests, found, strict=True)}
    told = {query_id: Answer(run, one.diagnostics) for (query_id, run), one in zip(runs.items(), found, strict=True)}
    _tell(part, bench, asked, told)
    values, judged = _values(runs, bench)
    cost = summed([Spent(one.cost, one.leaf.model, _pairs(one.requests) / max(_pairs(requests), 1)) for one in asked])
    models = list({one.leaf.model: one for one in asked}.values())
    checkpoints = [one.leaf.choice.checkpoint for one in models if one.leaf.choice.checkpoint is not None]
    info, price = _info(part, asked), _price(part, asked, cost, bench.price)
    verdict, findings = _diagnosis(asked, bench)
    doubtful = doubts(part, bench, asked, told)
    return Row(
        reranker=part.name,
        state=info.state,
        notes=(*_notes(part, info, weights, asked, requests, price), *doubtful.notes),
        metrics={name: interval(one) for name, one in values.items()},
        diagnostics=means(found) if part.members else asked[0].diagnostics,
        train_seconds=sum(one.seconds for one in checkpoints) if checkpoints else None,
        train_timed_on=merged([one.timed_on for one in checkpoints]),
        ms_per_query=cost.ms_per_query,
        pairs_per_second=cost.pairs_per_second,
        timed_on=cost.timed_on,
        parameters=info.parameters,
        trainable=sum(_trained(one.leaf.choice.checkpoint, one.scored.info) for one in models),
        weights=tuple(found for one in models for found in Weights.of(one.leaf.choice)),
        scores_from_store=all(one.scored.stored for one in asked),
        per_query={name: tuple(one) for name, one in values.items()},
        verdict=verdict,
        findings=findings,
        chosen=chosen_places(requests, runs) if part.members else asked[0].chosen,
        ms_p95=cost.ms_p95,
        timed_queries=cost.queries,
        memory=cost.memory,
        device_memory=cost.device_memory,
        size=sum(one.scored.info.parameters * WIDTHS[one.scored.info.precision] for one in models),
        dollars=price.dollars,
        validity={**judged, **doubtful.validity},
        faults=doubtful.faults,
        calibration=doubtful.calibration,
    )


def _tell(part: Part, bench: Bench, asked: Sequence[Asked], answers: Mapping[str, Answer]) -> None:
    """What the record of the bench has of the row."""
    leaves = {one.part.name: one.leaf for one in asked}
    choices = [leaf.choice for leaf in leaves.values() if leaf.choice.folder is not None]
    checkpoint = {
        "folder": ", ".join(one.folder.absolute().name for one in choices if one.folder),
        "fingerprint": ", ".join(one.fingerprint() for one in choices),
    }

    def about() -> dict[str, Any]:
        told = {name: described(bench.plugins, leaf.resolved) for name, leaf in leaves.items()}
        if not part.members:
            return told[part.name]
        return {"entry": part.entry.model_dump(mode="json", exclude_unset=True), "members": told}

    heard(part.name, bench.view, bench.requests, answers, about, checkpoint)


def _values(runs: Mapping[str, Mapping[str, float]], bench: Bench) -> tuple[dict[str, list[float]], dict[str, float]]:
    """The name of each metric → one value for each query of its population; and `judged_figure`. Rankings are read and
    sorted once."""
    test = bench.view.splits["test"]
    found: dict[str, list[Floats]] = {one.name: [] for one in bench.measures}
    judged = []
    for rankings in blocks(runs, bench.view.qrels, test):
        judged.append(judged_shares(rankings, bench.cutoff))
        for one in bench.measures:
            found[one.name].append(one.values(rankings))
    place = {query_id: number for number, query_id in enumerate(test)}
    values = {
        one.name: np.concatenate(found[one.name])[[place[query_id] for query_id in ids]].tolist()
        for one, ids in bench.measures.items()
    }
    return values, judged_figure(np.concatenate(judged), bench.cutoff)


def _info(part: Part, asked: Sequence[Asked]) -> ModelInfo:
    if not part.members:
        return asked[0].scored.info
    return composed_info(part, {one.part.name: one.leaf.known(one.scored) for one in asked})


def _trained(checkpoint: Checkpoint | None, info: ModelInfo) -> int:
    return 0 if checkpoint is None else checkpoint.trained(info)


def _pairs(requests: Sequence[Request]) -> int:
    return sum(len(request.candidates) for request in requests)


def _notes(
    part: Part,
    info: ModelInfo,
    weights: Mapping[str, Found],
    asked: Sequence[Asked],
    requests: Sequence[Request],
    price: _Priced,
) -> Iterator[str]:
    yield from info.notes
    for name, found in weights.items():
        yield str(found) if name == part.name else f"{name}: {found}"
    longest = max((len(request.candidates) for request in requests), default=0)
    yield from _nothing_left_out(part, longest)
    for one in {one.part.name: one for one in asked}.values():
        for note in one.leaf.choice.notes:
            yield f"{one.part.name}: {note}" if part.members else note
    if price.note:
        yield price.note


def _nothing_left_out(part: Part, longest: int) -> Iterator[str]:
    """Which stages keep all that there is. `longest`: the most candidates that the part is asked about."""
    for member in part.members:
        stage = next((one for one in part.entry.cascade or () if one.reranker == member.name), None)
        yield from _nothing_left_out(member, longest)
        if stage is not None and stage.keep is not None and member is not part.members[-1]:
            if stage.keep >= longest:
                yield f"{member.name} keeps {stage.keep}, and no query has more than {longest}: it leaves nothing out"
            longest = min(longest, stage.keep)


@dataclass(frozen=True)
class _Priced:
    dollars: float | None
    note: str = ""


def _price(part: Part, asked: Sequence[Asked], cost: Cost, default: Price | None) -> _Priced:
    """By the entry's own price; else, of one that is made of others, the sum of theirs; else by the `default`."""
    if part.members and part.entry.price is None:
        each = [_price(one.part, [one], one.cost, default) for one in asked]
        known = [one.dollars for one in each if one.dollars is not None]
        notes = dict.fromkeys(one.note for one in each if one.note)
        return _Priced(sum(known) if len(known) == len(each) else None, "; ".join(notes))
    price = part.entry.price or default
    if price is None:
        return _Priced(None)
    reported = [one.diagnostics for one in asked]
    tokens = sum(
        told["tokens"] if "tokens" in told else estimated_tokens(one.requests, one.scored.info.listwise)
        for one, told in zip(asked, reported, strict=True)
    )
    note = ""
    if price.per_token is not None and not all("tokens" in told for told in reported):
        note = "$/1k: of tokens that are estimated, 4 bytes of UTF-8 each"
    if price.per_call is not None and any(
        {"windowed", "tournament", "permutations"} & told.keys() for told in reported
    ):
        note = "$/1k: of one call a query, and it takes several"
    calls = 1.0 if part.members else sum(map(told_calls, reported))  # one that is made of others has a price a query
    return _Priced(dollars(price, cost.ms_per_query, tokens, calls), note)


def _diagnosis(asked: Sequence[Asked], bench: Bench) -> tuple[str, tuple[Mapping[str, str], ...]]:
    """The doctor's verdict and findings; of several members the worst, and what is not said of all of them says of
    whom."""
    each: dict[str, Diagnosis] = {}
    for one in asked:
        each[one.part.name] = diagnosed(
            one.leaf.resolved, bench.dataset, one.leaf.choice, one.diagnostics, one.chosen, bench.plugins
        )
    verdict = min((one.verdict for one in each.values()), key=WORST_FIRST.index)
    if len(each) == 1:
        return verdict, tuple(listed(next(iter(each.values()))))
    said: dict[tuple[str, str, str], list[str]] = {}
    findings = {}
    for name, diagnosis in each.items():
        for finding in listed(diagnosis):
            key = (finding["check"], finding["verdict"], finding["evidence"])
            said.setdefault(key, []).append(name)
            findings[key] = finding
    told = [
        finding if len(said[key]) == len(each) else {**finding, "evidence": f"{', '.join(said[key])}: {key[2]}"}
        for key, finding in findings.items()
    ]
    return verdict, tuple(sorted(told, key=lambda one: WORST_FIRST.index(one["verdict"])))
