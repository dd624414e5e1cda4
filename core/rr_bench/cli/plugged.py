"""Sub-commands that plugins bring along: listed by their summaries, and imported when they are called."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import ParameterInfo

from rr.border import plugin_code
from rr_bench.cli.everywhere import with_common
from rr_bench.cli.options import given_path
from rr_bench.cli.printing import tell


class Plugged(TyperGroup):
    """A group whose own commands are joined by those whose names begin with its words."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted({words[0] for words in self._below(ctx)} - set(own))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return with_common(own)
        below = [words for words in self._below(ctx) if words[0] == cmd_name]
        if not below:
            return None
        if any(len(words) > 1 for words in below):
            return Plugged(name=cmd_name, help="Commands of plugins.")
        return Lazy(" ".join([*_words(ctx), cmd_name]), cmd_name)

    def _below(self, ctx: Any) -> list[list[str]]:
        """What follows this group's words in the names of commands."""
        from rr.registry.plugins import installed_plugins

        own = _words(ctx)
        names = [one.component.name.split(" ") for one in installed_plugins().of_kind("command")]
        return [words[len(own) :] for words in names if words[: len(own)] == own and len(words) > len(own)]


class Lazy(TyperCommand):
    """Stands for a plugin's command until it is called."""

    def __init__(self, full: str, name: str) -> None:
        from rr.registry.plugins import installed_plugins

        self._full = full
        super().__init__(name, help=installed_plugins().get("command", full).component.summary)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        from rr.registry.plugins import installed_plugins

        function = installed_plugins().load("command", self._full)
        with plugin_code(f"rr {self._full} has parameters that cannot be read"):
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(self.name)(_told(function, self._full))
            command = with_common(typer.main.get_command(single))
        return command.make_context(info_name, args, parent=parent, **extra)


def unreachable(app: typer.Typer) -> Iterator[tuple[str, str]]:
    """The commands of plugins that stand behind others, so that nobody can call them, and why."""
    from rr.registry.plugins import installed_plugins

    group = typer.main.get_command(app)
    own = {(name,): command for name, command in group.commands.items()}  # type: ignore[attr-defined]
    for (name,), command in list(own.items()):
        own |= {(name, below): one for below, one in getattr(command, "commands", {}).items()}
    theirs = {tuple(one.component.name.split(" ")): one for one in installed_plugins().of_kind("command")}
    for words, registered in theirs.items():
        name = " ".join(words)
        who = f"command {name!r} of {registered.distribution}"
        fronts = [words[: number + 1] for number in range(len(words))]
        front = next((one for one in fronts if one in own and not hasattr(own[one], "commands")), None)
        if front or words in own:
            yield name, f"{who} cannot be called: 'rr {' '.join(front or words)}' is rr's own; rename it"
        elif any(one[: len(words)] == words and len(one) > len(words) for one in theirs):
            yield name, f"{who} cannot be called: others' names begin with it; rename it"


def _told(function: Callable[..., Iterable[str] | None], full: str) -> Callable[..., None]:
    """The function with what it gives, if it gives lines, on stdout. What it prints itself goes to stderr. Its paths
    are read as ours are, and what it is given as `out` is tried before it works."""
    from rr.errors import PluginError, RerankError
    from rr_bench.outputs import new_path

    @functools.wraps(function)
    def told(*arguments: Any, **options: Any) -> None:
        if isinstance(out := options.get("out"), Path):
            new_path(out, "--out", _paths([given for name, given in options.items() if name != "out"]))
        border = functools.partial(plugin_code, f"rr {full} broke", passing=(RerankError, typer.Exit, typer.Abort))
        with border():
            given = function(*arguments, **options)
            lines = iter(() if given is None else given)
        while True:  # each line is told when it comes, and outside of the border, whose stdout is stderr
            with border():
                line = next(lines, None)
                if not isinstance(line, str | None):
                    raise PluginError(f"rr {full} gave {type(line).__name__}, not lines of text")
            if line is None:
                return
            tell(line)

    signature = inspect.signature(function, eval_str=True)
    told.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(map(_as_given_path, signature.parameters.values()))
    )
    return told


def _as_given_path(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter that is a path, read by `given_path` unless it says otherwise; any other as it is."""
    annotated = get_origin(parameter.annotation) is Annotated
    hint, *notes = get_args(parameter.annotation) if annotated else [parameter.annotation]
    if Path not in (hint, *get_args(hint)):
        return parameter
    said = [note for note in notes if isinstance(note, ParameterInfo)]
    optional = parameter.default is not inspect.Parameter.empty
    info = copy.copy(said[0]) if said else typer.Option() if optional else typer.Argument()
    info.parser = info.parser or given_path
    return parameter.replace(annotation=Annotated[hint, info])


def _paths(value: object) -> list[Path]:
    if isinstance(value, list | tuple):
        return [path for one in value for path in _paths(one)]
    return [value] if isinstance(value, Path) else []


def _words(ctx: Any) -> list[str]:
    """Those of the command line behind `rr`."""
    return str(ctx.command_path).split(" ")[1:]
