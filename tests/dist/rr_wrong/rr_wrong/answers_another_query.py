"""Answers with the query changed."""

from dataclasses import replace

import rr
from rr_wrong.right import RightReranker, component


@rr.hookimpl
def rr_register_rerankers():
    return [component(__name__, "Wrong")]


class Wrong(RightReranker):
    def rerank(self, requests):
        return [replace(r, query=rr.Query("other", "another")) for r in super().rerank(requests)]
