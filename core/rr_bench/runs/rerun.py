"""A run again: the same bench from the recorded registry, with today's code, versions and data."""

from __future__ import annotations

from contextlib import chdir, nullcontext
from pathlib import Path

from rr.errors import RerankError
from rr.files import home
from rr_bench.evaluate.bench import bench
from rr_bench.keeping import home_at
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import Registry
from rr_bench.registry_files import from_record
from rr_bench.runs import database
from rr_bench.runs.database import Run
from rr_bench.runs.recording import LAST


def rerun(run: Run, fresh: bool = False, progress: Progress = SILENT) -> Run:
    """The run that it leaves. `fresh`: nothing that is kept is used. Paths of the registry mean what they meant: they
    are looked for from the folder in which the run was made, where that is still there.

    Raises:
        RerankError: it cannot be run any more, or its record could not be written.
    """
    registry = Registry.model_validate(from_record(run.json(run.about["registry"])))
    folder = Path(run.about["folder"])
    arguments = {**run.about["arguments"], "fresh": fresh}
    with home_at(home()), chdir(folder) if folder.is_dir() else nullcontext():
        bench(**arguments, registry=registry, progress=progress)
    if not LAST.get():
        raise RerankError("it ran again, but the new run could not be recorded, so nothing can be compared")
    return database.find(LAST.get())
