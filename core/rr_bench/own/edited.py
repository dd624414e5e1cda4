"""Text of YAML with one more entry in it: all that stands there, comments included, is kept as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from rr.errors import RegistryError
from rr_bench.strict_yaml import read_yaml


def with_entry(text: str, place: Sequence[str], name: str, value: Any, source: str) -> str:
    """The text with `name: value` as the last entry of the mapping at `place` (a path of keys, made as far as they are
    not there).

    Raises:
        RegistryError: it cannot be added to the text without changing something else; it says what to write there.
    """
    by_hand = f"write by hand, under {'.'.join(place)}: {_braces({name: value})}"
    node, depth = yaml.compose(text, yaml.SafeLoader), 0
    while depth < len(place) and (inner := _value(node, place[depth])) is not None:
        node, depth = inner, depth + 1
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise RegistryError(f"{source}: {'.'.join(place[:depth]) or 'it'} is no mapping of lines to add to; {by_hand}")
    added: Any = {name: value}
    for key in reversed(place[depth:]):
        added = {key: added}
    indent = " " * node.value[0][0].start_mark.column
    lines = text.split("\n")
    after = _last_line(node) + 1
    block = [indent + line if line else line for line in dumped(added).rstrip("\n").split("\n")]
    found = "\n".join([*lines[:after], *block, *(lines[after:] or [""])])
    try:
        same = read_yaml(found) == _with(read_yaml(text), place, name, value)
    except (yaml.YAMLError, ValueError):
        same = False
    if not same:
        raise RegistryError(f"{source}: cannot be added to without a change of something else; {by_hand}")
    return found


def dumped(value: Any) -> str:
    """As a registry is written: blocks, names as they are, keys in their order."""
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=110))


def _braces(value: Any) -> str:
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, default_flow_style=True, width=2**31)
    return str(text).strip()


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _last_line(node: yaml.Node) -> int:
    """Where its text ends: the end of a block that is a mapping or a list is told behind all comments after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(node, yaml.MappingNode) else last)
    mark = node.end_mark
    return int(mark.line) - (isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and mark.column == 0)


def _with(content: Any, place: Sequence[str], name: str, value: Any) -> Any:
    if not place:
        return {**content, name: value}
    return {**content, place[0]: _with(content.get(place[0]) or {}, place[1:], name, value)}
