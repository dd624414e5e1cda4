"""`rr doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rr_bench.cli.completing import datasets, rerankers
from rr_bench.cli.options import DeviceOption, ProfileOption, RegistryOption, as_given, compute_on, given_path
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr_bench.doctor.asked import Asked

STYLES = {"fault": "red", "warning": "yellow"}


def doctor(
    target: Annotated[
        str | None,
        typer.Argument(
            help="Folder of a checkpoint, a bench.json, or a reranker's name.",
            autocompletion=rerankers,
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", autocompletion=datasets, help="Data set, where a name is given.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is ok, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: every finding, in order.")] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", help="Read about a check, by its name.", show_default=False)
    ] = None,
    overfit: Annotated[
        bool, typer.Option("--overfit", help="Train on 32 queries for a minute: can it learn at all?")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", parser=given_path, help="New file: the curves and the findings as a page.")
    ] = None,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Why is my reranker not learning? Causes with their evidence, the worst first, and the next command.

    Asks what was recorded: of a training, of its data, and of what it scored. Exit code 1 where there is a fault.

    Example: rr doctor head -d rentals
    """
    from rr.diagnosis import Evidence
    from rr.errors import RerankError
    from rr.registry.plugins import installed_plugins
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.load import load_dataset
    from rr_bench.doctor.as_html import html_page
    from rr_bench.doctor.asked import Asked, about_name, about_path, resolved_entry
    from rr_bench.doctor.asked import as_json as json_of
    from rr_bench.doctor.diagnosis import Diagnosis
    from rr_bench.doctor.overfit import overfit as try_overfit
    from rr_bench.doctor.pages import page
    from rr_bench.outputs import new_path
    from rr_bench.registry import load_registry
    from rr_bench.train.failures import failed_folder
    from rr_bench.train.workplace import beside

    compute_on(device)
    plugins = installed_plugins()
    if explain is not None:
        tell_json(page(explain, plugins))
        return
    if target is None:
        raise RerankError("name a checkpoint's folder, a bench.json, or a reranker; --explain CHECK needs neither")
    if html is not None:
        new_path(html, "--html", (registry,))
    options = as_given(profile, registry)
    path, progress = Path(target), RichProgress()
    if overfit:
        if dataset is None:
            raise RerankError("--overfit trains: name the data set with -d")
        found = load_registry(registry)
        resolved = resolved_entry(target, found, profile, plugins)
        finding = try_overfit(plugins, resolved, load_dataset(dataset, found.dataset(dataset), progress), progress)
        asked = [Asked(f"{target} on {dataset}", Evidence(), Diagnosis({"overfit": finding}))]
    elif dataset is None and (path.exists() or failed_folder(path).is_dir() or beside(path, "partial").is_dir()):
        asked = about_path(path, plugins, options)
    else:  # whatever lies here under this name
        found = load_registry(registry)
        try:
            resolved = resolved_entry(target, found, profile, plugins)
        except RerankError as error:
            if path.exists():
                said = "is a path, which says itself what it was trained on; leave out -d"
                raise RerankError(f"{target} {said}") from error
            raise
        asked = about_name(resolved, dataset, found, profile, plugins, options, progress)
    if html is not None:
        from rr.files import write_atomic

        write_atomic(html, html_page(asked))
        tell(f"wrote {html}", err=True)
    if as_json:
        tell_json(json_of(asked))
    else:
        for one in asked:
            show(one, everything or overfit)
    if any(one.diagnosis.verdict == "fault" for one in asked):
        raise typer.Exit(1)


def show(asked: Asked, everything: bool) -> None:
    """A table of causes, the worst first."""
    from rich.table import Table
    from rich.text import Text

    from rr_bench.cli.options import console
    from rr_bench.report.escape import terminal

    diagnosis = asked.diagnosis
    tell(f"{asked.title}: {diagnosis.verdict}")
    if asked.evidence.error:
        tell(f"the training ended with: {asked.evidence.error}")
    shown = {name: one for name, one in diagnosis.findings.items() if everything or one.verdict in STYLES}
    if shown:
        table = Table()
        for column in ("check", "verdict", "evidence", "what it means"):
            table.add_column(column, overflow="fold", no_wrap=column in ("check", "verdict"))
        for name, one in shown.items():
            cells = (name, one.verdict, one.evidence, one.meaning)
            table.add_row(*(Text(terminal(cell)) for cell in cells), style=STYLES.get(one.verdict))
        console().print(table)
    rest = len(diagnosis.findings) - len(shown)
    if rest:
        tell(f"{rest} more checks found nothing wrong or could not tell; --all shows them")
    if diagnosis.leading is not None:
        name, first = diagnosis.leading
        if first.command:
            tell(f"next: {first.command}")
        tell(f"read: rr doctor --explain {name}")
