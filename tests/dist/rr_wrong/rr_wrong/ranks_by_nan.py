"""Ranks by scores that are no numbers."""

from dataclasses import replace

import rr
from rr_wrong.right import RightReranker, component


@rr.hookimpl
def rr_register_rerankers():
    return [component(__name__, "Wrong")]


class Wrong(RightReranker):
    def rerank(self, requests):
        items = [tuple(replace(i, score=float("nan")) for i in r.items) for r in super().rerank(requests)]
        return [rr.Ranking(r.query, of) for r, of in zip(requests, items, strict=True)]
