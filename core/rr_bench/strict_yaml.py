"""YAML without what silently loses a value or never ends: a key that comes twice, aliases without end."""

from __future__ import annotations

from typing import Any

import yaml

MAX_VALUES = 100_000  # with aliases written out: ten that each name the one before ten times are ten billion


def read_yaml(text: str) -> Any:
    """What a YAML text says. A key that comes twice in a mapping is an error. Raises yaml.MarkedYAMLError: it is
    malformed; with the line; ValueError: it cannot be read; in one line."""
    try:
        loader = _UniqueKeyLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MAX_VALUES:
            raise ValueError(f"its aliases stand for more than {MAX_VALUES:,} values; write less with them")
        return loader.construct_document(node)
    except yaml.MarkedYAMLError:
        raise
    except RecursionError as error:
        raise ValueError("nested too deep; flatten it") from error
    except (yaml.YAMLError, ValueError, KeyError, AttributeError) as error:
        # PyYAML lets the errors of a value's own parser through (`2024-13-01` is no date, `!!int x` no number)
        raise ValueError(" ".join(str(error).split())) from error


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values it stands for with its aliases written out; a ValueError where it stands for itself."""
    if id(node) not in known:
        known[id(node)] = 0  # until it is counted
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
        known[id(node)] = 1 + sum(_size(one, known) for one in inner)
    if known[id(node)] == 0:
        raise ValueError(f"line {node.start_mark.line + 1}: an alias stands within what it stands for; write it out")
    return known[id(node)]


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe loading that does not let a second key of the same name replace the first in silence."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line, problem = key.start_mark.line + 1, ""
            if not isinstance(key, yaml.ScalarNode):
                problem = "a key must be a single word or text"
            elif key.value in seen and key.value != "<<":
                problem = f"{key.value!r} stands here and on line {seen[key.value]}; rename one"
            if problem:
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            seen[key.value] = line
        return node
