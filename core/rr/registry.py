"""registry.yaml: where it is found, and how it is read."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rr.errors import RegistryError
from rr.schema import Registry
from rr.validation import validated


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
    return packaged if packaged.is_file() else Path(__file__).parents[2] / "registry.yaml"


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
        content = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        mend = "; indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        raise RegistryError(f"{source}{line}: {error.problem}{mend}") from error
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, RecursionError) as error:
        # PyYAML lets the errors of a value's own parser through (`2024-13-01` is no date, `!!int x` no number)
        raise RegistryError(f"{source}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise RegistryError(f"{source}: is empty or no mapping; start with 'version: 1'")
    return validated(Registry, content, str(source))


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
