"""Command lines that documents show, read as the command line reads them, without being run."""

from __future__ import annotations

import re
import shlex
from typing import Any

import typer

from rr import RerankError
from rr.registry.plugins import Plugins
from rr_bench.api import find_entry
from rr_bench.cli.app import app
from rr_bench.cli.files import offers
from rr_bench.cli.flags import entry_settings, setting_models, with_flags
from rr_bench.cli.spellings import in_our_words
from rr_bench.registry import Registry


def shell_lines(text: str) -> list[str]:
    """The commands of a block: without comments and here-documents, those that a backslash goes on with on one line."""
    text = re.sub(r"<<'(\w+)'.*?^\1$", "", text.replace("\\\n", " "), flags=re.M | re.S)
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def rr_commands(text: str) -> list[str]:
    """What a block asks of `rr`, each on one line."""
    found = []
    for line in shell_lines(text):
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word in ("&&", "||", ";", "|", "|| true"):
                while words and re.match(r"[A-Z_]+=", words[0]):
                    del words[0]  # the environment of one command
                if words and words[0] == "rr":
                    found.append(shlex.join(words))
                words = []
            else:
                words.append(word)
    return found


def parsed(text: str, registry: Registry, plugins: Plugins) -> dict[str, Any]:
    """The parameters of a command line that begins with `rr`; settings of `rr train` and `rr sweep` are checked, too.

    Raises:
        click.ClickException: there is no such command, argument or option, or a value is none.
        RerankError: a setting is none.
    """
    words = shlex.split(text)[1:]
    group: Any = typer.main.get_command(app)
    context = group.make_context("rr", [words[0]])
    while hasattr(group, "commands"):
        name = words.pop(0)
        below = group.get_command(context, name)
        if below is None:
            raise RerankError(f"{text}: no such command as {name}")
        group, context = below, below.make_context(name, list(words), parent=context)
    given: dict[str, Any] = context.params
    if name not in ("train", "sweep"):
        if context.args:
            raise RerankError(f"{text}: {context.args} is nothing that rr {name} takes")
        return given
    entry = find_entry(registry, plugins, given["name"], given["profile"])
    # of a list or a range of values the first is read
    first = [re.split(r"[,:]", word)[0] if name == "sweep" else word for word in context.args]
    arguments, models = first, setting_models(plugins, entry)
    if given["dataset"] is None:  # files, of which readers say by which flags they are named
        flags = {f"--{flag}" for offer in offers(plugins) for flag in offer.options}
        arguments = [
            word for word, before in zip(first, ["", *first], strict=False) if word not in flags and before not in flags
        ]
    arguments, _ = in_our_words(arguments, models, registry, given["name"], entry)
    entry_settings(plugins, given["name"], with_flags(plugins, given["name"], entry, arguments))
    return given
