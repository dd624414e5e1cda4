"""`rr rerank`: one query with documents as arguments, requests as JSON lines, or a run from disk to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr_bench.cli.completing import datasets, rerankers
from rr_bench.cli.options import (
    RESUMES,
    CheckpointOption,
    DeviceOption,
    EngineOption,
    ProfileOption,
    RegistryOption,
    compute_on,
    given_path,
    on_interrupt,
)
from rr_bench.cli.printing import tell, tell_json


def rerank(
    name: Annotated[str, typer.Argument(help="A name that 'rr list' shows.", autocompletion=rerankers)],
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="The query; the documents follow as arguments.")
    ] = None,
    documents: Annotated[list[str] | None, typer.Argument(help="Documents to rank.", show_default=False)] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input",
            parser=given_path,
            help='JSON lines {"id", "query", "documents": [text or {"id", "text", "title"}]}; - for stdin.',
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            parser=given_path,
            help="Run (TREC of any size, or JSON), reranked from disk into --out; resumes where it was killed.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", parser=given_path, help="Folder with the run's corpus.jsonl and queries.jsonl, as BEIR's."
        ),
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=1, help="Rerank, and keep, the best so many of each query in --run.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", parser=given_path, help="File for the JSON lines (else stdout), or for the reranked run."
        ),
    ] = None,
    min_probability: Annotated[
        float | None,
        typer.Option(
            "--min-probability",
            metavar="P",
            help="Drop documents that are relevant with a lower probability ('rr calibrate NAME'); maybe all.",
        ),
    ] = None,
    engine: EngineOption = None,
    checkpoint: CheckpointOption = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", autocompletion=datasets, help="Use the checkpoint trained on this.")
    ] = None,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Rank documents for a query, best first.

    A file named with --out must be new. What is finished stays when anything ends the work, and the same command goes
    on from there; answers that are printed are printed as they are made.

    Example: rr rerank bm25 -q "quiet room" "a quiet room" "a loud room"
    """
    import functools

    from rr.errors import RerankError
    from rr_bench import arguments
    from rr_bench.api import load
    from rr_bench.calibrate.probable import checked_least
    from rr_bench.cli.options import RichProgress
    from rr_bench.engine.opened import checked_engine
    from rr_bench.outputs import new_path
    from rr_bench.stream.batch import answers, rerank_requests, rerank_run
    from rr_bench.stream.requests import Placed, read_requests
    from rr_bench.stream.spread import spread_over

    compute_on(device)
    if min_probability is not None:
        checked_least(min_probability)
    if sum(given is not None for given in (query, source, run)) != 1:
        raise RerankError(
            "give --query with documents as arguments, or --input with JSON lines, or --run with --data and --out"
        )
    if documents and query is None:
        raise RerankError("documents as arguments go with --query; with --input and --run they stand in files")
    address = checked_engine(engine, None)
    if address is not None and run is None:
        raise RerankError("--engine ray goes with --run; what is printed, or asked as JSON lines, is done here")
    if run is None and (data is not None or depth is not None):
        raise RerankError("--data and --depth go with --run")
    if run is not None and (data is None or out is None):
        raise RerankError("--run needs --data, the folder of its texts, and --out, the file for the reranked run")
    if out is not None:
        new_path(out, "--out", (source, run, registry))
    loading = functools.partial(load, name, checkpoint=checkpoint, dataset=dataset, profile=profile, registry=registry)
    if run is not None and data is not None and out is not None:
        loaded = loading()
        spread = None if address is None else spread_over(address, loaded, registry, profile, checkpoint, dataset)
        with on_interrupt(RESUMES):
            rerank_run(loaded, run, data, out, depth, RichProgress(), min_probability, spread)
        return
    if query is not None:
        asked = [Placed(arguments.asked(query, documents or ()), "the command line")]
    else:
        asked = read_requests(Path(str(source)))
    if out is not None:
        with on_interrupt(RESUMES):
            rerank_requests(loading(), asked, out, RichProgress(), min_probability)
        return
    loaded, show = loading(), _print_ranking if query is not None else tell_json
    told = "" if query is not None else "the answers before it are printed"
    with on_interrupt(told), RichProgress().task(f"reranking with {name}", len(asked)) as advance:
        for line in answers(loaded, asked, min_probability):
            show(line)
            advance(1)


def _print_ranking(line: str) -> None:
    import json

    for item in json.loads(line)["ranking"]:
        tell(f"{item['rank']}\t{item['score']:.4f}\t{item['id']}\t{' '.join(item['text'].split())}")
