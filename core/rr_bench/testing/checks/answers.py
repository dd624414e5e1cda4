"""Whether a scorer answers at all: one finite number a candidate, of the declared scale, whatever their number."""

from __future__ import annotations

import math

from rr.border import plugin_code
from rr.errors import NotApplicableError, RerankError
from rr.rerank import compose
from rr.types import Ranking, Scores
from rr_bench.border.untouched import unchanged
from rr_bench.loading import Isolated, told
from rr_bench.testing.asking import answers, answers_by_itself, raw, shown, values
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.examples import about, request, requests
from rr_bench.testing.subject import Subject


@check_of("scorer")
def check_loads(subject: Subject) -> None:
    """It is built of its settings and, at the most, what its trainer wrote, and its `info` can be understood."""
    rule = "it loads, and says what it is in `info`"
    try:
        with plugin_code("it cannot be loaded"):
            subject.loaded  # noqa: B018 - now
        subject.info  # noqa: B018 - now
    except RerankError as error:
        raise BrokenRuleError(rule, str(error), f"{subject.name}(settings, checkpoint=None)") from error


@check_of("scorer")
def check_each_candidate_once(subject: Subject) -> None:
    """One number a candidate, or one place in the ranking, for 1, N - 1, N, N + 1 and 10 N of them, N being how many
    fit; if any number does, 20. A reranker is shown none at all, too."""
    rule = "each candidate is answered once, no other is"
    fits, limited = subject.fits, subject.info.max_candidates is not None
    beyond = [] if limited else [fits + 1, 10 * fits]
    for count in sorted(
        {*([0] if subject.kind == "reranker" else []), 1, min(2, fits), max(fits - 1, 1), fits, *beyond}
    ):
        asked = request(count)
        given = answers_by_itself(subject, asked, rule)
        if subject.kind == "reranker":
            if not isinstance(given, Ranking):
                raise BrokenRuleError(rule, f"{type(given).__name__}, not rr.Ranking", shown([asked]))
            ranked = [item.document.id for item in given.items]
            told_of, distinct = len(ranked), len(set(ranked) & {document.id for document in asked.candidates})
        else:
            numbers = given.values if isinstance(given, Scores) else given
            told_of = distinct = len(list(numbers))
        if not told_of == distinct == count:
            found = f"{told_of} answers" + (f", {distinct} of them for candidates" if distinct != told_of else "")
            raise BrokenRuleError(rule, found, shown([asked]))


@check_of("scorer")
def check_no_request(subject: Subject) -> None:
    """No requests are answered by no answers."""
    found = answers(subject, [], "an empty list for an empty list", "no request")
    if found:
        raise BrokenRuleError("an empty list for an empty list", f"{len(found)} answers", "no request")


@check_of("scorer")
def check_requests_in_order(subject: Subject) -> None:
    """One answer a request, in their order: requests of 1, 2 and 3 candidates have answers as long."""
    rule = "one answer a request, in the order of the requests"
    counts = [count for count in (1, 2, 3, 2) if count <= subject.fits]
    asked = [request(count, query) for query, count in enumerate(counts)]
    try:
        with plugin_code("it broke"):
            given = raw(subject.loaded, list(asked))
    except RerankError as error:
        raise BrokenRuleError(rule, str(error), shown(asked)) from error
    if subject.kind == "reranker":
        found = [answer.query.id for answer in given]
        if found != [one.query.id for one in asked]:
            raise BrokenRuleError(rule, f"rankings of {', '.join(found)}", shown(asked))
        return
    lengths = [len(list(answer.values if isinstance(answer, Scores) else answer)) for answer in given]
    if lengths != counts:
        raise BrokenRuleError(rule, f"answers of {', '.join(map(str, lengths))} numbers", shown(asked))


@check_of("scorer")
def check_inputs_unchanged(subject: Subject) -> None:
    """The list of requests, and all that is in them, are after the call as they were before: others are asked about the
    same objects."""
    rule = "what it is shown stays as it was"
    asked = requests(3, min(subject.fits, 4))
    given = list(asked)
    everything = [part for one in asked for part in (one, one.query, *one.candidates, *one.query.history)]
    try:
        with unchanged(everything), plugin_code("it broke"):
            raw(subject.loaded, given)
    except RerankError as error:
        raise BrokenRuleError(rule, str(error), shown(asked)) from error
    if [id(one) for one in given] != [id(one) for one in asked]:
        found = f"the list that it was given has {len(given)} requests" if len(given) != len(asked) else "another order"
        raise BrokenRuleError(rule, found, shown(asked))


@check_of("scorer")
def check_finite_scores(subject: Subject) -> None:
    """Every score is a number, and none is NaN or infinite: those have no place in an order."""
    rule = "every score is a finite number"
    nothing_shared = about(["Lamps, kettles, tents.", "A red bicycle."][: subject.fits], "red bicycle?")
    for asked in (*requests(3, min(subject.fits, 6)), nothing_shared):
        given = answers_by_itself(subject, asked, rule)
        for number in values(given):
            if isinstance(number, str | bytes):
                raise BrokenRuleError(rule, f"the text {number!r}", shown([asked]))
            try:
                with plugin_code("it is no number"):
                    finite = math.isfinite(float(number))
            except RerankError as error:
                raise BrokenRuleError(rule, str(error), shown([asked])) from error
            if not finite:
                raise BrokenRuleError(rule, f"a score of {float(number)}", shown([asked]))


@check_of("scorer")
def check_best_first(subject: Subject) -> None:
    """Of a reranker: the highest score is first, and ranks count from 1. What a scorer's candidates are ordered by,
    where it is not the score, does not contradict it."""
    rule = "best first: higher is better, and the ranks are 1, 2, 3, …"
    for asked in requests(3, min(subject.fits, 6)):
        given = answers_by_itself(subject, asked, rule)
        if isinstance(given, Ranking):
            ranks = [item.rank for item in given.items]
            if ranks != list(range(1, len(ranks) + 1)):
                raise BrokenRuleError(rule, f"the ranks {', '.join(map(str, ranks))}", shown([asked]))
            ordered = list(given.run.values())
            if ordered != sorted(ordered, reverse=True):
                figures = ", ".join(f"{value:.4g}" for value in ordered)
                raise BrokenRuleError(rule, f"scores in the order {figures}", shown([asked]))
        elif isinstance(given, Scores) and given.ranked_by is not None:
            pairs = sorted(zip(map(float, given.ranked_by), map(float, given.values), strict=True))
            if [value for _, value in pairs] != sorted(value for _, value in pairs):
                raise BrokenRuleError(rule, "ranked_by and the scores put candidates in another order", shown([asked]))


@check_of("scorer")
def check_declared_scale(subject: Subject) -> None:
    """A `probability` lies between 0 and 1, a `cosine` between -1 and 1, as far as rounding goes."""
    answers(subject, requests(6, min(subject.fits, 8)), f"scores of the declared scale, {subject.info.scale}")


@check_of("scorer")
def check_not_constant(subject: Subject) -> None:
    """Candidates are told apart: not every score of every request is the same. One that starts at zero says that it is
    `untrained`."""
    if subject.info.state == "untrained":
        raise NotApplicableError("it says that it is untrained")
    if subject.fits < 2:
        raise NotApplicableError("one candidate fits, which nothing can be told from")
    asked = requests(4, min(subject.fits, 8))
    found = answers(subject, asked, "an answer")
    if all(len(set(scores.keys)) == 1 for scores in found):
        rule = "scores that tell candidates apart, or info.state 'untrained'"
        raise BrokenRuleError(rule, f"{found[0].keys[0]:.6g} for every candidate", shown(asked[:1]))


@check_of("scorer")
def check_more_than_fit(subject: Subject) -> None:
    """Where `info.max_candidates` limits a scorer, the generic reranker shows it N + 1 and 10 N in parts; it takes 2 or
    more, or there is nothing to compare."""
    if subject.kind == "reranker":
        raise NotApplicableError("a reranker ranks as many as it is given")
    if subject.info.max_candidates is None:
        raise NotApplicableError("any number fits")
    rule = "as many candidates as info.max_candidates says can be shown at once, again and again"
    for count in (subject.fits + 1, 10 * subject.fits):
        asked = request(count)
        try:
            (ranking,) = compose(Isolated(subject.loaded)).rerank([asked])
        except RerankError as error:
            raise BrokenRuleError(rule, str(error), shown([asked])) from error
        assert len(ranking.items) == count


@check_of("scorer")
def check_honest_state(subject: Subject) -> None:
    """`info.state` says where the weights come from: `trained` needs a checkpoint, or settings that name the weights;
    with a checkpoint it is `trained`; and `no weights` has none."""
    info, rule = subject.info, "info.state says where the weights come from"
    given = f"info.state {info.state!r}"
    try:
        untaught = Isolated(subject.load()).info
    except RerankError:  # it needs what its trainer writes
        untaught = None
    if untaught is not None and untaught.state == "trained" and not told(subject.settings, "weights"):
        found = f"{given} with no checkpoint, and settings whose weights() name nothing"
        raise BrokenRuleError(rule, found, f"{subject.name}(settings, checkpoint=None).info")
    if untaught is None and info.state != "trained":
        raise BrokenRuleError(rule, f"{given} with a checkpoint", f"{subject.name}(settings, checkpoint).info")
    if info.state == "no weights" and info.parameters:
        raise BrokenRuleError(rule, f"{given} and info.parameters {info.parameters}", f"{subject.name}(settings).info")
    if info.trainable > info.parameters:
        found = f"info.trainable {info.trainable} of info.parameters {info.parameters}"
        raise BrokenRuleError("no more weights are trained than there are", found, f"{subject.name}(settings).info")
