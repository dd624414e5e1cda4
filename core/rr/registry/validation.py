"""Checking values against a pydantic model, with errors that fit on one line."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rr.errors import RegistryError, nearest

ModelT = TypeVar("ModelT", bound=BaseModel)


def validated(model: type[ModelT], content: dict[str, Any], where: str) -> ModelT:
    """Raises RegistryError about the first problem: the path of keys to it, and of an unknown key the nearest known; of
    missing keys all."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # a mistyped key is both unknown and missing; the first says which word to mend
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        if problems[0]["type"] == "missing":  # of which all are named
            gone = [repr(".".join(map(str, one["loc"]))) for one in problems if one["type"] == "missing"]
            *several, last = gone
            told = f"keys {', '.join(several)} and {last} are missing" if several else f"key {last} is missing"
        else:
            gone, told = [""], _explained(model, problems[0])
        more = f" (and {len(problems) - len(gone)} more)" if len(problems) > len(gone) else ""
        raise RegistryError(f"{where}: {told}{more}") from error


def _explained(model: type[BaseModel], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    if location[-1:] == ["[key]"]:  # the message is about the name itself, and quotes it
        location = location[:-2]
    place = ".".join(location)
    if problem["type"] == "extra_forbidden":
        parent = _model_at(model, location[:-1])
        return f"unknown key {place!r}{nearest(location[-1], list(parent.model_fields) if parent else [])}"
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
