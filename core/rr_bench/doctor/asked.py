"""What `rr doctor` was asked about, by a path or by a name, and its diagnoses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rr.data.strict_json import parse_json
from rr.diagnosis import Evidence, Finding
from rr.errors import RerankError
from rr.files import home
from rr.registry.plugins import Plugins
from rr.registry.resolve import target_name
from rr_bench.data.load import load_dataset
from rr_bench.data.view import shown
from rr_bench.doctor.diagnosis import RANKS, Diagnosis, diagnose, listed
from rr_bench.doctor.evidence import of_checkpoint, of_path
from rr_bench.entries import Failure, find_entry
from rr_bench.loading import load_reranker
from rr_bench.progress import Progress
from rr_bench.registry import Registry
from rr_bench.resolve import Resolved, resolve
from rr_bench.train.checkpoints import chosen_checkpoint
from rr_bench.train.events import EVENTS, read_events
from rr_bench.train.failures import FAILURE, failed_folder
from rr_bench.train.training import checkpoint_folder

QUERIES = 64
"""Dev queries that a reranker without a training of its own is asked about."""


@dataclass(frozen=True)
class Asked:
    """One reranker, what is known of it, and what that means."""

    title: str
    evidence: Evidence
    diagnosis: Diagnosis


def about_path(path: Path, plugins: Plugins, options: Sequence[str]) -> list[Asked]:
    """A checkpoint or a failed training; or the rows of a `bench.json`.

    Raises:
        RerankError: there is nothing of the kind.
    """
    if path.suffix == ".json" and path.is_file():
        return _rows(path)
    evidence = of_path(path, options)
    return [Asked(str(path), evidence, diagnose(evidence, plugins))]


def about_name(
    resolved: Resolved,
    dataset: str | None,
    registry: Registry,
    profile: str | None,
    plugins: Plugins,
    options: Sequence[str],
    progress: Progress,
) -> list[Asked]:
    """An entry, on the data set named, or on each of the suite that it was trained on.

    Raises:
        RerankError: it was trained on none of them.
    """
    name = resolved.name
    named = [dataset] if dataset else list(registry.suite(registry.profile(profile).suite).datasets)
    found = []
    for one in named:
        evidence = _of_name(resolved, one, registry, plugins, options, progress, always=dataset is not None)
        if evidence is not None:
            found.append(Asked(f"{name} on {one}", evidence, diagnose(evidence, plugins)))
    if not found:
        raise RerankError(f"{name!r} was not trained on {', '.join(named)}; name a data set with -d, or train it")
    return found


def resolved_entry(name: str, registry: Registry, profile: str | None, plugins: Plugins) -> Resolved:
    """
    Raises:
        RerankError: no reranker is called so, or its plugin failed.
    """
    entry = find_entry(registry, plugins, profile, name)
    if isinstance(entry, Failure):
        raise RerankError(f"{name}: {entry.reason}")
    return resolve(plugins, name, entry)


def _of_name(
    resolved: Resolved,
    name: str,
    registry: Registry,
    plugins: Plugins,
    options: Sequence[str],
    progress: Progress,
    always: bool,
) -> Evidence | None:
    """`always`: it is asked about its dev split where no training of it is there; None otherwise."""
    data = load_dataset(name, registry.dataset(name), progress)
    if resolved.entry.trains:
        folder = checkpoint_folder(plugins, resolved, data)
        if folder.is_dir() or (failed_folder(folder) / FAILURE).is_file():
            return replace(of_path(folder, options), data=data.report)
    if not always:
        return None
    choice = chosen_checkpoint(plugins, resolved, data)
    reranker = load_reranker(resolved, choice.folder)
    with progress.task(f"{name}: {resolved.name} on dev", None):
        rankings = reranker.rerank(shown(data).requests("dev")[:QUERIES])
    names = {key for ranking in rankings for key in ranking.diagnostics}
    means = {key: sum(one.diagnostics.get(key, 0.0) for one in rankings) / len(rankings) for key in sorted(names)}
    if choice.checkpoint is not None:
        return replace(of_checkpoint(choice.checkpoint, options), diagnostics=means)
    return Evidence(
        reranker=resolved.name,
        dataset=name,
        scorer=target_name(resolved.target),
        settings=resolved.settings.model_dump(mode="json"),
        data=data.report,
        diagnostics=means,
        options=tuple(options),
    )


def _rows(path: Path) -> list[Asked]:
    """
    Raises:
        RerankError: it is no result of a bench, or one of before there was a doctor.
    """
    try:
        result: Any = parse_json(path.read_text(encoding="utf-8"), str(path))
        return [
            Asked(f"{row['reranker']} on {dataset['name']}", _of_row(row, dataset), _told(row["findings"]))
            for dataset in result["datasets"]
            for row in dataset["rows"]
            if row["metrics"]
        ]
    except (OSError, UnicodeError, KeyError, TypeError, AttributeError) as error:
        raise RerankError(f"{path}: no result of rr bench that holds findings; run rr bench … --out again") from error


def _of_row(row: Mapping[str, Any], dataset: Mapping[str, Any]) -> Evidence:
    """With the course of its training, where its checkpoint is still kept."""
    names = [one["checkpoint"] for one in row["weights"]]
    kept = [home() / "checkpoints" / name / EVENTS for name in names if Path(name).name == name]
    events = read_events(kept[0]) if len(names) == len(kept) == 1 and kept[0].is_file() else ()
    return Evidence(
        reranker=row["reranker"], dataset=dataset["name"], diagnostics=row["diagnostics"], events=tuple(events)
    )


def _told(findings: Sequence[Mapping[str, Any]]) -> Diagnosis:
    found = {}
    for one in findings:
        told = {name: one[name] for name in ("verdict", "evidence", "meaning", "command")}
        if told["verdict"] not in RANKS or not all(isinstance(text, str) for text in (one["check"], *told.values())):
            raise TypeError(one)
        found[one["check"]] = Finding(**told)
    return Diagnosis(found)


def as_json(asked: Sequence[Asked]) -> str:
    """What `--json` prints."""
    told = [
        {
            "about": one.title,
            "verdict": one.diagnosis.verdict,
            "error": one.evidence.error,
            "findings": listed(one.diagnosis),
        }
        for one in asked
    ]
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
