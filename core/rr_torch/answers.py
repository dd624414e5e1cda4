"""From the logits of pairs to the answers of a scorer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rr import Request, Scale, Scores


def by_request(requests: Sequence[Request], logits: Sequence[float], cut: Sequence[bool], scale: Scale) -> list[Scores]:
    """The answers: `logits` and `cut` have a place for each pair of the requests, one request behind the other.
    Probabilities are ranked by their logits, since those above 17 are all 1 in 32 bits. The diagnostic `truncated` is
    the share of a request's pairs that were `cut`."""
    answers, start = [], 0
    for request in requests:
        span = slice(start, start := start + len(request.candidates))
        values, diagnostics = tuple(logits[span]), {"truncated": sum(cut[span]) / len(request.candidates)}
        if scale == "probability":
            answers.append(Scores(tuple(map(sigmoid, values)), diagnostics, ranked_by=values))
        else:
            answers.append(Scores(values, diagnostics))
    return answers


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
