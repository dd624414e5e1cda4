"""The nearest listings to a query: an exported projection head, and an index over all listings.

    rr train head -d rentals --out head
    rr export head head served
    pip install 'rerank-registry[demo]'
    python examples/nearest_listings.py served "phong q10 duoi 4 trieu co ban cong"

An index answers from its vectors alone: this is what a first stage does, for listings of any number.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rr import RerankError
from rr_bench.data.load import load_dataset
from rr_bench.registry import load_registry


def main(
    model: Annotated[Path, typer.Argument(help="Folder that 'rr export' wrote.")],
    query: Annotated[str, typer.Argument()],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="Data set whose documents are searched.")] = "rentals",
    registry: Annotated[Path | None, typer.Option("--registry")] = None,
    top: Annotated[int, typer.Option("--top", min=1)] = 5,
) -> None:
    try:
        import faiss
    except ImportError as error:
        raise RerankError("faiss is not installed; pip install 'rerank-registry[demo]'") from error
    from sentence_transformers import SentenceTransformer

    if not model.is_dir():
        raise RerankError(f"{model}: no such folder; make it with 'rr export NAME CHECKPOINT {model}'")
    encoder = SentenceTransformer(str(model))
    documents = list(load_dataset(dataset, load_registry(registry).dataset(dataset)).documents.values())
    index = faiss.IndexFlatIP(encoder.get_embedding_dimension())
    index.add(encoder.encode([document.content for document in documents]))
    # of normalised vectors the inner product is the cosine
    cosines, places = index.search(encoder.encode([query]), min(top, len(documents)))
    for cosine, place in zip(cosines[0], places[0], strict=True):
        typer.echo(f"{cosine:.4f}\t{documents[place].id}\t{' '.join(documents[place].content.split())}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except RerankError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
