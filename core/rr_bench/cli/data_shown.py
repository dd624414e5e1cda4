"""What `rr data show` and `rr data add` both say of a data set."""

from __future__ import annotations

from rr.types import Dataset
from rr_bench.cli.printing import tell
from rr_bench.data.corpus import corpus_size
from rr_bench.data.damage import damage_figures

SAMPLE_CHARACTERS = 200


def sizes(dataset: Dataset, split: str) -> dict[str, float]:
    """Means over the split's queries; it has some."""
    query_ids = dataset.splits[split]
    return {
        "queries": len(query_ids),
        "relevant": sum(len(dataset.relevant(q)) for q in query_ids) / len(query_ids),
        "candidates": sum(len(dataset.candidates[q]) for q in query_ids) / len(query_ids),
        "recall_ceiling": dataset.recall_ceiling(split),
    }


def show_sizes(dataset: Dataset) -> None:
    tell(f"{dataset.name}: {corpus_size(dataset)} documents, fingerprint {dataset.fingerprint}")
    tell(f"candidates: {dataset.retriever}, {dataset.protocol}")
    for split, query_ids in dataset.splits.items():
        if not query_ids:
            tell(f"  {split}: no queries")
            continue
        means = sizes(dataset, split)
        tell(
            f"  {split}: {len(query_ids)} queries, {means['relevant']:.2f} relevant and {means['candidates']:.1f} "
            f"candidates a query, recall ceiling {means['recall_ceiling']:.3f}"
        )


def show_damage(dataset: Dataset) -> None:
    found = damage_figures(dataset)
    tell("damage:" if found else "damage: none in what was kept")
    for what, figures in found.items():
        tell(f"  {what.replace('_', ' ')}: {figures['count']} of {figures['of']}, first {figures['first']}")
    for note in dataset.notes:
        tell(f"note: {note}")


def show_sample(dataset: Dataset, count: int) -> None:
    """Queries of the split that is measured on, or else of another, with their relevant documents."""
    chosen = next(ids for ids in (dataset.splits[split] for split in ("test", "dev", "train")) if ids)
    answered = [query_id for query_id in chosen if dataset.relevant(query_id)] or list(chosen)
    for query_id in answered[:count]:
        tell(f"sample query {query_id}: {short(dataset.queries[query_id].text)}")
        for id_ in sorted(dataset.relevant(query_id)):
            document = dataset.documents[id_]
            tell(f"  grade {dataset.qrels[query_id][id_]}, document {id_}: {short(document.content)}")


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SAMPLE_CHARACTERS else line[:SAMPLE_CHARACTERS] + "…"
