"""A result that was kept: as `bench.json`, or as a run of the store."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rr.data.strict_json import parse_json
from rr.errors import RerankError
from rr_bench.evaluate.results import BenchResult
from rr_bench.report.files import JSON, markdown
from rr_bench.runs import database
from rr_bench.runs.database import Run
from rr_bench.runs.packing import packed

READABLE = TypeAdapter(BenchResult)


@dataclass(frozen=True)
class Stored:
    """A result; and the run that holds what its rerankers answered, where the store has it."""

    result: BenchResult
    run: Run | None


def stored(name: str) -> Stored:
    """What `name` is: a `bench.json`, a folder with one, or the id of a run. The run of a file is the newest one with
    the same result.

    Raises:
        RerankError: there is nothing of the kind, or it cannot be read.
    """
    path = Path(name)
    if path.is_dir():
        path = path / JSON
        if not path.is_file():
            raise RerankError(f"{name}: there is no {JSON} in it; 'rr bench … --out {name}' writes one")
    elif not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise RerankError(f"{name}: there is no such file; name a {JSON}, its folder, or a run of 'rr runs list'")
        run = database.find(name)
        return Stored(run.result, run)
    result = read_result(path)
    return Stored(result, _run_of(result))


def read_result(path: Path) -> BenchResult:
    """
    Raises:
        RerankError: the file is no result of a bench.
    """
    try:
        result = READABLE.validate_python(parse_json(path.read_text(encoding="utf-8"), str(path)))
        _check(result)
    except OSError as error:
        raise RerankError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except (ValidationError, UnicodeError, ValueError, RecursionError) as error:
        raise RerankError(f"{path}: no result of rr bench ({_reason(error)}); run rr bench … --out again") from error
    return result


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def _check(result: BenchResult) -> None:
    """What no type says, and everything that shows a result relies on.

    Raises:
        ValueError: it is not so.
    """
    if not result.metrics:
        raise ValueError("it has no metric")
    for dataset in result.datasets:
        for row in dataset.rows:
            if not row.metrics:
                continue
            if missing := set(result.metrics) - set(row.metrics):
                raise ValueError(f"{row.reranker} on {dataset.name} has no {min(missing)}")
            for one in row.metrics.values():
                if not all(map(math.isfinite, (one.mean, one.low, one.high))):
                    raise ValueError(f"{row.reranker} on {dataset.name} has figures that are no numbers")
            for metric, values in row.per_query.items():
                if len(values) != len(dataset.queries_of(metric)):
                    raise ValueError(f"{row.reranker} on {dataset.name}: {metric} has {len(values)} values")
    try:
        markdown(result)
    except KeyError as error:
        raise ValueError(f"something in it has no {error}") from error


def _run_of(result: BenchResult) -> Run | None:
    content: Any = json.loads(json.dumps(packed(asdict(result), {})))
    try:
        return next((run for run in database.all_runs() if run.about["result"] == content), None)
    except RerankError as error:
        logging.getLogger("rr").warning("what its rerankers answered is not shown: %s", error)
        return None
