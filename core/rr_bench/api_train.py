"""`rr.train`: what `rr train` does, for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rr.border import plugin_code
from rr.protocols import OnEvent
from rr.registry.plugins import Plugins, installed_plugins
from rr.registry.resolve import settings_model
from rr_bench import arguments
from rr_bench.api import NamedReranker, find_entry, loaded_entry
from rr_bench.arguments import opened
from rr_bench.data.load import load_dataset
from rr_bench.explain import explaining
from rr_bench.outputs import new_path
from rr_bench.registry import Registry
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.checkpoints import Checkpoint
from rr_bench.train.training import train as train_entry


@dataclass(frozen=True)
class Trained:
    """What a training left. `checkpoint.record` says the rest of it (docs/checkpoints.md)."""

    name: str
    dataset: str
    checkpoint: Checkpoint
    _resolved: Resolved = field(repr=False)

    @property
    def folder(self) -> Path:
        return self.checkpoint.folder

    @property
    def dev(self) -> float | None:
        """The best dev figure after the start, by `dev_metric`; None where the trainer tells none."""
        found = self.checkpoint.record.get("best_dev")
        return None if found is None else float(found)

    @property
    def dev_metric(self) -> str | None:
        found = self.checkpoint.record.get("dev_metric")
        return None if found is None else str(found)

    @property
    def steps(self) -> int:
        return int(self.checkpoint.record["steps"])

    @property
    def seconds(self) -> float:
        return self.checkpoint.seconds

    @property
    def notes(self) -> tuple[str, ...]:
        return self.checkpoint.notes

    @explaining()
    def load(self) -> NamedReranker:
        """The entry with the settings and the weights of this training."""
        return loaded_entry(self._resolved, self.checkpoint)


@explaining()
def train(
    name: str,
    dataset: str,
    *,
    out: Path | str | None = None,
    training: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    on_event: OnEvent | None = None,
    profile: str | None = None,
    registry: Path | str | Registry | None = None,
    plugins: Plugins | None = None,
) -> Trained:
    """Trains the entry called `name` on the data set's train split, selecting on dev: into the new folder `out`, or one
    in `$RR_HOME`, where the same call finds it done. `training` and `settings` are laid over the entry's own.
    `on_event` is told each step and dev figure.

    Raises:
        RerankError: a name or a setting does not exist, `out` does, the entry has no trainer, or the training broke.
        TypeError: an argument is of a wrong type.
    """
    for argument, value in {"name": name, "dataset": dataset}.items():
        if not isinstance(value, str):
            raise TypeError(f"{argument} is {type(value).__name__}, not str")
    arguments.of_type("out", out, str, Path)
    arguments.of_type("training", training, Mapping)
    arguments.of_type("settings", settings, Mapping)
    arguments.of_type("profile", profile, str)
    arguments.of_type("plugins", plugins, Plugins)
    if on_event is not None and not callable(on_event):
        raise TypeError(f"on_event is {type(on_event).__name__}, which cannot be called")
    folder = None if out is None else Path(out)
    if folder is not None:
        new_path(folder, "out")
    registry, plugins = opened(registry), plugins or installed_plugins()
    entry = find_entry(registry, plugins, name, profile)
    resolved = resolve(plugins, name, _with(entry, name, plugins, training or {}, settings or {}))
    data = load_dataset(dataset, registry.dataset(dataset), plugins=plugins)
    observers = [] if on_event is None else [on_event]
    return Trained(name, dataset, train_entry(plugins, resolved, data, folder, observers=observers), resolved)


def _with(
    entry: RerankerEntry, name: str, plugins: Plugins, training: Mapping[str, Any], settings: Mapping[str, Any]
) -> RerankerEntry:
    """The entry with other settings laid over it, and what they stand for (a preset)."""
    given: dict[str, Any] = {}
    if training and entry.trainer is not None:
        with plugin_code(f"training of {name!r}"):
            given["training"] = settings_model(plugins, "trainer", entry.trainer).expanded(dict(training))
    if settings and entry.scorer is not None:
        with plugin_code(f"settings of {name!r}"):
            given["settings"] = settings_model(plugins, "scorer", entry.scorer).expanded(dict(settings))
    return entry.overridden(given, f"what is given to train {name!r}") if given else entry
