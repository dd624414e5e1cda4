"""docs/reference: the command line as `--help` prints it, every setting as its model has it, and the keys of a registry
as registry.yaml explains them. `python -m tests.core.test_site_reference` writes the pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from pydantic_core import to_jsonable_python

from rr.registry.plugins import OURS, installed_plugins
from rr.registry.resolve import settings_model
from rr.spec import Kind
from rr_bench.cli.app import app
from rr_bench.cli.flags import type_name
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "reference"
WRITTEN = "Written by `python -m tests.core.test_site_reference`; a test compares it with the code."
EXITS = (
    "Exit codes: 0 all is well; 1 something failed, and the output names it; 2 bad input; 70 a fault of rr; 130 Ctrl-C."
)
WIDTH = 100
"""Letters of a line of help."""
WITH_SETTINGS: dict[Kind, str] = {
    "scorer": "Scorers, under `settings:`",
    "reranker": "Rerankers, under `settings:`",
    "trainer": "Trainers, under `training:`",
    "reader": "Readers, under `options:` of a data set",
    "retriever": "First stages, under `candidates: {options: …}`",
}


def commands(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """The words of every command that works, with its help."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from commands(below, below.make_context(name, [], parent=context, resilient_parsing=True))
    else:
        context.terminal_width = WIDTH
        yield context.command_path, context.get_help()


def command_line() -> str:
    group = typer.main.get_command(app)
    context = group.make_context("rr", [], resilient_parsing=True)
    context.terminal_width = WIDTH
    found = [("rr", context.get_help()), *commands(group, context)]
    parts = [f"## {words}\n\n```text\n{text.rstrip()}\n```" for words, text in found]
    return "\n\n".join(["# Command line", WRITTEN, EXITS, *parts]) + "\n"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def default_of(field: Any) -> str:
    if field.is_required():
        return "required"
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    return f"`{cell(json.dumps(value, ensure_ascii=False))}`"


def _row(name: str, field: Any) -> str:
    type_, meaning = cell(type_name(field.annotation)), cell(field.description or "")
    return f"| `{name}` | `{type_}` | {default_of(field)} | {meaning} |"


def settings_page() -> str:
    parts = [
        "# Settings",
        f"{WRITTEN} `rr info NAME` shows those of an entry, with the values that it has. Each is a flag of `rr train`, "
        "too ([how](../checkpoints.md#settings-as-flags)).",
    ]
    plugins = installed_plugins()
    for kind, title in WITH_SETTINGS.items():
        parts.append(f"## {title}")
        for one in sorted(plugins.of_kind(kind), key=lambda one: one.component.name):
            if one.distribution != OURS:
                continue
            fields = settings_model(plugins, kind, one.component.name).model_fields
            parts.append(f"### {kind} `{one.component.name}`\n\n{one.component.summary}.".replace("..", "."))
            rows = [_row(name, field) for name, field in fields.items()]
            header = ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
            parts.append("\n".join([*header, *rows]) if rows else "It has no settings.")
    return "\n\n".join(parts) + "\n"


def registry_page() -> str:
    """The comment at the head of the packaged registry."""
    head = re.match(r"(?:#.*\n)+", (ROOT / "registry.yaml").read_text(encoding="utf-8"))
    assert head is not None
    text = re.sub(r"^# ?", "", head[0], flags=re.MULTILINE)
    where = "It is the comment at the head of [the packaged registry](../../registry.yaml)."
    return f"# registry.yaml\n\n{WRITTEN} {where}\n\n```text\n{text}```\n"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": command_line,
    "settings.md": settings_page,
    "registry.md": registry_page,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "python -m tests.core.test_site_reference"


def test_every_setting_of_ours_has_a_meaning() -> None:
    missing = re.findall(r"^\| `(\w+)` \| .* \|  \|$", settings_page(), flags=re.MULTILINE)
    assert missing == []


def test_every_command_is_there() -> None:
    listed = re.findall(r"^## (rr \S.*)$", command_line(), flags=re.MULTILINE)
    assert {"rr bench", "rr train", "rr data add", "rr runs diff", "rr data weights"} <= set(listed)
    assert len(listed) == len(set(listed)) > 20


if __name__ == "__main__":
    for page, written in PAGES.items():
        (FOLDER / page).write_text(written(), encoding="utf-8")
