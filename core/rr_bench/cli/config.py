"""The JSON config file of another project's training script, laid over a registry entry."""

from __future__ import annotations

from pathlib import Path

from rr.border import plugin_code
from rr.data.files import read_json
from rr.errors import RerankError
from rr.protocols import ReadsConfig
from rr.registry.plugins import Plugins
from rr.registry.resolve import target_name
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.trainers import load_trainer


def with_config(plugins: Plugins, name: str, entry: RerankerEntry, file: Path) -> tuple[RerankerEntry, list[str]]:
    """The entry with what the file says, as its trainer reads it, and what is to be said about keys that it does not
    read.

    Raises:
        RerankError: the trainer reads no such files, or the file is no JSON object, or it says what cannot be done.
    """
    trainer = load_trainer(plugins, resolve(plugins, name, entry))
    if not issubclass(trainer, ReadsConfig):
        raise RerankError(f"the trainer of {name!r} reads no config files; give its settings as flags")
    values = read_json(file)
    if not isinstance(values, dict):
        raise RerankError(f"{file}: must be a JSON object of settings, not {type(values).__name__}")
    with plugin_code(f"{target_name(trainer)}.read_config"):
        settings, training, notes = trainer.read_config(values)
    return entry.overridden({"settings": settings, "training": training}, str(file)), list(notes)
