"""Files in the place of a data set of the registry, as flags: `--corpus_csv corpus.csv --train_xlsx train.xlsx`.

An option of a reader is such a flag where its field says so: `Field(json_schema_extra={"flag": "corpus_csv"})`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rr.errors import PluginError, RerankError
from rr.registry.plugins import Plugins, Registered
from rr_bench.cli.flags import Models, argument, known_names, pairs, value, word
from rr_bench.registry import DatasetEntry, Registry

FLAG = "flag"


@dataclass(frozen=True)
class Offer:
    """A reader that reads files of the command line. `options`: flag → the option that it gives; `required`: the flags
    without which there is no data set; `texts`: flag → what it is, in words."""

    reader: str
    options: dict[str, str]
    required: tuple[str, ...]
    texts: dict[str, str]


def offers(plugins: Plugins) -> list[Offer]:
    """The readers with such flags; one whose settings cannot be read has none, and tells why where it is named."""
    found = []
    for registered in plugins.of_kind("reader"):
        with suppress(PluginError):
            found.append(_offer(plugins, registered))
    return [offer for offer in found if offer.options]


def _offer(plugins: Plugins, registered: Registered) -> Offer:
    reader = f"{registered.distribution}/{registered.component.name}"
    model = plugins.settings("reader", reader)
    fields = {} if model is None else model.model_fields
    told = {option: field.json_schema_extra for option, field in fields.items()}
    options = {str(extra[FLAG]): option for option, extra in told.items() if isinstance(extra, dict) and FLAG in extra}
    required = tuple(flag for flag, option in options.items() if fields[option].is_required())
    return Offer(
        reader, options, required, {flag: fields[option].description or "" for flag, option in options.items()}
    )


def asked_dataset(
    dataset: str | None, arguments: Sequence[str], models: Models, registry: Registry, offered: Sequence[Offer]
) -> tuple[str, DatasetEntry, list[str]]:
    """Name and entry of the data set that `--dataset` names in the registry, or that files among the arguments are: it
    is called as the first of them, and read by the reader that knows most of the flags. And the other arguments.
    `models`: the reranker's settings, whose flags come first.

    Raises:
        RerankError: there is no such data set, or there are two; a file that the reader needs is not given, or twice.
    """
    asked = list(pairs(arguments))
    words = {word(flag) for flag, _ in asked} - known_names(models)
    offer = max(offered, key=lambda one: len(words & one.options.keys()), default=None)
    if offer is None or not words & offer.options.keys():
        if dataset is None:
            files = "".join(f", or its files with {_flags(one.required)}" for one in offered)
            raise RerankError(f"name the data set to train on with --dataset{files}")
        return dataset, registry.dataset(dataset), list(arguments)
    given: dict[str, str] = {}
    rest = []
    for flag, text in asked:
        if word(flag) not in words & offer.options.keys():
            rest.append(argument(flag, text))
        elif word(flag) in given:
            raise RerankError(f"{flag} is given twice; keep one")
        else:
            given[word(flag)] = value(flag, text)
    if dataset is not None:
        raise RerankError(f"--dataset {dataset} and {_flags(given)} are two data sets; keep one")
    missing = [flag for flag in offer.required if flag not in given]
    if missing:
        raise RerankError(
            f"{_flags(given)} without {_flags(missing)}; the data set is made of {_flags(offer.required)}"
        )
    options = {option: given[flag] for flag, option in offer.options.items() if flag in given}
    return Path(next(iter(options.values()))).stem, DatasetEntry(reader=offer.reader, options=options), rest


def _flags(words: Collection[str]) -> str:
    return " and ".join(f"--{flag}" for flag in words)
