"""What a plugin registers, checked: it may return anything."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import get_args

import pluggy
from packaging.requirements import InvalidRequirement, Requirement

from rr.errors import PluginError
from rr.spec import API, PROJECT, Component, Hooks, Kind

MOST = 1_000  # rows that a hook may return: more come of a loop without an end
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
MEASURE = re.compile(r"[^\W_]\w{0,99}")
TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
HOOKS: dict[Kind, str] = {kind: f"rr_register_{kind}s" for kind in get_args(Kind)}


def registered_rows(plugin: object) -> list[tuple[Kind, Component]]:
    """All that the plugin's hooks return. Raises PluginError: it has no hook, or a hook returns something else than
    components, each under a name of its own."""
    manager = pluggy.PluginManager(PROJECT)  # of its own: nothing of a plugin that fails is left for the next one
    manager.add_hookspecs(Hooks)
    manager.register(plugin)
    manager.check_pending()
    found = [(kind, hook) for kind, name in HOOKS.items() for hook in getattr(manager.hook, name).get_hookimpls()]
    if not found:
        what = getattr(plugin, "__name__", None) or type(plugin).__name__
        names = ", ".join(HOOKS.values())
        raise PluginError(f"registers nothing: {what} has no function marked @rr.hookimpl; its name is one of {names}")
    # not through pluggy, which leaves out a hook that returns None
    rows = [(kind, _checked(row, kind)) for kind, hook in found for row in _listed(HOOKS[kind], hook.function())]
    for (kind, name), count in Counter((kind, component.name) for kind, component in rows).items():
        if count > 1:
            raise PluginError(f"{kind} {name!r} is registered {count} times; give each a name of its own")
    return rows


def _listed(hook: str, answer: object) -> list[object]:
    if isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
        given = "None" if answer is None else type(answer).__name__
        raise PluginError(f"{hook} returned {given}; return a list of rr.Component rows")
    rows = list(islice(answer, MOST + 1))
    if len(rows) > MOST:
        raise PluginError(f"{hook} returned more than {MOST} rows")
    return rows


def _checked(row: object, kind: Kind) -> Component:
    if not isinstance(row, Component):
        raise PluginError(f"a hook returned {row!r}; return rr.Component rows")
    who = f"component {row.name!r}"
    for name in ("name", "target", "summary", "settings", "trains"):
        if not isinstance(value := getattr(row, name), str):
            raise PluginError(f"{who}: its {name} is {type(value).__name__}, not text")
    for name in ("requires", "uses"):
        value = getattr(row, name)
        if not isinstance(value, tuple | list) or not all(isinstance(one, str) for one in value):
            raise PluginError(f"{who}: {name} is {value!r}; give a tuple of names")
    pattern, letters, others = (MEASURE, "", "") if kind == "measure" else (NAME, "small ", ", '-' or '.'")
    if not all(map(pattern.fullmatch, row.name.split(" ") if kind == "command" else [row.name])):
        rule = f"up to 100 {letters}letters, digits, '_'{others}, and begins with a letter or digit"
        raise PluginError(f"{who}: a name is {rule}")
    for name, value in (("target", row.target), ("settings", row.settings or row.target)):
        if not TARGET.fullmatch(value):
            raise PluginError(f"{who}: {name} {value!r} is not 'module:Class'")
    for need in row.requires:
        try:
            Requirement(need)
        except InvalidRequirement as error:
            raise PluginError(f"{who}: requires {need!r}, which is no requirement as PEP 508 has it") from error
    if not isinstance(row.api, int) or row.api > API:
        raise PluginError(f"{who} needs rr.API {row.api!r}, and this is {API}; upgrade rerank-registry")
    return row
