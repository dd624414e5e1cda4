"""Scores by a remote rerank API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from rr import ModelInfo, Request, RerankError, Scores, ScoringError
from rr_http.client import Client
from rr_http.kept import Kept
from rr_http.pool import in_threads
from rr_http.settings import HttpSettings
from rr_http.shapes import Answer

BOUNDS = {"probability": (0.0, 1.0), "cosine": (-1.0, 1.0)}
BEYOND = 1e-5
"""How far rounding may carry a score out of its scale."""


@dataclass(frozen=True, slots=True)
class _Call:
    """What is sent in one call about `count` documents of a query, and the name of its answer."""

    query_id: str
    count: int
    body: dict[str, Any]
    name: str


class HttpScorer:
    """Asks once a query, or once for every `max_documents` of its documents. Diagnostics of a query, as they were when
    it was answered: `requests` (calls), `retries` (tries that failed), `tokens` and `billed_calls` where the API tells
    of them, and `truncated`, the share of documents that `max_characters` has cut."""

    Settings = HttpSettings

    def __init__(self, settings: HttpSettings, checkpoint: Path | None = None) -> None:
        self._settings = settings
        self._client = Client(settings)
        self._version = settings.version()
        self._others: dict[str, None] = {}

    @property
    def info(self) -> ModelInfo:
        settings = self._settings
        notes = [f"answered by {settings.host}"]
        if settings.truncation and settings.max_characters is None:
            notes.append("it cuts texts that are too long for its model, and does not tell which")
        notes += [f"asked for {settings.model}, it says that {name} answers" for name in self._others]
        return ModelInfo(
            self._scale,
            listwise=settings.listwise,
            max_candidates=settings.at_once if settings.listwise else None,
            state="pretrained",
            notes=tuple(notes),
            precision=settings.precision,
        )

    @property
    def _scale(self) -> Any:
        return self._settings.scale or ("logit" if self._settings.raw_scores else "probability")

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        """
        Raises:
            ScoringError: a query cannot be answered. Those that were are kept.
        """
        kept, stopped = Kept(self._settings.endpoint, self._version), Event()
        asked = [self._calls(request, kept) for request in requests]
        every = {call.name: call for calls in asked for call in calls}
        found = {name: answer for name in every if (answer := kept.find(name)) is not None}
        due = [call for name, call in every.items() if name not in found]

        def answered(call: _Call) -> Answer:
            try:
                answer = self._client.ask(call.body, call.count, stopped)
                self._check(answer)
            except RerankError as error:
                raise ScoringError(f"query {call.query_id!r}: {error}") from None
            kept.keep(call.name, answer)
            return answer

        answers = in_threads(answered, due, self._settings.concurrency, stopped)
        found |= {call.name: answer for call, answer in zip(due, answers, strict=True)}
        return [
            self._scores(request, [found[call.name] for call in calls])
            for request, calls in zip(requests, asked, strict=True)
        ]

    def _calls(self, request: Request, kept: Kept) -> list[_Call]:
        texts, at_once = [self._text(document.content) for document in request.candidates], self._settings.at_once
        bodies = [self._body(request.query.text, texts[at : at + at_once]) for at in range(0, len(texts), at_once)]
        named = [(body, kept.name(body)) for body in bodies]
        return [_Call(request.query.id, len(body[self._settings.form.documents]), body, name) for body, name in named]

    def _text(self, content: str) -> str:
        return content[: self._settings.max_characters]

    def _body(self, query: str, texts: list[str]) -> dict[str, Any]:
        settings, form = self._settings, self._settings.form
        body: dict[str, Any] = {"query": query, form.documents: texts, **settings.body}
        if settings.model:
            body["model"] = settings.model
        if form.most:
            body[form.most] = len(texts)
        if form.returns:
            body[form.returns] = False
        if form.truncation:
            body[form.truncation] = settings.truncation
        if settings.shape == "tei":
            body["raw_scores"] = settings.raw_scores
        return body

    def _check(self, answer: Answer) -> None:
        """Before it is kept.

        Raises:
            ScoringError: a score is none of its scale.
        """
        low, high = BOUNDS.get(self._scale, (-float("inf"), float("inf")))
        for score in answer.scores:
            if not low - BEYOND <= score <= high + BEYOND:
                what = f"a score of {score:.6g}, and a {self._scale} lies between {low:g} and {high:g}"
                raise ScoringError(f"{self._settings.host}: status 200: {what}; set scale to what its scores are")

    def _scores(self, request: Request, answers: Sequence[Answer]) -> Scores:
        for name in {answer.model for answer in answers} - {None, self._settings.model, ""}:
            self._others[str(name)] = None
        told = {"requests": float(len(answers)), "retries": float(sum(answer.retries for answer in answers))}
        for name, counts in (("tokens", [a.tokens for a in answers]), ("billed_calls", [a.billed for a in answers])):
            if None not in counts:
                told[name] = sum(count for count in counts if count is not None)
        longest = self._settings.max_characters
        if longest is not None:
            cut = sum(len(document.content) > longest for document in request.candidates)
            told["truncated"] = cut / len(request.candidates)
        return Scores(tuple(score for answer in answers for score in answer.scores), told)
