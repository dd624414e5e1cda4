"""The settings of a registry entry as flags of the command line, by the names that they have in YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from rr.border import plugin_code
from rr.errors import RerankError, nearest
from rr.protocols import Settings
from rr.registry.plugins import Plugins
from rr.registry.resolve import checked_settings, settings_model
from rr.spec import Kind
from rr_bench.schema import RerankerEntry
from rr_bench.strict_yaml import read_yaml

ALONE = object()
"""The value of a flag that stands without one."""

Models = dict[str, type[Settings]]
"""Key of the entry (`training`, `settings`) → the settings that may stand under it."""


def with_flags(
    plugins: Plugins, name: str, entry: RerankerEntry, arguments: Sequence[str], options: Sequence[str] = ()
) -> RerankerEntry:
    """The entry as if what the flags say stood in the registry.

    `--batch-size 4`, `--batch_size=4`; `--fp16` is true and `--no-fp16` false; any other value is read as YAML, so
    that `null` is none and `[q_proj, v_proj]` a list. Of a name that `training` and `settings` share, `training` is
    meant; `--settings.seed` names the other. `options`: the command's own, which a mistyped flag may have meant.

    Raises:
        RerankError: no such setting, a value is missing, malformed or given twice.
    """
    if not arguments:
        return entry
    models = setting_models(plugins, entry)
    given: dict[str, dict[str, Any]] = {}
    for flag, text in pairs(arguments):
        section, key, value = _meant(flag, text, models, name, options)
        if key in given.setdefault(section, {}):
            raise RerankError(f"{flag} is given twice; keep one")
        given[section][key] = value
    with plugin_code(f"flags of {name!r}"):
        given = {section: models[section].expanded(values) for section, values in given.items()}
    return entry.overridden(given, f"flags of {name!r}")


def setting_models(plugins: Plugins, entry: RerankerEntry) -> Models:
    """All settings that are flags of this entry."""
    return {key: settings_model(plugins, *component) for key, component in _components(entry).items()}


def known_names(models: Models) -> set[str]:
    return {field for model in models.values() for field in model.model_fields}


def _components(entry: RerankerEntry) -> dict[str, tuple[Kind, str]]:
    """Key of the entry → the component whose settings stand under it; the first to know a name has it."""
    found: dict[str, tuple[Kind, str]] = {}
    if entry.trainer is not None:
        found["training"] = ("trainer", entry.trainer)
    if entry.scorer is not None:
        found["settings"] = ("scorer", entry.scorer)
    return found


def entry_settings(plugins: Plugins, name: str, entry: RerankerEntry) -> dict[str, Settings]:
    """Key of the entry → what it says under it, checked."""
    given = {"training": entry.training, "settings": entry.settings}
    return {
        key: checked_settings(plugins, *component, given[key], f"reranker {name!r}: {key}")
        for key, component in _components(entry).items()
    }


@dataclass(frozen=True, slots=True)
class Described:
    """A setting: its value and its default as JSON has them (`required`: it has none), and the text under its field."""

    name: str
    value: Any
    type: str
    default: Any
    required: bool
    meaning: str


def described(settings: Settings) -> Iterator[Described]:
    values = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        required = field.is_required()
        default = None if required else to_jsonable_python(field.get_default(call_default_factory=True))
        meaning = " ".join((field.description or "").split())
        yield Described(name, values[name], type_name(field.annotation), default, required, meaning)


def type_name(annotation: Any) -> str:
    """As an author writes it, without modules: `float | None`, `'mean' | 'cls'`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_name(inner[0])
    if origin is Literal:
        return " | ".join(map(repr, inner))
    if origin in (Union, UnionType):
        return " | ".join(map(type_name, inner))
    if inner:
        held = ", ".join("..." if one is Ellipsis else type_name(one) for one in inner)
        return f"{getattr(origin, '__name__', origin)}[{held}]"
    return "None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))


def pairs(arguments: Sequence[str]) -> Iterator[tuple[str, object]]:
    """Flag → the text of its value, or `ALONE`.

    Raises:
        RerankError: a value belongs to no flag.
    """
    rest = list(arguments)
    while rest:
        flag, equals, text = rest.pop(0).partition("=")
        if not flag.startswith("--") or flag == "--":
            raise RerankError(
                f"{flag!r} belongs to no flag; settings are given as --name value, lists as --name '[a, b]'"
            )
        if equals:
            yield flag, text
        elif rest and _is_value(rest[0]):
            yield flag, rest.pop(0)
        else:
            yield flag, ALONE


def argument(flag: str, text: object) -> str:
    """One of `pairs` as it may stand on the command line."""
    return flag if text is ALONE else f"{flag}={text}"


def word(flag: str) -> str:
    """The name that a flag has in YAML."""
    return flag.removeprefix("--").replace("-", "_")


def value(flag: str, text: object) -> str:
    """
    Raises:
        RerankError: the flag stands alone, or before nothing.
    """
    if text is ALONE or not text:
        raise RerankError(f"{flag} needs a value: {flag} VALUE")
    return str(text)


def _is_value(argument: str) -> bool:
    """Whether it is no flag: negative numbers are none, nor are lists and ranges of them."""
    try:
        float(re.split("[,:]", argument, maxsplit=1)[0])
    except ValueError:
        return not argument.startswith("-")
    return True


def _meant(flag: str, text: object, models: Models, name: str, options: Sequence[str]) -> tuple[str, str, Any]:
    """The key of the entry, the name of the setting under it, and its value."""
    section, dot, bare = word(flag).rpartition(".")
    searched = {key: model for key, model in models.items() if not dot or key == section}
    for key, model in searched.items():
        if bare in model.model_fields:
            if text is not ALONE:
                return key, bare, _read(flag, str(text))
            if not _takes_true(model, bare):
                raise RerankError(f"{flag} needs a value: {flag} VALUE")
            return key, bare, True
    positive = bare.removeprefix("no_")
    for key, model in searched.items():
        if positive != bare and positive in model.model_fields and _takes_true(model, positive):
            if text is not ALONE:
                raise RerankError(f"{flag} takes no value; it is false by itself")
            return key, positive, False
    known = [*known_names(models), *(word(option) for option in options if option.startswith("--"))]
    known = sorted(name.replace("_", "-") for name in known)
    raise RerankError(
        f"{name!r} has no setting {flag} (those that 'rr info {name}' lists){nearest(bare.replace('_', '-'), known)}"
    )


def _read(flag: str, text: str) -> Any:
    try:
        return read_yaml(text)
    except (yaml.YAMLError, ValueError) as error:
        raise RerankError(f"{flag}: {text!r} cannot be read as YAML; put it into quotes: {flag} \"'…'\"") from error


def _takes_true(model: type[Settings], field: str) -> bool:
    """Whether true is a value of its own there: strict, or it would pass for the number 1."""
    values: Any = model.model_fields[field].annotation
    try:
        TypeAdapter(values).validate_python(True, strict=True)
    except ValidationError:
        return False
    return True
