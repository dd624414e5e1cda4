"""Ranks the best one twice."""

from dataclasses import replace

import rr
from rr_wrong.right import RightReranker, component


@rr.hookimpl
def rr_register_rerankers():
    return [component(__name__, "Wrong")]


class Wrong(RightReranker):
    def rerank(self, requests):
        return [replace(r, items=(r.items[0], *r.items[:-1])) for r in super().rerank(requests)]
