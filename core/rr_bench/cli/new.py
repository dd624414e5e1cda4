"""`rr new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr_bench.cli.options import given_path
from rr_bench.cli.printing import tell


def new(
    name: Annotated[str, typer.Argument(help="Of the distribution and of its component: small letters, digits, '-'.")],
    kind: Annotated[str, typer.Option("--kind", metavar="scorer|listwise|trainer|reader|http", help="What it brings.")],
    out: Annotated[
        Path | None, typer.Option("--out", parser=given_path, help="New folder to write it into (else ./NAME).")
    ] = None,
) -> None:
    """Begin a plugin: a distribution that installs and passes its own tests, to be changed line by line.

    Example: rr new my-reranker --kind scorer
    """
    from typing import get_args

    from rr.errors import RerankError, nearest
    from rr.registry.plugins import installed_plugins
    from rr_bench.new.create import NewKind, create
    from rr_bench.new.naming import naming
    from rr_bench.outputs import new_path

    kinds = get_args(NewKind)
    if kind not in kinds:
        raise RerankError(f"--kind {kind!r} is none of {', '.join(kinds)}{nearest(kind, list(kinds))}")
    named = naming(name, kind, installed_plugins())
    folder = Path(named.name) if out is None else out
    new_path(folder, "folder" if out is None else "--out")
    files = create(named, kind, folder)  # type: ignore[arg-type]
    for file in files:
        tell(str(folder / file))
    tell(f"next: pip install -e '{folder}[dev]'; then, in {folder}: pytest", err=True)
