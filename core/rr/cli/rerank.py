"""`rr rerank`: one query with documents as arguments, requests as JSON lines, or a run from disk to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr.cli.options import CheckpointOption, ProfileOption, RegistryOption
from rr.cli.streams import tell, tell_json


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
    run: Annotated[
        Path | None,
        typer.Option("--run", help="TREC run of any size, reranked from disk into --out; resumes where it was killed."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with the run's corpus.jsonl and queries.jsonl, as BEIR's.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=1, help="Rerank, and keep, the best so many of each query in --run.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the JSON lines (else stdout), or for the reranked run.")
    ] = None,
    checkpoint: CheckpointOption = None,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Use the checkpoint trained on this.")] = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Rank documents for a query, best first."""
    import functools

    from rr.api import load
    from rr.artefacts import write_atomic
    from rr.batch import rerank_run
    from rr.cli.options import RichProgress
    from rr.errors import RerankError
    from rr.requests import read_requests, to_json
    from rr.types import Document, Query, Request

    loading = functools.partial(load, name, checkpoint=checkpoint, dataset=dataset, profile=profile, registry=registry)
    if sum(given is not None for given in (query, source, run)) != 1:
        raise RerankError(
            "give --query with documents as arguments, or --input with JSON lines, or --run with --data and --out"
        )
    if documents and query is None:
        raise RerankError("documents as arguments go with --query; with --input and --run they stand in files")
    if run is None and (data is not None or depth is not None):
        raise RerankError("--data and --depth go with --run")
    if run is not None:
        if data is None or out is None:
            raise RerankError("--run needs --data, the folder of its texts, and --out, the file for the reranked run")
        rerank_run(loading(), run, data, out, depth, RichProgress())
        return
    if query is not None:
        texts = documents or []
        requests = [Request(Query("query", query), tuple(Document(str(n), text) for n, text in enumerate(texts)))]
    else:
        requests = read_requests(Path(str(source)))
    loaded = loading()
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
        tell_json("".join(lines))


def _print_ranking(line: str) -> None:
    import json

    for item in json.loads(line)["ranking"]:
        tell(f"{item['rank']}\t{item['score']:.4f}\t{item['id']}\t{' '.join(item['text'].split())}")
