"""`rr rerank`: one query with documents as arguments, or requests as JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr.cli.options import ProfileOption, RegistryOption


def rerank(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.")],
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="The query; the documents follow as arguments.")
    ] = None,
    documents: Annotated[list[str] | None, typer.Argument(help="Documents to rank.", show_default=False)] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input",
            help='JSON lines {"id", "query", "documents": [text or {"id", "text", "title"}]}; - for stdin.',
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File for the JSON lines (else stdout).")] = None,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="Folder that 'rr train' wrote.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Use the checkpoint trained on this.")] = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Rank documents for a query, best first."""
    from rr.api import load
    from rr.artefacts import write_atomic
    from rr.cli.options import RichProgress
    from rr.errors import RerankError
    from rr.requests import read_requests, to_json
    from rr.types import Document, Query, Request

    if (query is None) == (source is None):
        raise RerankError("give --query with documents as arguments, or --input with JSON lines")
    if query is not None:
        texts = documents or []
        requests = [Request(Query("query", query), tuple(Document(str(n), text) for n, text in enumerate(texts)))]
    elif documents:
        raise RerankError("documents as arguments go with --query; with --input they stand in the file")
    else:
        requests = read_requests(Path(str(source)))
    loaded = load(name, checkpoint=checkpoint, dataset=dataset, profile=profile, registry=registry)
    lines = []
    with RichProgress().task(f"reranking with {name}", len(requests)) as advance:
        for request in requests:
            lines.append(to_json(loaded.rerank_all([request])[0]) + "\n")
            advance(1)
    if out is not None:
        write_atomic(out, "".join(lines))
    elif query is not None:
        for line in lines:
            _print_ranking(line)
    else:
        typer.echo("".join(lines), nl=False)


def _print_ranking(line: str) -> None:
    import json

    for item in json.loads(line)["ranking"]:
        typer.echo(f"{item['rank']}\t{item['score']:.4f}\t{item['id']}\t{' '.join(item['text'].split())}")
