"""What the cross-encoder is trained on: pairs of a query and a document, or a query's whole list of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rr import Dataset, RerankError
from rr.data import folded
from rr.training import random_negatives
from rr_cross_encoder.settings import CrossEncoderTraining

Pools = Mapping[str, Sequence[str]]
"""Train query → ids of its hard negatives."""

LabelledPair = tuple[str, str, float]
"""Query text, document text, label: 1.0 relevant, 0.0 not."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a loss: a pair, or distinct documents of one query. `weight` multiplies its loss."""

    query: str
    documents: tuple[str, ...]
    labels: tuple[float, ...]
    weight: float = 1.0


def pair_samples(dataset: Dataset, pools: Pools, settings: CrossEncoderTraining, epoch: int) -> list[Sample]:
    """The pairs of one epoch, a positive weighing `pos_weight`."""
    rows = labelled_pairs(dataset, pools, settings, epoch)
    positives = sum(label for _, _, label in rows)
    auto = (len(rows) - positives) / positives
    weight = auto if settings.pos_weight == "auto" else settings.pos_weight
    return [Sample(query, (document,), (label,), weight if label else 1.0) for query, document, label in rows]


def list_samples(dataset: Dataset, pools: Pools, settings: CrossEncoderTraining, epoch: int) -> list[Sample]:
    """The lists of one epoch, those of queries with a negative."""
    lists: dict[str, dict[str, float]] = {}
    for query, document, label in labelled_pairs(dataset, pools, settings, epoch):
        labels = lists.setdefault(query, {})
        labels[document] = max(label, labels.get(document, 0.0))
    return [
        Sample(query, tuple(labels), tuple(labels.values())) for query, labels in lists.items() if 0 in labels.values()
    ]


def group_samples(dataset: Dataset, pools: Pools, settings: CrossEncoderTraining, epoch: int) -> list[Sample]:
    """A list for each positive of one epoch that has negatives: itself and these, the lists shuffled."""
    generator = random.Random(f"{settings.seed} {epoch}")
    groups = [group for group in _groups(dataset, pools, settings, generator) if len(group) > 1]
    generator.shuffle(groups)
    return [
        Sample(group[0][0], tuple(text for _, text, _ in group), tuple(label for _, _, label in group))
        for group in groups
    ]


def labelled_pairs(dataset: Dataset, pools: Pools, settings: CrossEncoderTraining, epoch: int) -> list[LabelledPair]:
    """The pairs of one epoch, shuffled; the same for the same seed and epoch.

    Raises:
        RerankError: no query of the train split has a negative.
    """
    generator = random.Random(f"{settings.seed} {epoch}")
    rows = [pair for group in _groups(dataset, pools, settings, generator) for pair in group]
    generator.shuffle(rows)
    return rows


def _groups(
    dataset: Dataset, pools: Pools, settings: CrossEncoderTraining, generator: random.Random
) -> list[list[LabelledPair]]:
    """Each positive of the train split, with the negatives drawn for it behind it. No pair of texts is labelled both:
    what is relevant to a query of the same text is no negative, whatever the two histories."""
    relevant: dict[str, set[str]] = {}
    for query_id in dataset.splits["train"]:
        texts = {folded(dataset.documents[id_].content) for id_ in dataset.relevant(query_id)}
        relevant.setdefault(folded(dataset.queries[query_id].text), set()).update(texts)
    groups = []
    for query_id in dataset.splits["train"]:
        text, pool = dataset.queries[query_id].text, pools[query_id]
        for positive in sorted(dataset.relevant(query_id)):
            hard = generator.sample(pool, min(settings.num_hard_negatives, len(pool)))
            others = random_negatives(dataset, query_id, settings.num_random_negatives, generator, hard)
            answers = relevant[folded(text)]
            negatives = [id_ for id_ in (*hard, *others) if folded(dataset.documents[id_].content) not in answers]
            labelled = [(positive, 1.0), *((id_, 0.0) for id_ in negatives)]
            groups.append([(text, dataset.documents[id_].content, label) for id_, label in labelled])
    if all(len(group) == 1 for group in groups):
        raise RerankError("there are no negatives to train on; raise num_hard_negatives or num_random_negatives")
    return groups
