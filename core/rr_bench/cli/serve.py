"""`rr serve`: rerankers behind the rerank APIs of Cohere, Jina and text-embeddings-inference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr_bench.cli.completing import datasets, of_rerankers, rerankers
from rr_bench.cli.options import DeviceOption, ProfileOption, RegistryOption, compute_on, given_path
from rr_bench.cli.printing import tell
from rr_bench.serve.limits import DEFAULTS


def serve(
    names: Annotated[
        list[str],
        typer.Argument(help="Names that 'rr list' shows; the first is the default.", autocompletion=rerankers),
    ],
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: a free one.")] = 8000,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint",
            metavar="NAME=DIR",
            autocompletion=of_rerankers,
            help="Weights of a name: a folder, latest, best or none.",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", "-d", autocompletion=datasets, help="Use the checkpoints trained on this."),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            "--api-key-file", parser=given_path, help="Keys that clients must show, one a line (else $RR_API_KEYS)."
        ),
    ] = None,
    max_documents: Annotated[int, typer.Option("--max-documents", min=1, help="Of one request.")] = DEFAULTS.documents,
    max_bytes: Annotated[int, typer.Option("--max-bytes", min=1, help="Of the body of one request.")] = DEFAULTS.bytes,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=1, help="Of one request, estimated: 4 bytes of UTF-8 each.")
    ] = DEFAULTS.tokens,
    max_queue: Annotated[
        int, typer.Option("--max-queue", min=1, help="Requests that wait for one model.")
    ] = DEFAULTS.queue,
    max_batch: Annotated[
        int,
        typer.Option("--max-batch", min=1, help="Documents that a model is given at once; 1: a request at a time."),
    ] = DEFAULTS.batch,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Serve rerankers over HTTP.

    Clients of Cohere (v1, v2), Jina and text-embeddings-inference get their own answers; the request's 'model' chooses
    among the names. SIGHUP reloads the checkpoints, SIGTERM ends once all is answered. See docs/serve.md.

    Example: rr serve cross-encoder bm25 --checkpoint cross-encoder=latest --port 8000
    """
    import functools

    from rr.errors import RerankError
    from rr_bench.api import load

    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        mend = "pip install 'rerank-registry[serve]'"
        raise RerankError(f"rr serve needs {error.name}, which is not installed; {mend}") from error
    from rr_bench.serve.keys import read_keys
    from rr_bench.serve.limits import Limits
    from rr_bench.serve.server import serve as serving

    compute_on(device)
    chosen = _checkpoints(names, checkpoint or [])
    loads = {
        name: functools.partial(
            load, name, checkpoint=chosen.get(name), dataset=dataset, profile=profile, registry=registry
        )
        for name in names
    }
    limits = Limits(max_documents, max_bytes, max_tokens, max_queue, max_batch)
    serving(loads, host, port, limits, read_keys(api_key_file), tell)


def _checkpoints(names: list[str], given: list[str]) -> dict[str, str]:
    """Name → what its weights are from.

    Raises:
        RerankError: one is not NAME=DIR, names nothing that is served, or a name comes twice.
    """
    from rr.errors import RerankError

    for name in names:
        if names.count(name) > 1:
            raise RerankError(f"{name!r} is named twice; name it once")
    found: dict[str, str] = {}
    for one in given:
        name, equals, folder = one.partition("=")
        if not equals or not folder:
            raise RerankError(f"--checkpoint {one!r}: say NAME=DIR, as {names[0]}=runs/one")
        if name not in names:
            raise RerankError(f"--checkpoint {one!r}: {name!r} is not served; there are {', '.join(names)}")
        if name in found:
            raise RerankError(f"--checkpoint names {name!r} twice; name one folder")
        found[name] = folder
    return found
