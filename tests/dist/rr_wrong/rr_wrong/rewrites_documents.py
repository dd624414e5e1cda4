"""Answers with other texts under the same ids."""

from dataclasses import replace

import rr
from rr_wrong.right import RightReranker, component


@rr.hookimpl
def rr_register_rerankers():
    return [component(__name__, "Wrong")]


class Wrong(RightReranker):
    def rerank(self, requests):
        other = [
            tuple(replace(i, document=rr.Document(i.document.id, "")) for i in r.items)
            for r in super().rerank(requests)
        ]
        return [rr.Ranking(r.query, items) for r, items in zip(requests, other, strict=True)]
