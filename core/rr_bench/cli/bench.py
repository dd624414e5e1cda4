"""`rr bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr_bench.cli.completing import datasets, of_rerankers, rerankers
from rr_bench.cli.options import (
    RESUMES,
    DeviceOption,
    EngineOption,
    JobsOption,
    ProfileOption,
    RegistryOption,
    WideOption,
    compute_on,
    given_path,
    on_interrupt,
)
from rr_bench.cli.printing import tell


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(help="Rerankers to compare.", autocompletion=rerankers, show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of the profile, and every other installed one.")
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", "-d", autocompletion=datasets, help="Only this data set (repeatable)."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            help="Take the differences from this one (repeatable; the table shows the first).", show_default=False
        ),
    ] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Compare each with each, too.")] = False,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validate by query, in so many folds.", show_default=False)
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=2, help="Repeat each training with so many seeds.", show_default=False)
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint",
            metavar="NAME=DIR",
            autocompletion=of_rerankers,
            help="A row NAME@DIR of what 'rr train' wrote, in the place of NAME's; or train, latest, best, none.",
            show_default=False,
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make anew what was kept: data, checkpoints, vectors, scores, times.")
    ] = False,
    jobs: JobsOption = None,
    engine: EngineOption = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Share what is kept at s3://…, gs://…, file:///…: workers need not see this $RR_HOME.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", parser=given_path, help="Folder for bench.md, bench.csv, bench.json and more."),
    ] = None,
    wide: WideOption = False,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Compare rerankers on the same candidates with the same metrics. Exit code 1 if any of them failed.

    Example: rr bench bm25 --checkpoint head=runs/one -d rentals
    """
    from rr.errors import RerankError
    from rr_bench.cli.options import RichProgress, console
    from rr_bench.evaluate.bench import bench as run_bench
    from rr_bench.evaluate.given import pairs
    from rr_bench.outputs import folder_for
    from rr_bench.report.files import FILES, write_result
    from rr_bench.report.terminal import print_result

    compute_on(device)
    given = checkpoint or []
    if not names and not everything and given:
        names = list(dict.fromkeys(name for name, _ in pairs(given)))
    if bool(names) == everything:
        raise RerankError("name the rerankers to compare, or give --all; 'rr list' shows their names")
    if out is not None:
        folder_for(out, FILES, "--out")
    with on_interrupt(RESUMES):
        result = run_bench(
            names or (),
            profile=profile,
            datasets=dataset or (),
            baselines=baseline or (),
            all_pairs=all_pairs,
            folds=folds,
            seeds=seeds,
            checkpoints=given,
            fresh=fresh,
            jobs=jobs,
            engine=engine,
            store=store,
            registry=registry,
            progress=RichProgress(),
        )
    unwritten = None
    if out is not None:
        try:
            for path in write_result(result, out):
                tell(f"wrote {path}", err=True)
        except OSError as error:
            unwritten = error
    print_result(result, console(), wide)
    if unwritten is not None:
        raise RerankError(
            f"{out}: not all results could be written ({unwritten.strerror or unwritten}); make room, or name another "
            "folder: the same command computes nothing again"
        ) from unwritten
    if result.failed:
        hint = "" if out else "; --out DIR keeps the tracebacks"
        tell(f"some rows FAILED; their reasons stand in the notes{hint}", err=True)
        raise typer.Exit(1)
