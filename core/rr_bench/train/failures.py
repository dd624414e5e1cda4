"""What a failed training has recorded, kept beside the place where its checkpoint would be, for `rr doctor`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rr.errors import NoNumberError, RerankError
from rr.files import write_atomic
from rr.files.kept import with_checksum
from rr_bench.outputs import own_folder
from rr_bench.train.events import EVENTS, EventLog
from rr_bench.train.trial import UnchangedError
from rr_bench.train.workplace import Workplace, beside

FAILURE = "failure.json"


def failed_folder(path: Path) -> Path:
    """Of the checkpoint that would be `path`: holds `events.jsonl` and `failure.json`."""
    return beside(path, "failed")


@contextmanager
def kept_if_failed(work: Workplace, about: Mapping[str, Any], log: EventLog) -> Iterator[None]:
    """Keeps the record of a training that fails in the block: `about` with its `error`, whether its checkpoint scored
    as the untrained component (`unchanged`), and whether what it met is NaN (`no_number`). One that ends well takes
    away what an earlier one left."""
    folder = failed_folder(work.path)
    try:
        yield
    except RerankError as error:
        if work.writes:
            log.close()
            _cleared(folder)
            folder.mkdir()
            if (work.folder / EVENTS).is_file():
                shutil.copyfile(work.folder / EVENTS, folder / EVENTS)
            failure = {**about, "error": str(error), "unchanged": isinstance(error, UnchangedError)}
            failure["no_number"] = isinstance(error, NoNumberError)
            write_atomic(folder / FAILURE, json.dumps(with_checksum(failure), ensure_ascii=False, indent=2) + "\n")
        raise
    if work.writes:
        _cleared(folder)


def _cleared(folder: Path) -> None:
    own_folder(folder)
    shutil.rmtree(folder, ignore_errors=True)
