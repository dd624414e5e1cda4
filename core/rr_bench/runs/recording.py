"""What a bench leaves behind: a decorator of it, and what its rows tell meanwhile."""

from __future__ import annotations

import functools
import logging
import os
import shlex
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ParamSpec

from rr.errors import summary
from rr.files import fingerprint
from rr.registry.plugins import Plugins
from rr.types import Dataset, Request
from rr_bench.arguments import named_folders, opened
from rr_bench.code import room_fingerprint
from rr_bench.evaluate.pairs import Answer
from rr_bench.evaluate.results import BenchResult
from rr_bench.keys import component_key, engines_of, settings_key
from rr_bench.registry import Registry, find_registry
from rr_bench.registry_files import recordable
from rr_bench.resolve import Resolved
from rr_bench.runs import database
from rr_bench.runs.packing import Blobs, kept, kept_json, packed
from rr_bench.train.trainers import load_trainer, training_settings

P = ParamSpec("P")
EVALUATION = ("rr.measures", "rr.types", "rr_bench.evaluate", "rr_bench.data")
"""The code that figures depend on besides that of the rerankers."""
PLURAL = ("datasets", "baselines", "checkpoints")
"""Arguments of a bench that are an option of the command line, given several times."""
OF_THE_CALL = ("registry", "plugins", "progress", "jobs", "engine", "store")
"""Arguments of a bench that are no settings of it."""


@dataclass
class Heard:
    """What the rows of one bench have told. `rows`: data set → label → what it is and what it answered."""

    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    blobs: Blobs = field(default_factory=dict)
    shared: dict[tuple[str, str], str] = field(default_factory=dict)
    """What rows of one data set have in common: its fingerprint, and what it is → checksum."""
    error: Exception | None = None


_heard: ContextVar[Heard | None] = ContextVar("heard", default=None)
LAST: ContextVar[str] = ContextVar("last", default="")
"""The id of the run that was recorded last here; empty where it could not be."""


def recorded(bench: Callable[P, BenchResult]) -> Callable[P, BenchResult]:
    """A bench that leaves a run. Where that cannot be written it warns, and the result stands all the same."""

    @functools.wraps(bench)
    def run(*names: P.args, **asked: P.kwargs) -> BenchResult:
        given: Any = asked.get("registry")
        registry, heard = opened(given), Heard()
        asked["registry"] = registry
        if "checkpoints" in asked:
            asked["checkpoints"] = named_folders("checkpoints", asked["checkpoints"])
        token = _heard.set(heard)
        try:
            result = bench(*names, **asked)
        finally:
            _heard.reset(token)
        LAST.set("")
        try:
            source = "" if isinstance(given, Registry) else str(find_registry(Path(given) if given else None))
            arguments = {name: value for name, value in asked.items() if name not in OF_THE_CALL}
            LAST.set(
                _written(result, {**dict(zip(("names",), names, strict=False)), **arguments}, registry, source, heard)
            )
        except Exception as error:  # the bench's own result is not lost for its record
            if os.environ.get("RR_STRICT") == "1":
                raise
            logging.getLogger("rr").warning(
                "this run could not be recorded (%s); its result stands, but 'rr runs' does not know it", summary(error)
            )
        return result

    return run


def heard(
    label: str,
    view: Dataset,
    requests: Sequence[Request],
    answers: Mapping[str, Answer],
    about: Callable[[], Mapping[str, Any]],
    checkpoint: Mapping[str, str],
) -> None:
    """One row, or one fold of it: what it was asked and has answered, under the ids that it was shown. What cannot be
    told is told to the record, and is no failure of the row."""
    found = _heard.get()
    if found is None or found.error is not None:
        return
    try:
        rows = found.rows.setdefault(view.name, {})
        if label not in rows:
            rows[label] = {**about(), "runs": []}

        def shared(what: str, value: Callable[[], object]) -> str:
            key = (view.fingerprint, what)
            if key not in found.shared:
                found.shared[key] = kept_json(value(), found.blobs)
            return found.shared[key]

        asked = [(request.query.id, request.candidates) for request in requests]
        scores = array("d", (answers[q].scores[document.id] for q, shown in asked for document in shown))
        rows[label]["runs"].append(
            {
                "checkpoint": dict(checkpoint),
                "data": view.fingerprint,
                "candidates": shared("candidates", lambda: [[q, [d.id for d in shown]] for q, shown in asked]),
                "qrels": shared("qrels", lambda: {q: dict(view.qrels[q]) for q, _ in asked}),
                "scores": kept(scores.tobytes(), found.blobs),
            }
        )
    except Exception as error:  # noqa: BLE001 - raised when the record is to be written
        found.error = error


def described(plugins: Plugins, resolved: Resolved) -> dict[str, Any]:
    """All that a row's answers depend on, by names, so that two runs can be told apart."""
    entry = resolved.entry
    found: dict[str, Any] = {
        "entry": entry.model_dump(mode="json", exclude_unset=True),
        **component_key(resolved.target, resolved.registered, engines_of(resolved.settings)),
        **settings_key(resolved.settings),
    }
    found["code"] = fingerprint(found["code"])
    if entry.trainer is not None:
        trainer, settings = load_trainer(plugins, resolved), training_settings(plugins, resolved)
        key = component_key(trainer, plugins.get("trainer", entry.trainer), engines_of(settings))
        found["training"] = settings.model_dump(mode="json")
        found["trainer_code"] = fingerprint(key["code"])
    return found


def command(arguments: Mapping[str, Any]) -> str:
    """The arguments of a bench as a command line."""
    words = ["rr", "bench", *(arguments.get("names") or ["--all"])]
    for name, value in arguments.items():
        option = f"--{name.removesuffix('s') if name in PLURAL else name.replace('_', '-')}"
        if name == "names" or value is None or value is False:
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [option] if one is True else [option, str(one)]
    return shlex.join(words)


def _written(result: BenchResult, arguments: Mapping[str, Any], registry: Registry, source: str, heard: Heard) -> str:
    if heard.error is not None:
        raise heard.error
    blobs: Blobs = dict(heard.blobs)
    asked = {name: list(value) if isinstance(value, list | tuple) else value for name, value in arguments.items()}
    content = recordable(registry.model_dump(exclude_unset=True))
    about = {
        "arguments": asked,
        "command": command(asked),
        "folder": str(Path.cwd()),
        "profile": result.profile,
        "registry": kept_json(content, blobs),
        "registry_fingerprint": fingerprint(content),
        "registry_source": source,
        "code": {room: room_fingerprint(room) for room in EVALUATION},
        "rows": heard.rows,
        "result": packed(asdict(result), blobs),
    }
    return database.add(about, blobs)
