"""registry.yaml: where it is found, and how it is read."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rr.errors import RegistryError
from rr.registry.schema import Registry
from rr.registry.validation import validated


def find_registry(path: Path | None = None) -> Path:
    """`--registry`, else `$RR_REGISTRY`, else ./registry.yaml, else the copy that came with the package."""
    named = path or (Path(os.environ["RR_REGISTRY"]) if os.environ.get("RR_REGISTRY") else None)
    if named is not None:
        if not named.is_file():
            raise RegistryError(f"{named}: no such registry file; check --registry and $RR_REGISTRY")
        return named
    local = Path("registry.yaml")
    if local.is_file():
        return local
    packaged = Path(str(files("rr"))) / "registry.yaml"
    # an editable install reads the file where it is edited: at the top of the checkout
    return packaged if packaged.is_file() else Path(__file__).parents[3] / "registry.yaml"


def load_registry(path: Path | None = None) -> Registry:
    """Reads and checks the registry.

    Raises:
        RegistryError: one line with file, place, what is wrong and the nearest valid name.
    """
    source = find_registry(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{source}: cannot be read as UTF-8 text ({error}); save it as UTF-8") from error
    try:
        content = read_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        mend = "; indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        raise RegistryError(f"{source}{line}: {error.problem}{mend}") from error
    except ValueError as error:
        raise RegistryError(f"{source}: {error}") from error
    if not isinstance(content, dict):
        raise RegistryError(f"{source}: is empty or no mapping; start with 'version: 1'")
    return validated(Registry, content, str(source))


MAX_VALUES = 100_000
"""Of a YAML text with its aliases written out: ten that each name the one before ten times are ten billion."""


def read_yaml(text: str) -> Any:
    """What a YAML text says. A key that comes twice in a mapping is an error.

    Raises:
        yaml.MarkedYAMLError: it is malformed; with the line.
        ValueError: it cannot be read; in one line.
    """
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
    """How many values it stands for with its aliases written out.

    Raises:
        ValueError: it stands for itself.
    """
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
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(None, None, "a key must be a single word or text", key.start_mark)
            if key.value in seen and key.value != "<<":
                problem = f"{key.value!r} stands here and on line {seen[key.value]}; rename one"
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            seen[key.value] = line
        return node
