"""`rr cache`: what is kept under `$RR_HOME`."""

from __future__ import annotations

from typing import Annotated

import typer

from rr_bench.cli.completing import kinds_of_cache
from rr_bench.cli.plugged import Plugged
from rr_bench.cli.printing import tell, tell_json

app = typer.Typer(
    cls=Plugged, help="Look at what is kept, and take it away.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("show")
def show(as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show what is kept, by kind: how many pieces, their size, when one was last used.

    Example: rr cache show --json
    """
    from rich import box
    from rich.table import Table

    from rr_bench.cache.kept import look
    from rr_bench.cache.kinds import KINDS
    from rr_bench.cli.options import console
    from rr_bench.report.escape import json_text

    found = look()
    rows = []
    for name, kind in KINDS.items():
        pieces = [one for one in found.kept if one.kind == name]
        if pieces:
            used = max(one.used for one in pieces)
            size = sum(one.size for one in pieces)
            rows.append({"kind": name, "pieces": len(pieces), "bytes": size, "used": used, "what": kind.summary})
    if as_json:
        others = [str(path) for path in found.others]
        tell_json(json_text({"home": str(found.folder), "kinds": rows, "not_ours": others}, indent=1) + "\n")
        return
    tell(f"in {found.folder}")
    if not rows:
        tell("nothing is kept")
    else:
        table = Table("kind", "pieces", "size", "last used", "what it is", box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            cells = (str(row["pieces"]), _size(float(str(row["bytes"]))), _day(float(str(row["used"]))))
            table.add_row(str(row["kind"]), *cells, str(row["what"]))
        table.add_row("all", str(len(found.kept)), _size(sum(one.size for one in found.kept)), "", "")
        console().print(table)
    if found.others:
        tell(f"not rr's, and left alone: {', '.join(path.name for path in found.others)}")


@app.command("clean")
def clean(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(help="Kinds that 'rr cache show' names.", autocompletion=kinds_of_cache, show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Of every kind.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="What was not used for so long: 90m, 12h, 30d, 2w.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take away what is kept: of some kinds, what is old, or all. Asks first.

    Nothing is taken away while a bench or a training runs, and never what is not rr's.

    Example: rr cache clean scores embeddings --older-than 30d
    """
    import sys
    import time

    from rr.errors import RerankError
    from rr_bench.cache.clean import chosen, seconds_of, take_away
    from rr_bench.cache.kept import look
    from rr_bench.cache.kinds import KINDS
    from rr_bench.cache.using import alone_at_home

    if everything and kinds:
        raise RerankError(f"--all is of every kind, and {', '.join(kinds)} are some; keep one of them")
    if not everything and not kinds and older_than is None:
        raise RerankError("say what: kinds that 'rr cache show' names, --older-than 30d, or --all")
    older = None if older_than is None else seconds_of(older_than)
    found = look()
    wanted = chosen(found, kinds or (), older, time.time())
    if not wanted:
        tell("nothing to take away")
        return
    for kind in KINDS:
        pieces = [one for one in wanted if one.kind == kind]
        if pieces:
            lost = "" if KINDS[kind].again else "; rr cannot make them anew"
            tell(f"{kind}: {len(pieces)}, {_size(sum(one.size for one in pieces))}{lost}")
    if not yes:
        if not sys.stdin.isatty():
            raise RerankError("nobody is there to be asked; give --yes to take it away")
        if not typer.confirm(f"Take all this away from {found.folder}?"):
            tell("nothing was taken away")
            return
    with alone_at_home():
        left = chosen(look(), kinds or (), older, time.time())  # it may have been used meanwhile
        take_away(left)
    tell(f"took away {len(left)}, {_size(sum(one.size for one in left))}")


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def _day(seconds: float) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
