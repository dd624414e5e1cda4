"""Gives ids, not rankings."""

import rr
from rr_wrong.right import RightReranker, component


@rr.hookimpl
def rr_register_rerankers():
    return [component(__name__, "Wrong")]


class Wrong(RightReranker):
    def rerank(self, requests):
        return [[item.document.id for item in ranking.items] for ranking in super().rerank(requests)]
