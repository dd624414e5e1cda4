"""The rerankers library: its own `rank`, whose results are put back by the id of each document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from rerankers import Reranker

from rr import ModelInfo, Precision, Request, RerankError, Scores, ScoringError, State
from rr_rerankers.settings import RerankersSettings
from rr_torch import (
    check_finite,
    check_safetensors,
    fetching,
    model_path,
    parameter_counts,
    pick_device,
    precision_of,
    quiet,
    runs_code,
    seeded,
    weights_folder,
    weights_not_in,
)

FROM_PRETRAINED = ("cross-encoder", "colbert", "t5", "mxbaiv2")
"""Kinds that hand `model_kwargs` on to transformers' from_pretrained."""


class RerankersScorer:
    """Scores are the library's own, or, with `scale: rank`, the negative of each document's place."""

    Settings = RerankersSettings

    def __init__(self, settings: RerankersSettings, checkpoint: Path | None = None) -> None:
        self._settings, self._trained, device = settings, checkpoint is not None, pick_device()
        source = str(checkpoint) if checkpoint else model_path(settings.model)
        remote = runs_code(settings.trust_remote_code, source)
        arguments = dict(settings.arguments)
        if settings.model_type in FROM_PRETRAINED:
            check_safetensors(source)
            own = {"use_safetensors": True, **({"trust_remote_code": True} if remote else {})}
            arguments["model_kwargs"] = {**arguments.get("model_kwargs", {}), **own}
        elif remote:
            raise RerankError(f"model_type {settings.model_type!r} takes no 'trust_remote_code'; leave it out")
        told = StringIO()
        with redirect_stdout(told), quiet(), seeded(0), fetching(source):
            self._ranker: Any = Reranker(
                source, model_type=settings.model_type, verbose=0, device=str(device), **arguments
            )
        if self._ranker is None:  # it prints why, and returns nothing
            raise RerankError(
                f"rerankers {version('rerankers')} cannot load model_type {settings.model_type!r} here: "
                f"{' '.join(told.getvalue().split())}"
            )
        model = getattr(self._ranker, "model", None)
        self._model = model if isinstance(model, torch.nn.Module) else None
        self._missing: list[str] = []
        if self._model is not None:
            check_finite(settings.model, self._model)
            labels = getattr(getattr(self._model, "config", None), "num_labels", 1)
            if (
                settings.model_type == "cross-encoder"
                and labels != 1
                and not getattr(self._ranker, "is_monobert", False)
            ):
                raise RerankError(f"model {settings.model!r} has {labels} labels; a reranker needs one that scores")
            folder = weights_folder(source)
            self._missing = [] if folder is None else weights_not_in(folder, self._model)

    @property
    def info(self) -> ModelInfo:
        parts = sorted({name.rpartition(".")[0] for name in self._missing})
        state: State = "untrained" if self._missing else "trained" if self._trained else "pretrained"
        precision: Precision = "float32" if self._model is None else precision_of(next(self._model.parameters()).dtype)
        return ModelInfo(
            self._settings.scale,
            listwise=self._settings.listwise or self._settings.scale == "rank",
            state=state,
            parameters=0 if self._model is None else parameter_counts(self._model)[0],
            notes=(*((f"random {', '.join(parts)}",) if parts else ()), "what is cut is not counted"),
            precision=precision,
        )

    def score(self, requests: Sequence[Request]) -> list[Scores]:
        """
        Raises:
            ScoringError: a document has no result, or several, or one without a score.
        """
        return [Scores(self._ranked(request)) for request in requests]

    def _ranked(self, request: Request) -> tuple[float, ...]:
        texts = list(dict.fromkeys(document.content for document in request.candidates))  # equal ones get equal scores
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # it prints, and draws bars
            found = self._ranker.rank(request.query.text, texts, doc_ids=list(range(len(texts))))
        scores: dict[str, float] = {}
        for place, result in enumerate(found.results):
            id_ = result.document.doc_id
            if not isinstance(id_, int) or not 0 <= id_ < len(texts) or texts[id_] in scores:
                raise ScoringError(
                    f"query {request.query.id!r}: rerankers gave a result for {id_!r}, which is not asked"
                )
            scores[texts[id_]] = (
                -float(place) if self._settings.scale == "rank" else self._number(request, result.score)
            )
        missing = [text for text in texts if text not in scores]
        if missing:
            raise ScoringError(
                f"query {request.query.id!r}: rerankers gave no result for {len(missing)} of {len(texts)} documents, "
                f"{missing[0][:40]!r} among them"
            )
        return tuple(scores[document.content] for document in request.candidates)

    def _number(self, request: Request, score: object) -> float:
        if not isinstance(score, int | float) or not math.isfinite(score):
            mend = "; set scale: rank, which reads the order alone" if score is None else ""
            raise ScoringError(
                f"query {request.query.id!r}: rerankers gave the score {score!r}, which is no number{mend}"
            )
        return float(score)
