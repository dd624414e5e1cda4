"""Queries that must stay in one split."""

from __future__ import annotations

from collections.abc import Mapping


def by_shared_positives(qrels: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Query id → the connected component of its relevant documents, by union-find over these: queries that share one,
    directly or through others, form a group. One without any is in none."""
    parent: dict[str, str] = {}

    def root(id_: str) -> str:
        while parent.setdefault(id_, id_) != id_:
            parent[id_] = parent[parent[id_]]  # shortens the way of the next one
            id_ = parent[id_]
        return id_

    relevant = {q: [id_ for id_, grade in judged.items() if grade > 0] for q, judged in qrels.items()}
    relevant = {query_id: ids for query_id, ids in relevant.items() if ids}
    for first, *others in relevant.values():
        for other in others:
            parent[root(other)] = root(first)
    return {query_id: root(ids[0]) for query_id, ids in relevant.items()}
