"""The course of the trainings behind the rows: their losses with the chance level."""

from __future__ import annotations

from pathlib import Path

from rr.diagnosis import Evidence
from rr.errors import RerankError
from rr.files import home
from rr_bench.doctor.as_html import curves
from rr_bench.evaluate.results import DatasetResult, Row, Weights
from rr_bench.report.html.elements import details, items, text
from rr_bench.train.checkpoints import open_checkpoint
from rr_bench.train.events import EVENTS, read_events


def trainings(dataset: DatasetResult) -> str:
    """A picture a row that was trained, or why there is none."""
    parts = [_of_row(row) for row in dataset.rows if row.weights]
    return f"<h3>Trainings</h3>{''.join(parts)}" if parts else ""


def _of_row(row: Row) -> str:
    first, more = row.weights[0], len(row.weights) - 1
    others = f" (the first of {more + 1} trainings)" if more else ""
    try:
        drawn = _curves(first)
    except RerankError as error:
        return items([f"<b>{text(row.reranker)}</b>: {text(str(error))}"])
    return details(f"{row.reranker}: {first.checkpoint}{others}", f'<div class="figures">{drawn}</div>')


def _curves(weights: Weights) -> str:
    """
    Raises:
        RerankError: the checkpoint is not here any more, is another one by now, or did not keep its course.
    """
    name = weights.checkpoint
    folder = home() / "checkpoints" / name
    if Path(name).name != name or not folder.is_dir():
        raise RerankError(f"no curve: its checkpoint {name} is not in this store any more")
    if open_checkpoint(folder).fingerprint() != weights.fingerprint:
        raise RerankError(f"no curve: checkpoint {name} has been trained again since, to other weights")
    if not (folder / EVENTS).is_file():
        raise RerankError(f"no curve: checkpoint {name} holds no events")
    drawn = curves(Evidence(events=read_events(folder / EVENTS)))
    if not drawn:
        raise RerankError("no curve: its trainer told no losses")
    return drawn
