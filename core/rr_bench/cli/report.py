"""`rr report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr_bench.cli.options import WideOption, given_path
from rr_bench.cli.printing import tell


def report(
    name: Annotated[
        str,
        typer.Argument(metavar="RESULT", help="A bench.json, a folder with one, or a run: an id, latest, latest~1."),
    ],
    html: Annotated[
        Path | None, typer.Option("--html", parser=given_path, help="New file: one page with tables and pictures.")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option("--latex", parser=given_path, help="New file: tables for a paper (booktabs).")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", parser=given_path, help="New file: the tables as Markdown.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", parser=given_path, help="New file: a line a row, figures unrounded.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", parser=given_path, help="New file: the picture of quality against time.")
    ] = None,
    trec: Annotated[
        Path | None, typer.Option("--trec", parser=given_path, help="Folder for TREC runs and judgements.")
    ] = None,
    wide: WideOption = False,
) -> None:
    """Show a result that was kept, or write it as a page, for a paper, or for other programs.

    Example: rr report latest --html report.html
    """
    from rr.errors import RerankError
    from rr.files import write_atomic
    from rr_bench.cli.options import console
    from rr_bench.outputs import folder_for, new_path
    from rr_bench.report import files, stored
    from rr_bench.report.html.page import html_page
    from rr_bench.report.html.picture import picture
    from rr_bench.report.latex import latex as latex_text
    from rr_bench.report.terminal import print_result
    from rr_bench.runs.export import export_trec

    asked = {"--html": html, "--latex": latex, "--markdown": markdown, "--csv": csv, "--svg": svg}
    given = {option: path for option, path in asked.items() if path is not None}
    for option, path in given.items():
        same = [other for name, other in given.items() if name != option and other.absolute() == path.absolute()]
        if same:
            raise RerankError(f"{path} is named twice; {option} needs a file of its own")
        new_path(path, option)
    if trec is not None:
        folder_for(trec, ("runs.trec",), "--trec")
    found = stored.stored(name)
    if trec is not None and found.run is None:
        raise RerankError(
            f"{name}: the run of this result is not in this store, so what was answered is not known; --trec needs one "
            "of 'rr runs list'"
        )
    texts = {
        "--html": lambda: html_page(found),
        "--latex": lambda: latex_text(found.result),
        "--markdown": lambda: files.markdown(found.result),
        "--csv": lambda: files.csv_text(found.result),
        "--svg": lambda: picture(found.result),
    }
    written = {option: texts[option]() for option in given}  # before the first file is there
    for option, path in given.items():
        write_atomic(path, written[option])
        tell(f"wrote {path}", err=True)
    if trec is not None and found.run is not None:
        for path in export_trec(found.run, trec):
            tell(f"wrote {path}", err=True)
    if not given and trec is None:
        print_result(found.result, console(), wide)
