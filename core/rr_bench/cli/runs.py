"""`rr runs`: what benches have left behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.completing import datasets
from rr_bench.cli.options import RESUMES, WideOption, given_path, on_interrupt
from rr_bench.cli.plugged import Plugged
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr_bench.runs.compare import Comparison
    from rr_bench.runs.database import Run

app = typer.Typer(cls=Plugged, help="Look at the runs of benches.", no_args_is_help=True, rich_markup_mode=None)

RunArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Beginning of the id of a run, or of its last part; latest, latest~1.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
HASH, SHORT = 64, 12
"""Letters of a fingerprint, and how many of them people are shown."""


@app.command("list")
def list_runs(
    as_json: JsonOption = False,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", "-d", autocompletion=datasets, help="Only those on this data set.", show_default=False
        ),
    ] = None,
    reranker: Annotated[
        str | None, typer.Option("--reranker", "-r", help="Only those of this reranker.", show_default=False)
    ] = None,
) -> None:
    """List the runs, the newest first.

    Example: rr runs list -d rentals
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from rr_bench.cli.options import console
    from rr_bench.report.escape import json_text, terminal
    from rr_bench.runs.database import all_runs

    lines = [line for line in map(_line, all_runs()) if _asked(line, dataset, reranker)]
    if as_json:
        tell_json(json_text(lines, indent=1) + "\n")
        return
    if not lines:
        tell("no runs" if dataset or reranker else "no runs yet; 'rr bench' leaves one")
        return
    table = Table("run", "when (UTC)", "data sets", "rerankers", "best", "command", box=box.SIMPLE_HEAD, pad_edge=False)
    for line in lines:
        failed, best = f", {line['failed']} FAILED" if line["failed"] else "", line["best"]
        told = f"{best['metric']} {best['mean']:.3f} {best['reranker']} on {best['dataset']}" if best else ""
        cells = (
            *(line["id"], line["at"][:16].replace("T", " "), ", ".join(line["datasets"])),
            *(f"{', '.join(line['rerankers'])}{failed}", told, line["command"]),
        )
        table.add_row(*(Text(terminal(cell)) for cell in cells))
    console().print(table)


def _line(run: Run) -> dict[str, Any]:
    """What the list says of a run."""
    result = run.about["result"]
    leading, rows = result["metrics"][0], [(one["name"], row) for one in result["datasets"] for row in one["rows"]]
    means = [(row["metrics"][leading]["mean"], row["reranker"], name) for name, row in rows if row["metrics"]]
    best = max(means, default=None)
    return {
        "id": run.id,
        "at": run.about["at"],
        "command": run.about["command"],
        "profile": run.about["profile"],
        "datasets": [one["name"] for one in result["datasets"]],
        "rerankers": list(dict.fromkeys(row["reranker"] for _, row in rows)),
        "failed": sum(bool(one["failure"]) for one in (*result["datasets"], *(row for _, row in rows))),
        "best": best and {"metric": leading, "mean": best[0], "reranker": best[1], "dataset": best[2]},
    }


def _asked(line: dict[str, Any], dataset: str | None, reranker: str | None) -> bool:
    named = {"datasets": dataset, "rerankers": reranker}
    return all(name is None or name in line[key] for key, name in named.items())


@app.command("show")
def show(name: RunArgument, as_json: JsonOption = False, wide: WideOption = False) -> None:
    """Show a run: what it was made from, and its table.

    Example: rr runs show latest
    """
    from dataclasses import asdict

    from rr_bench.cli.options import console
    from rr_bench.report.escape import json_text
    from rr_bench.report.terminal import print_result
    from rr_bench.runs.database import find

    run = find(name)
    result = run.result
    if as_json:
        tell_json(json_text({**run.about, "result": asdict(result)}, indent=1) + "\n")
        return
    about = run.about
    tell(f"run {run.id}, {about['at']}")
    tell(f"command: {about['command']}")
    tell(f"in: {about['folder']}")
    source = about["registry_source"] or "given by a program"
    tell(f"registry: {source}, {about['registry_fingerprint'][:SHORT]}; profile {about['profile']}")
    tell("environment: " + ", ".join(f"{key} {value}" for key, value in about["result"]["environment"].items()))
    told: dict[str, list[str]] = {}
    for dataset, rows in about["rows"].items():
        for label, row in rows.items():
            told.setdefault(_made_of(label, row), []).append(dataset)
    for line, places in told.items():
        tell(f"{line} ({', '.join(places)})")
    print_result(result, console(), wide)


def _made_of(label: str, row: Mapping[str, Any]) -> str:
    """A row's component, settings and checkpoints."""
    made = {"of": ", ".join(row["members"])} if "members" in row else row["settings"]
    parts = [
        row.get("component", "made"),
        *(f"{key} {value}" for key, value in made.items()),
        *(f"checkpoint {one['checkpoint']['folder']}" for one in row["runs"] if one["checkpoint"]["folder"]),
    ]
    return f"{label}: {', '.join(parts)}"


@app.command("diff")
def diff(before: RunArgument, after: RunArgument, as_json: JsonOption = False) -> None:
    """Show what is different between two runs: what went in, and which figures moved on how many queries.

    Example: rr runs diff latest~1 latest
    """
    from dataclasses import asdict

    from rr_bench.report.escape import json_text
    from rr_bench.runs.compare import compare
    from rr_bench.runs.database import find

    first, second = find(before), find(after)
    found = compare(first, second)
    if as_json:
        tell_json(
            json_text({"before": first.id, "after": second.id, "equal": found.equal, **asdict(found)}, indent=1) + "\n"
        )
        return
    tell(f"{first.id} → {second.id}")
    _print(found)


def _print(found: Comparison) -> None:
    tell("what went in:" if found.changes else "what went in: the same")
    told: dict[tuple[str, str, str], list[str]] = {}
    for change in found.changes:  # what is alike in many rows is told once
        told.setdefault((change.what, change.before, change.after), []).append(change.where)
    for (what, old, new), places in told.items():
        tell(f"  {', '.join(dict.fromkeys(places))}: {what} {_short(old)} → {_short(new)}")
    if found.equal:
        tell(f"figures: equal to the bit, {found.rows} of {found.rows} rows with every score of every document")
        return
    tell(f"figures: {found.same} of {found.rows} rows are equal to the bit")
    for one in found.figures:
        gap = one.difference
        tell(
            f"  {one.dataset}, {one.reranker}: {one.metric} {one.before:.3f} → {one.after:.3f}, "
            f"Δ {gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}] p {gap.p:.2g}, "
            f"{one.moved} of {one.queries} queries moved"
        )
    for line in found.otherwise:
        tell(f"  {line}")


def _short(text: str) -> str:
    if len(text) >= HASH and all(c in "0123456789abcdef, " for c in text):
        return ", ".join(one[:SHORT] for one in text.split(", "))
    return text or "none"


@app.command("export")
def export(
    name: RunArgument,
    out: Annotated[Path, typer.Option("--out", parser=given_path, help="Folder for the files.")],
) -> None:
    """Write a run as files: bench.md, bench.csv, bench.json, per_query.csv, TREC runs and judgements.

    Example: rr runs export latest --out results
    """
    from rr_bench.outputs import folder_for
    from rr_bench.report.files import FILES
    from rr_bench.runs.database import find
    from rr_bench.runs.export import PER_QUERY
    from rr_bench.runs.export import export as write

    run = find(name)
    folder_for(out, (*FILES, PER_QUERY), "--out")
    for path in write(run, out):
        tell(f"wrote {path}", err=True)


@app.command("rerun")
def rerun(
    name: RunArgument,
    fresh: Annotated[bool, typer.Option("--fresh", help="Use nothing that is kept: compute all anew.")] = False,
) -> None:
    """Run the same bench again, and say whether all is equal, or what changed. Exit code 1 if a figure moved.

    Example: rr runs rerun latest --fresh
    """
    from rr_bench.cli.options import RichProgress
    from rr_bench.runs.compare import compare
    from rr_bench.runs.database import find
    from rr_bench.runs.rerun import rerun as again

    run = find(name)
    with on_interrupt(RESUMES):
        new = again(run, fresh, RichProgress())
    found, rows = compare(run, new), [row for one in new.result.datasets for row in one.rows if row.metrics]
    kept = sum(row.scores_from_store for row in rows)
    mend = "where nothing that they depend on has changed; --fresh computes all"
    how = f"{kept} of {len(rows)} rows from the store, {mend}" if kept else "computed anew"
    tell(f"{run.id} → {new.id} ({how})")
    _print(found)
    if not found.equal:
        raise typer.Exit(1)


@app.command("delete")
def delete(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Runs, as 'rr runs list' shows them.")],
) -> None:
    """Take runs away, for good. Scores and checkpoints stay.

    Example: rr runs delete 20261127
    """
    from rr_bench.runs.database import delete as remove
    from rr_bench.runs.database import find

    ids = list(dict.fromkeys(find(name).id for name in names))
    remove(ids)
    for id_ in ids:
        tell(f"deleted {id_}")
