"""docs/plugin-reference.md is what the code says of itself: names, types and docstrings of all that authors may use."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from textwrap import dedent
from typing import Any, get_type_hints

from pydantic import BaseModel

from rr.measures import rankings
from rr_bench.testing import subject
from tests.conftest import ROOT
from tests.core.test_api import PACKAGES

AS_TEXT = {**vars(rankings), **vars(subject)}
"""What some signatures have as text, since it brings numpy, or is above the module."""
REFERENCE = ROOT / "docs" / "plugin-reference.md"
HEAD = """# Plugin reference

Written by `python -m tests.core.test_reference` from the docstrings; a test compares it with them. What is listed is
frozen: a name that goes stays as an alias until the next `rr.API`. [The guide](plugin-guide.md) says how it is used.
"""


def typed(text: object) -> str:
    """A type or a signature as an author would write it."""
    bare = re.sub(r"\b(?:collections\.abc|typing|pathlib|random|rr(?:_testing)?(?:\.\w+)*)\.(?=[A-Z])", "", str(text))
    bare = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", bare.replace("typing.", ""))
    return re.sub(r"<(?:\w+\.)*(\w+) object at \w+>", r"\1()", bare)


def known_to(found: Any) -> dict[str, Any]:
    """Names that its annotations may use: its module's own come first."""
    return {**AS_TEXT, **vars(import_module(found.__module__))}


def signature(found: Any) -> str:
    return (
        typed(inspect.signature(found, locals=known_to(found), eval_str=True))
        .replace("(self, ", "(")
        .replace("(self)", "()")
        .replace("(cls, ", "(")
    )


def attribute_docs(found: type) -> dict[str, str]:
    """The texts under the fields of a class."""
    (tree,) = ast.parse(dedent(inspect.getsource(found))).body
    assert isinstance(tree, ast.ClassDef)
    texts = {}
    for before, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(after, ast.Expr):
            texts[before.target.id] = inspect.cleandoc(str(ast.literal_eval(after.value)))
    return texts


def one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def documented(name: str, found: Any) -> list[str]:
    own = inspect.getdoc(found) or ""
    if inspect.isfunction(found):
        return [f"### `{name}`", f"`{name}{signature(found)}`", own]
    if not isinstance(found, type):
        kept = getattr(found, "__origin__", found) if hasattr(found, "__metadata__") else found
        text = repr(kept)
        return [f"### `{name}`", f"`{typed(type(kept).__name__ if ' at 0x' in text else text)}`"]
    lines = [f"### `{name}`", own]
    texts = attribute_docs(found)
    hints = get_type_hints(found, localns=known_to(found)) if is_dataclass(found) else {}
    rows = [(one.name, hints[one.name]) for one in fields(found)] if is_dataclass(found) else []
    if issubclass(found, BaseModel):
        rows = [(key, field.annotation) for key, field in found.model_fields.items()]
    lines.append("\n".join(f"- `{key}: {typed(type_)}` {one_line(texts.get(key))}".rstrip() for key, type_ in rows))
    for key, value in vars(found).items():
        method = getattr(value, "__func__", value)
        if key.startswith("_") or not (inspect.isfunction(method) or isinstance(value, property)):
            continue
        text = one_line(inspect.getdoc(value))
        if isinstance(value, property):
            lines.append(
                f"`.{key}: {typed(inspect.signature(value.fget, eval_str=True).return_annotation)}` {text}".rstrip()
            )
        else:
            lines.append(f"`.{key}{signature(method)}` {text}".rstrip())
    return lines


def reference() -> str:
    parts = [HEAD]
    for package in (*PACKAGES, "rr.testing"):
        module = import_module(package)
        parts.append(f"## {package}")
        for name in sorted(module.__all__, key=str.lower):
            parts += [line for line in documented(name, getattr(module, name)) if line]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def test_the_reference_is_what_the_code_says() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference()


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
