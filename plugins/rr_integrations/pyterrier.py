"""A transformer for PyTerrier: `bm25 >> pt.text.get_text(data) >> RegistryReranker("cross-encoder")`; without Java."""

from __future__ import annotations

from typing import Any

import rr
from rr_integrations.frames import candidates
from rr_integrations.sharing import loaded, needs

with needs("pyterrier", "pyterrier"):
    import pandas as pd
    import pyterrier as pt


class RegistryReranker(pt.Transformer):
    """A frame of results (qid, query, docno, text) → the same rows best first, with `score` and `rank` of the reranker:
    all of a query, or `top_n`, or those of `min_probability`. Scores that are there are the first stage's. `options` of
    `rr.load` go with a name."""

    def __init__(
        self,
        reranker: str | rr.NamedReranker,
        *,
        text_field: str = "text",
        top_n: int | None = None,
        min_probability: float | None = None,
        **options: Any,
    ) -> None:
        self.reranker, self.text_field = loaded(reranker, **options), text_field
        self.asked_for: dict[str, Any] = {"top_n": top_n, "min_probability": min_probability}

    def transform(self, inp: pd.DataFrame) -> pd.DataFrame:
        pt.validate.result_frame(inp, extra_columns=["query", self.text_field], context=self)
        place = {pair: row for row, pair in enumerate(zip(inp["qid"], inp["docno"], strict=True))}
        rankings = self.reranker.rerank_all(candidates(inp, self.text_field), **self.asked_for)
        kept = [(one.query.id, item.document.id) for one in rankings for item in one]
        out = inp.iloc[[place[pair] for pair in kept]].reset_index(drop=True)
        # what they are ordered by: a score may saturate
        scores = [value for one in rankings for value in one.run.values()]
        ranks = [pt.model.FIRST_RANK + number for one in rankings for number in range(len(one))]
        return out.assign(score=pd.Series(scores, dtype=float), rank=pd.Series(ranks, dtype=int))
