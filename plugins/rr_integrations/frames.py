"""Frames of results, as PyTerrier has them (qid, query, docno, text, score), as what rr reranks and judges."""

from __future__ import annotations

from typing import Any

import rr


def candidates(frame: Any, text_field: str = "text") -> list[rr.Request]:
    """One request for each query of a DataFrame, as `rr.NamedReranker.rerank_all` takes them, with its scores, where
    each row has one, as the first stage's.

    Raises:
        DataError: a document comes twice for a query, or has no text.
    """
    for qid, docno, text in zip(frame["qid"], frame["docno"], frame[text_field], strict=True):
        if not isinstance(text, str):
            line = f"query {qid!r}, document {docno!r}: {text_field} is {type(text).__name__}, not text"
            raise rr.DataError(f"{line}; fetch the texts (pt.text.get_text), or leave these rows out")
    scored = "score" in frame and bool(frame["score"].notna().all())
    return [
        rr.Request(
            rr.Query(qid, rows["query"].iloc[0]),
            tuple(map(rr.Document, rows["docno"], rows[text_field])),
            tuple(map(float, rows["score"])) if scored else None,
        )
        for qid, rows in frame.groupby("qid", sort=False)
    ]


def run(frame: Any) -> dict[str, dict[str, float]]:
    """Query → document → score, as `rr.evaluate(run=…)` takes it."""
    return {qid: dict(zip(rows["docno"], rows["score"], strict=True)) for qid, rows in frame.groupby("qid", sort=False)}
