"""What `rr train` and `rr sweep` are asked: an entry, a data set, and settings as flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rr.errors import RerankError
from rr.registry.plugins import Plugins, installed_plugins
from rr_bench.api import find_entry
from rr_bench.cli.config import with_config
from rr_bench.cli.files import Offer, asked_dataset, offers
from rr_bench.cli.flags import Models, setting_models, with_flags
from rr_bench.cli.options import as_given
from rr_bench.cli.printing import tell
from rr_bench.cli.spellings import SPELLINGS, in_our_words
from rr_bench.registry import DatasetEntry, Registry, load_registry
from rr_bench.schema import RerankerEntry


@dataclass(frozen=True)
class Asked:
    """`arguments`: the flags that are settings, as they were given. `called`, `read`: name and entry of the data set.
    `files`: the flags that stand in its place, if they do. `given`: --profile and --registry, as they were given."""

    name: str
    registry: Registry
    plugins: Plugins
    called: str
    read: DatasetEntry
    arguments: list[str]
    files: list[str]
    given: tuple[str, ...]
    _bare: RerankerEntry
    _models: Models
    _options: Sequence[str]

    @property
    def words(self) -> list[str]:
        """The arguments in our words."""
        return in_our_words(self.arguments, self._models, self.registry, self.name, self._bare)[0]

    def entry(self, arguments: Sequence[str], say: bool = False) -> RerankerEntry:
        """The entry with what the flags say. `say`: also what is to be said of them.

        Raises:
            RerankError: no such setting, or a value is missing, malformed or given twice.
        """
        ours, notes = in_our_words(arguments, self._models, self.registry, self.name, self._bare)
        for note in notes if say else ():
            tell(note, err=True)
        return with_flags(self.plugins, self.name, self._bare, ours, self._options)


def asked(
    context: Any,
    name: str,
    dataset: str | None,
    config: Path | None,
    profile: str | None,
    registry: Path | None,
) -> Asked:
    """`context`: the command's, whose `args` are the flags that it does not know itself.

    Raises:
        RerankError: nothing is called so, the config cannot be read, or there is no such data set.
    """
    command = context.command.name
    if name.startswith("-"):
        raise RerankError(f"the reranker's name comes before its settings: rr {command} NAME … {name}")
    found, plugins = load_registry(registry), installed_plugins()
    entry = find_entry(found, plugins, name, profile)
    if config is not None:
        entry, notes = with_config(plugins, name, entry, config)
        for note in notes:
            tell(note, err=True)
    models = setting_models(plugins, entry)
    offered = offers(plugins) if context.args or dataset is None else []
    called, read, arguments = asked_dataset(dataset, context.args, models, found, offered)
    options = [option for parameter in context.command.params for option in parameter.opts]
    options += [f"--{word}" for word in (*SPELLINGS, *(flag for offer in offered for flag in offer.options))]
    files = [] if dataset is not None else _files(offered, read)
    given = as_given(profile, registry)
    return Asked(name, found, plugins, called, read, arguments, files, given, entry, models, options)


def _files(offered: Sequence[Offer], read: DatasetEntry) -> list[str]:
    return [
        word
        for offer in offered
        for flag, option in offer.options.items()
        if offer.reader == read.reader and option in read.options
        for word in (f"--{flag}", str(read.options[option]))
    ]
