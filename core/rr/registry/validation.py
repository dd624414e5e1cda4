"""Checking values against a pydantic model, with errors that fit on one line; and names that people give, which become
folders and files, and stand in tables, runs and commands."""

import unicodedata
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from rr.errors import RegistryError, nearest

ModelT = TypeVar("ModelT", bound=BaseModel)
MAX_BYTES = 100  # of a name in UTF-8; with a fingerprint behind it, it is still a file name everywhere
JOINERS = " .-+@=,()"  # what may stand in a name besides letters, digits and `_`


def validated(model: type[ModelT], content: dict[str, Any], where: str) -> ModelT:
    """Raises RegistryError about the first problem, with the path of keys to it and, for an unknown key, the nearest
    known one."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # a mistyped key is both unknown and missing; the first says which word to mend
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise RegistryError(f"{where}: {_explained(model, problems[0])}{more}") from error


def _explained(model: type[BaseModel], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    if location[-1:] == ["[key]"]:  # the message is about the name itself, and quotes it
        location = location[:-2]
    place = ".".join(location)
    if problem["type"] == "extra_forbidden":
        parent = _model_at(model, location[:-1])
        return f"unknown key {place!r}{nearest(location[-1], list(parent.model_fields) if parent else [])}"
    if problem["type"] == "missing":
        return f"key {place!r} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _model_at(model: type[BaseModel], location: list[str]) -> type[BaseModel] | None:
    """The model that a path of keys leads to, through dictionaries of models."""
    current: type[BaseModel] | None = model
    for part in location:
        field = current.model_fields.get(part) if current else None
        if field is not None:  # else a user's own name, the key of a dictionary: stay at the model of its values
            arguments = [field.annotation]
            for argument in arguments:  # of lists and alternatives, too
                arguments += getattr(argument, "__args__", ())
            current = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), None)
    return current


def checked_name(name: str) -> str:
    """The name, where a folder can be called so: it names no other place, and no option. Else a ValueError."""
    if not name:
        raise ValueError("a name must not be empty")
    if len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ValueError(f"the name {name[:20]!r}… is longer than {MAX_BYTES} bytes; shorten it")
    for bad in (c for c in name if not is_word(c) and c not in JOINERS):
        raise ValueError(
            f"the name {name!r} holds {bad!r}; write letters and digits of any script, and any of _.-+@=,()"
        )
    if not is_word(name[0]) or name != name.strip():
        raise ValueError(f"the name {name!r} must begin with a letter, a digit or _, and end with no blank")
    return name


Name = Annotated[str, AfterValidator(checked_name)]
"""Of a reranker, a data set, a suite or a profile."""


def told_apart(names: list[str]) -> None:
    """Raises ValueError: two of them differ only by case or by how letters are composed; some file systems take them
    for one."""
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if seen.setdefault(folded, name) != name:
            raise ValueError(f"the names {seen[folded]!r} and {name!r} differ by case only; rename one")


def is_word(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LMN"
