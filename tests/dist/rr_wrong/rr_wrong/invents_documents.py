"""Puts a document of its own first."""

from dataclasses import replace

import rr
from rr_wrong.right import RightReranker, component


@rr.hookimpl
def rr_register_rerankers():
    return [component(__name__, "Wrong")]


class Wrong(RightReranker):
    def rerank(self, requests):
        own = rr.RankedDocument(rr.Document("own", "best of all"), 9.0, 1)
        return [replace(r, items=(own, *r.items[:-1])) for r in super().rerank(requests)]
