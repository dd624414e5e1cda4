"""JSON as RFC 8259 has it, without what cannot be worked with: nesting without end, numbers that are none, a key that
comes twice, text that no file can be written with."""

import json
import math
import re
from typing import Any

from rr.errors import DataError

MAX_DEPTH = 100  # Python's own limit differs by version, and what is read is walked through again
TOO_DEEP = f"nested more than {MAX_DEPTH} deep; flatten it"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|[{}]|-?Infinity|NaN|-?[0-9][0-9.eE+-]*')


def parse_json(text: str, source: str, line: int = 1, constants: bool = False) -> Any:
    """The value. NaN, Infinity (unless `constants`) and a number beyond a float are none; a key that comes twice in an
    object would silently lose a value. `source`, `line`: of the text, for errors. Raises DataError: the text is not
    such JSON; in one line that names the source and the line."""
    numbers = None if constants else _finite
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_float=numbers, parse_constant=numbers)
    except json.JSONDecodeError as error:
        at = f"{source}, line {line + error.lineno - 1}"
        raise DataError(f"{at}: not JSON ({error.msg} at column {error.colno}); mend it") from error
    except DataError as error:
        raise DataError(f"{source}, line {line + _lines_before(text, constants)}: {error}") from error
    except RecursionError as error:
        raise DataError(f"{source}, line {line}: {TOO_DEEP}") from error
    except ValueError as error:  # what is left: Python's limit of digits
        raise DataError(f"{source}, line {line}: holds a number of thousands of digits; write it as text") from error
    if problem := _problem(value, text):
        raise DataError(f"{source}, line {line}: {problem}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise DataError(f"key {twice[:40]!r} comes twice in one object; keep one of them")
    return found


def _finite(spelled: str) -> float:
    number = float(spelled)
    if not math.isfinite(number):
        raise DataError(f"{spelled[:40]} is no finite number; write one, or null")
    return number


def _lines_before(text: str, constants: bool) -> int:
    """The newlines before the first thing that is refused, which the JSON module does not tell the place of."""
    objects: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        found, refused = token[0], False
        if found == "{":
            objects.append(set())
        elif found == "}":
            objects.pop()
        elif token[1] is not None:
            key = json.loads(found.rstrip(":").rstrip())
            refused = key in objects[-1]
            objects[-1].add(key)
        elif not constants and found[0] != '"':
            refused = not math.isfinite(float(found))
        if refused:
            return text.count("\n", 0, token.start())
    return 0


def _problem(value: Any, text: str) -> str:
    """What is wrong with a value that was parsed from `text`; nothing for almost all, which cost three searches."""
    deep = text.count("[") + text.count("{") > MAX_DEPTH
    # of valid UTF-8, only an escape can make half a pair
    left = [(0, "", value)] if deep or "\\ud" in text or "\\uD" in text else []
    while left:
        depth, key, one = left.pop()
        if depth > MAX_DEPTH:
            return TOO_DEEP
        if isinstance(one, str) and any("\ud800" <= character <= "\udfff" for character in one):
            return f"{key!a}: the text {one[:40]!a} holds half of a surrogate pair; repair its encoding"
        if isinstance(one, dict):
            left += [(depth + 1, name, part) for name, inner in one.items() for part in (name, inner)]
        elif isinstance(one, list):
            left += [(depth + 1, key, inner) for inner in one]
    return ""
