"""`rr check`: whether a component does what it must, before a bench is the first to tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rr_bench.cli.completing import rerankers
from rr_bench.cli.options import DeviceOption, ProfileOption, RegistryOption, compute_on
from rr_bench.cli.printing import tell, tell_json

if TYPE_CHECKING:
    from rr_bench.testing.check import Outcome
    from rr_bench.testing.targets import Target


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="What 'rr list' shows, a data set, a plugin, or a component.",
            autocompletion=rerankers,
            metavar="[NAME]...",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every plugin, every entry of the profile, every data set of its suite.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the checks that passed, too.")] = False,
    device: DeviceOption = None,
    profile: ProfileOption = None,
    registry: RegistryOption = None,
) -> None:
    """Ask a component all that the kit for authors knows to ask, `rr.testing`: what fails, with the smallest example.

    A trainer is asked on a small data set of the kit's own, two epochs at most. What was found last is shown by
    'rr list' and 'rr info'. Exit code 1 if a check failed.

    Example: rr check bm25
    """
    from rr.errors import RerankError
    from rr.registry.plugins import installed_plugins
    from rr_bench.cli.options import RichProgress
    from rr_bench.registry import load_registry
    from rr_bench.report.escape import json_text
    from rr_bench.testing.targets import all_targets, named_targets

    compute_on(device)
    if bool(names) == every:
        raise RerankError("name what to check, or give --all")
    found, plugins = load_registry(registry), installed_plugins()
    targets = all_targets(found, plugins, profile) if every else named_targets(found, plugins, profile, names or [])
    progress, told = RichProgress(), []
    for target in targets:
        with progress.task(f"checking {target.name}", None) as advance:
            outcomes = []
            for outcome in target.outcomes():
                outcomes.append(outcome)
                advance(1)
                progress.status(outcome.check)
        told.append((target, outcomes))
        if not as_json:
            for line in _lines(target, outcomes, verbose):
                tell(line)
    if as_json:
        tell_json(json_text([_plain(target, outcomes) for target, outcomes in told], indent=2) + "\n")
    if any(outcome.bad for _, outcomes in told for outcome in outcomes):
        raise typer.Exit(1)


def _lines(target: Target, outcomes: Sequence[Outcome], verbose: bool) -> Iterator[str]:
    counts = {verdict: sum(one.verdict == verdict for one in outcomes) for verdict in ("passed", "not applicable")}
    bad = [one for one in outcomes if one.bad]
    if len(outcomes) == 1 and not bad and not counts["passed"]:
        yield f"{target.kind} {target.name}: not asked: {outcomes[0].message}"
        return
    seconds = sum(one.seconds for one in outcomes)
    yield (
        f"{target.kind} {target.name}: {counts['passed']} passed, {len(bad)} failed, "
        f"{counts['not applicable']} not applicable, {seconds:.1f} s"
    )
    for one in outcomes if verbose else bad:
        yield f"  {one.verdict.upper() if one.bad else one.verdict}  {one.check}{one.message and ': '}{one.message}"
        if one.bad:
            yield f"    {one.page}"


def _plain(target: Target, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    checks = [
        {"check": one.check, "verdict": one.verdict, "message": one.message, "seconds": one.seconds} for one in outcomes
    ]
    return {"name": target.name, "kind": target.kind, "ok": not any(one.bad for one in outcomes), "checks": checks}
