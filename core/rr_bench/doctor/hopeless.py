"""Ending a training that cannot come to anything, while it goes on."""

from __future__ import annotations

from collections.abc import Callable

from rr.diagnosis import Evidence, Finding, Verdict
from rr.errors import RerankError
from rr.protocols import OnEvent, TrainingEvent
from rr_bench.doctor import curve, recipe
from rr_bench.doctor.diagnosis import RANKS

CHECKS: dict[str, Callable[[Evidence], Finding | None]] = {
    "nothing-trained": curve.nothing_trained,
    "diverging": curve.diverging,
    "clipping": recipe.clipping,
    "weights-did-not-move": curve.weights_did_not_move,
    "loss-flat": curve.loss_flat,
}
"""What can be told before the end."""
EVALUATIONS, SHARE = 3, 0.3
"""After so many evaluations besides that of the start, and so much of the steps, it is time to judge."""


class StoppedError(RerankError):
    """A training was ended since it would come to nothing."""


def stops_if(verdict: Verdict, evidence: Evidence) -> OnEvent:
    """An observer that ends the training at the first finding as bad as `verdict`. `evidence`: what is known of it
    besides its events."""
    events: list[TrainingEvent] = []

    def look(event: TrainingEvent) -> None:
        events.append(event)
        evaluations = sum(one.dev is not None and one.step > 0 for one in events)
        if event.dev is None or evaluations < EVALUATIONS or event.step < SHARE * event.total:
            return
        told = Evidence(
            reranker=evidence.reranker,
            dataset=evidence.dataset,
            training=evidence.training,
            events=tuple(events),
            options=evidence.options,
        )
        for name, check in CHECKS.items():
            finding = check(told)
            if finding is not None and RANKS[finding.verdict] <= RANKS[verdict]:
                where = f"stopped at step {event.step} of {event.total}"
                raise StoppedError(f"{where}: {name}, {finding.evidence}; next: {finding.command}")

    return look
