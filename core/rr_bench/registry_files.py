"""registry.yaml as files: what one lays over the one that it extends, and from which folder its paths start."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from rr_bench.schema import merged

PACKAGED = "packaged"
"""In the place of a file that a registry extends: the one that came with the package."""
NAMES_IT = {
    "profiles": {"suite"},
    "datasets": {"reader", "generator"},
    "rerankers": {"scorer", "reranker", "fuse", "cascade"},
}
"""Section → the keys that say what an entry is: one that has any is whole, and replaces the inherited one."""
CHOICES = ("train", "none", "latest", "best")
"""Of `checkpoint:`, which are no folder."""
ELSEWHERE = ("~", "${")
"""What a path begins with that starts from no file's folder: what a variable holds is meant as the shell means it."""
FOLDER, TEXT = "path from", "text"


class InFile(str):
    """A text as a registry.yaml says it: a relative path that it may be starts from that file's folder, which is read
    by `rr.registry.expansion.expanded`."""

    folder = Path()


def packaged() -> Path:
    """The registry that came with the package."""
    shipped = Path(str(files("rr"))) / "registry.yaml"
    # an editable install reads the file where it is edited: at the top of the checkout
    return shipped if shipped.is_file() else Path(__file__).parents[2] / "registry.yaml"


def laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a registry over that of the one it extends: by name. An entry that says what it is (`NAMES_IT`)
    takes the place of the inherited one; of any other the keys are laid over it, nested ones merged."""
    found = {key: value for key, value in base.items() if key != "extends"} | dict(own)
    for section in ("profiles", "rerankers"):
        found |= _section(section, base, own)
    theirs, ours = base.get("suites"), own.get("suites")
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found["suites"] = theirs | {name: _suite(theirs.get(name), suite) for name, suite in ours.items()}
    return found


def _suite(base: Any, own: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    return base | own | _section("datasets", base, own)


def _section(name: str, base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The section of that name, where both have it."""
    theirs, ours = base.get(name), own.get(name)
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return {}
    entries = dict(theirs)
    for key, entry in ours.items():
        below = theirs.get(key)
        if isinstance(below, dict) and isinstance(entry, dict) and not NAMES_IT[name] & entry.keys():
            entries[key] = merged(below, entry)
        else:
            entries[key] = entry
    return {name: entries}


def placed(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a registry in that folder, whose relative paths start there: those that an entry itself names
    (`checkpoint`, files of `split`, a local `model`) are whole from here on; which of a component's options are paths,
    its settings know, so that every text of them remembers the folder. Absolute paths, `~` and `${VARIABLE}` stay."""
    if folder == Path():
        return content

    def entry(of: Any) -> Any:
        if not isinstance(of, dict):
            return of
        return of | {key: change(of[key], folder) for key, change in _CHANGES.items() if key in of}

    def entries(section: Any) -> Any:
        return {name: entry(of) for name, of in section.items()} if isinstance(section, dict) else section

    found = dict(content)
    if "rerankers" in found:
        found["rerankers"] = entries(found["rerankers"])
    for section, inner in (("suites", "datasets"), ("profiles", "overrides")):
        if isinstance(found.get(section), dict):
            found[section] = {
                name: of | {inner: entries(of[inner])} if isinstance(of, dict) and inner in of else of
                for name, of in found[section].items()
            }
    return found


def _remembering(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _remembering(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [_remembering(one, folder) for one in value]
    return in_file(value, folder) if isinstance(value, str) else value


def _settings(value: Any, folder: Path) -> Any:
    found = _remembering(value, folder)
    model = found.get("model") if isinstance(found, dict) else None
    if isinstance(model, str) and model and (folder / model).is_dir():  # else a name of the hub
        found["model"] = str(folder / model)
    return found


def _candidates(value: Any, folder: Path) -> Any:
    if not isinstance(value, dict) or "options" not in value:
        return value
    return value | {"options": _remembering(value["options"], folder)}


def _split(value: Any, folder: Path) -> Any:
    return {key: _beside(one, folder) for key, one in value.items()} if isinstance(value, dict) else value


def _checkpoint(value: Any, folder: Path) -> Any:
    return value if value in CHOICES else _beside(value, folder)


def _beside(value: Any, folder: Path) -> Any:
    return str(folder / value) if isinstance(value, str) and value and not value.startswith(ELSEWHERE) else value


_CHANGES = {
    "options": _remembering,
    "candidates": _candidates,
    "split": _split,
    "settings": _settings,
    "training": _settings,
    "checkpoint": _checkpoint,
}


def recordable(content: Any) -> Any:
    """What a registry says (its dump) as JSON that keeps from which folder a path starts."""

    def told(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: told(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [told(one) for one in value]
        return {FOLDER: str(value.folder), TEXT: str(value)} if isinstance(value, InFile) else value

    return to_jsonable_python(told(content))


def from_record(content: Any) -> Any:
    """What `recordable` was given."""
    if isinstance(content, list):
        return list(map(from_record, content))
    if not isinstance(content, dict):
        return content
    if content.keys() == {FOLDER, TEXT}:
        return in_file(content[TEXT], Path(content[FOLDER]))
    return {key: from_record(value) for key, value in content.items()}


def in_file(text: str, folder: Path) -> str:
    """The text, which remembers the folder where a path that it may be starts there."""
    if text.startswith(ELSEWHERE):
        return text
    made = InFile(text)
    made.folder = folder
    return made
