"""How a distribution is imported and what it registers. What is registered is looked at where it is the subject's, or
the subject is a plugin as such."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from rr.border import plugin_code
from rr.errors import PluginError, RerankError
from rr.registry.plugins import Registered, is_met
from rr.registry.resolve import settings_model
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.imported import again, imported, looked_at, tried
from rr_bench.testing.subject import Subject

QUICK = 2.0
"""Seconds that a plugin may take to be imported and to register: from there on, it is named on stderr."""
LINE = 120
"""Characters of a summary at the most."""
CALLED: dict[str, tuple[int, dict[str, int]]] = {
    "scorer": (2, {"score": 1}),
    "reranker": (2, {"rerank": 1}),
    "trainer": (2, {"train": 3}),
    "reader": (1, {"files": 0, "read": 0}),
    "retriever": (1, {"fit": 1, "scores": 1}),
}
"""Of a kind: with how many arguments its class is called, and each of its methods."""
FUNCTIONS = {"check": 1, "measure": 2}
ATTRIBUTES = {"scorer": "info", "reranker": "info", "retriever": "learns"}


@check_of("plugin")
def check_plugin_is_imported(subject: Subject) -> None:
    """Its module can be imported, whatever else is installed, and does not end the process."""
    if broke := tried(subject).broke:
        raise BrokenRuleError("the plugin's module can be imported", broke, _import(subject))


@check_of("plugin")
def check_plugin_registers(subject: Subject) -> None:
    """It registers at least one component, each under a valid name of its own."""
    found = imported(subject)
    if found.unregistered:
        raise BrokenRuleError("hooks that return components, each under a name of its own", found.unregistered)
    if not found.components:
        raise BrokenRuleError("at least one component", "its hooks return empty lists")


@check_of("plugin")
def check_plugin_prints_nothing(subject: Subject) -> None:
    """Nothing comes on stdout or stderr while it is imported and registers."""
    if printed := imported(subject).printed.strip():
        raise BrokenRuleError("an import that prints nothing", repr(printed[:100]), _import(subject))


@check_of("plugin")
def check_plugin_imports_nothing_heavy(subject: Subject) -> None:
    """`rr list` imports every plugin: torch and its like come with the component that needs them."""
    if heavy := imported(subject).heavy:
        raise BrokenRuleError(
            "a plugin's module imports the standard library and rr alone", f"it imports {', '.join(heavy)}", heavy[0]
        )


@check_of("plugin")
def check_plugin_is_imported_quickly(subject: Subject) -> None:
    """In two seconds, hooks included; the best of three counts where the machine is busy."""
    seconds = imported(subject).seconds
    for _ in range(2):
        if seconds <= QUICK:
            return
        seconds = min(seconds, again(subject).seconds)
    if seconds > QUICK:
        raise BrokenRuleError(f"import and registration within {QUICK:g} s", f"{seconds:.1f} s", _import(subject))


@check_of("plugin")
def check_plugin_changes_nothing(subject: Subject) -> None:
    """The process is as it was: environment, logging, warnings, working folder, threads; nobody was connected to."""
    found = imported(subject)
    if found.changed:
        raise BrokenRuleError(
            "an import leaves the process as it was", f"it changed {', '.join(found.changed)}", _import(subject)
        )
    if found.touched:
        raise BrokenRuleError("an import reaches for nothing", f"it called {found.touched[0]}", _import(subject))


@check_of("plugin")
def check_summaries_are_lines(subject: Subject) -> None:
    """Each summary says in one line what `rr list` shows."""
    for one in looked_at(subject)[1]:
        text = one.component.summary
        if not text.strip() or not text.isprintable() or len(text) > LINE:
            raise BrokenRuleError(f"a summary of one line, of at most {LINE} characters", repr(text), _who(one))


@check_of("plugin")
def check_settings_import_nothing_heavy(subject: Subject) -> None:
    """Settings are checked before anything is loaded: their module, like the plugin's, imports nothing heavy."""
    asked = {one.component.settings.partition(":")[0]: one for one in looked_at(subject)[1]}
    for module, heavy in imported(subject).settings.items():
        if heavy and module in asked:
            found = f"{module} imports {', '.join(heavy)}"
            raise BrokenRuleError("a module of settings imports nothing heavy", found, _who(asked[module]))


@check_of("plugin")
def check_targets_fit(subject: Subject) -> None:
    """What a component names can be imported, and is a class with the methods of its kind, or a function."""
    plugins, asked = looked_at(subject)
    for one in _usable(asked):
        try:
            target = plugins.load(one.kind, one.component.name)
        except PluginError as error:
            raise BrokenRuleError("a target that can be imported", str(error), _who(one)) from error
        if one.kind in FUNCTIONS:
            _called(target, FUNCTIONS[one.kind], f"{one.kind} {one.component.target}")
        if one.kind in CALLED:
            _fits(target, one)


@check_of("plugin")
def check_settings_are_sound(subject: Subject) -> None:
    """They are a subclass of rr.Settings; each field is described, and its default is a valid value that JSON has."""
    plugins, asked = looked_at(subject)
    for one in _usable(asked):
        try:
            model = settings_model(plugins, one.kind, one.component.name)
        except PluginError as error:
            raise BrokenRuleError("settings that are a subclass of rr.Settings", str(error), _who(one)) from error
        _sound(model, _who(one))


def _fits(target: type[Any], one: Registered) -> None:
    arguments, methods = CALLED[one.kind]
    who = one.component.target
    _called(target, arguments, who)
    for name, count in methods.items():
        method = getattr(target, name, None)
        if not callable(method):
            raise BrokenRuleError(f"a {one.kind} has a method {name!r}", f"{who} has none", _who(one))
        bound = isinstance(inspect.getattr_static(target, name), staticmethod | classmethod)
        _called(method, count + (not bound), f"{who}.{name}")
    wanted = ATTRIBUTES.get(one.kind)
    # one that is set when it is made is seen when it is asked
    if wanted == "learns" and not isinstance(getattr(target, wanted, True), bool | property):
        raise BrokenRuleError("'learns' is True or False", repr(getattr(target, wanted)), _who(one))


def _called(function: Callable[..., Any], arguments: int, who: str) -> None:
    """Whether it can be called with so many arguments by their places, and answers at once."""
    if inspect.iscoroutinefunction(function):
        raise BrokenRuleError("functions that answer when they are called", f"{who} is a coroutine", f"async {who}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of one that is not written in Python
        return
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        raise BrokenRuleError(f"{who} can be called with {arguments} arguments", str(error), str(signature)) from error


def _sound(model: type[BaseModel], who: str) -> None:
    defaults = {}
    for name, field in model.model_fields.items():
        if not (field.description or "").strip():
            raise BrokenRuleError("a text under each setting says what it means", f"{name!r} has none", who)
        if not field.is_required():
            with plugin_code(f"{who}: the default of {name!r}"):
                defaults[name] = field.get_default(call_default_factory=True)
            _in_json(field.annotation, defaults[name], f"{who}: {name}")
    try:
        with plugin_code(f"{who}: its settings", passing=(RerankError, ValidationError)):
            model.model_validate(defaults)
    except ValidationError as error:
        # a key that has no default is missing, and what all of them together must be cannot be told without it
        wrong = [one for one in error.errors() if one["type"] != "missing" and one["loc"]]
        if wrong:
            name = ".".join(map(str, wrong[0]["loc"]))
            raise BrokenRuleError("defaults that are valid", f"{name!r}: {wrong[0]['msg']}", who) from error


def _in_json(annotation: Any, default: Any, who: str) -> None:
    try:
        TypeAdapter(annotation, config={"allow_inf_nan": False}).dump_json(default, warnings="error")
    except Exception as error:
        found = str(error).splitlines()[0]
        raise BrokenRuleError(
            "a default that JSON has: every key is made of it", found, f"{who} = {default!r}"
        ) from error


def _usable(asked: Sequence[Registered]) -> list[Registered]:
    """Those that this machine has what they need for."""
    return [one for one in asked if all(map(is_met, one.component.requires))]


def _import(subject: Subject) -> str:
    assert subject.point is not None
    return f"import {subject.point.value.partition(':')[0]}"


def _who(one: Registered) -> str:
    return f"{one.kind} {one.component.name}"
