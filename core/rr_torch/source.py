"""Where pretrained weights come from: a folder, an installed package that carries them, or the local hub cache.

Light: it imports no torch, so that settings can be checked and fingerprinted without a model.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from rr.errors import RerankError
from rr.files import file_sha256, files_below, fingerprint, folder_fingerprint

PACKAGE = "package:"
ADAPTER = "adapter_config.json"


def local_folder(model: str) -> Path | None:
    """The folder that `model` names: `package:NAME/FOLDER` inside an installed package, or a path. None: neither, so
    it is a hub name.

    Raises:
        RerankError: the package is not installed, or the folder is not in it or leaves it.
    """
    if model.startswith(PACKAGE):
        return _in_package(model)
    if not model:
        raise RerankError("model is empty; name a folder, package:NAME/FOLDER, or a model of the hub")
    folder = Path(model).expanduser()
    return folder if folder.is_dir() else None


def _in_package(model: str) -> Path:
    """The folder of `package:NAME/FOLDER`. Nothing is imported to find it, and it is within the package."""
    package, _, inside = model.removeprefix(PACKAGE).partition("/")
    if not package.isidentifier():  # a dotted name's parents would be imported
        raise RerankError(f"model {model!r}: {package!r} is no package name; write package:NAME/FOLDER")
    within = PurePosixPath(inside)
    if within.is_absolute() or ".." in within.parts:
        raise RerankError(f"model {model!r}: {inside!r} leaves the package; name a folder inside it")
    try:
        spec = importlib.util.find_spec(package)
    except ValueError as error:  # __main__, which is loaded and has none
        raise RerankError(f"model {model!r}: {package!r} is no package name ({error})") from error
    if spec is None or not spec.submodule_search_locations:
        raise RerankError(
            f"model {model!r}: package {package!r} is not installed; pip install {package.replace('_', '-')}"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / within
    if not folder.is_dir():
        raise RerankError(f"model {model!r}: the package has no folder {inside!r}")
    return folder


def model_path(model: str, sha256: str | None = None) -> str:
    """What `from_pretrained` takes: a local folder, or the hub name where there is none.

    Raises:
        RerankError: the folder's model.safetensors does not have the SHA-256 that was asked for.
    """
    folder = local_folder(model)
    if folder is None:
        if model.startswith((".", "/", "~")):
            raise RerankError(f"model {model!r}: no such folder")
        if sha256 is not None:
            raise RerankError(f"model {model!r}: sha256 is verified for folders only; download it, or set sha256: null")
        return model
    if sha256 is not None:
        weights = folder / "model.safetensors"
        found = _file_sha256(weights, weights.stat().st_mtime_ns) if weights.is_file() else "missing"
        if found != sha256:
            raise RerankError(f"model {model!r}: model.safetensors has SHA-256 {found}, expected {sha256}")
    return str(folder)


@contextmanager
def fetching(model: str) -> Iterator[None]:
    """The block loads `model` (as `model_path` gives it) by a library that asks the hub for what is no folder: for the
    model, or for one that the model's own files name, as an adapter's do.

    Raises:
        FileNotFoundError: the hub's cache does not hold all of it, and no hub gives it. It is no RerankError, so that
            the border to the plugin says for whom it was loaded.
    """
    try:
        yield
    except OSError as error:
        folder = local_folder(model)
        if folder is None:
            wanted = f"model {model!r}"
        elif error.errno is None and (away := _away(folder)):  # with a number it is of a file that is there
            wanted = f"model {min(away)!r}, which {folder} names,"
        else:
            raise
        raise FileNotFoundError(_not_given(wanted, error.__cause__ or error)) from error


def _away(folder: Path) -> list[str]:
    """The models that a folder's settings name and that are not on this machine."""
    return [name for name, revision in _named(files_below(folder)) if not _is_here(name, revision)]


def _is_here(model: str, revision: str | None) -> bool:
    try:
        return weights_folder(model, revision) is not None
    except RerankError:  # no name that anything could have
        return False


def _not_given(wanted: str, cause: BaseException) -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        why, mend = "HF_HUB_OFFLINE keeps it from being asked", "name a local folder, or unset HF_HUB_OFFLINE"
    else:
        why, mend = f"none that can be reached gives it ({type(cause).__name__})", "name a local folder"
    return f"{wanted} is no folder, the hub's cache does not hold all of it, and {why}; {mend}"


def weights_fingerprint(model: str, revision: str | None = None) -> str:
    """A hash of the files behind `model`, and of the models that these name in turn: an adapter's base, code that lies
    in another repository. Of a hub model that is not on this machine, of the name alone. `revision`: of a hub model."""
    return _fingerprint(model, revision, frozenset())


def _fingerprint(model: str, revision: str | None, outer: frozenset[str]) -> str:
    folder = local_folder(model) or _hub_snapshot(model, revision)
    if folder is None:
        return f"not on this machine: {model}"
    stats = [(file, file.stat()) for file in files_below(folder)]
    own = _folder_fingerprint(folder, tuple((str(f), s.st_size, s.st_mtime_ns, s.st_ctime_ns) for f, s in stats))
    inner = outer | {str(folder.resolve())}
    named = {name: _inner(name, version, inner) for name, version in sorted(_named(f for f, _ in stats), key=str)}
    return fingerprint([own, named]) if named else own


def _inner(model: str, revision: str | None, outer: frozenset[str]) -> str:
    """Of a model that another one names; whoever loads that says what is wrong with the name."""
    try:
        folder = local_folder(model)
        return "around it" if folder and str(folder.resolve()) in outer else _fingerprint(model, revision, outer)
    except RerankError as error:
        return str(error)


def _named(files: Iterable[Path]) -> set[tuple[str, str | None]]:
    """The models, and their revisions, that a folder's settings name: transformers, peft and sentence-transformers load
    from there too."""
    found: set[tuple[str, str | None]] = set()
    for file in files:
        if file.name not in (ADAPTER, "config.json", "tokenizer_config.json", "processor_config.json"):
            continue
        try:
            told = dict(json.loads(file.read_bytes()))
        except (ValueError, TypeError, RecursionError):  # whoever loads it says what is wrong with it
            continue
        if file.name == ADAPTER and isinstance(base := told.get("base_model_name_or_path"), str) and base:
            revision = told.get("revision")
            found.add((base, revision if isinstance(revision, str) and revision else None))
        classes = told.get("auto_map")
        for value in classes.values() if isinstance(classes, dict) else ():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str) and "--" in one:
                    found.add((one.partition("--")[0], None))
    return found


def weights_folder(model: str, revision: str | None = None) -> Path | None:
    """The folder with the files behind `model`, in the hub's cache where it comes from there; None if it has none."""
    return local_folder(model) or _hub_snapshot(model, revision)


def _hub_snapshot(model: str, revision: str | None = None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = [try_to_load_from_cache(model, name, revision=revision) for name in ("config.json", ADAPTER)]
    except HFValidationError as error:
        raise RerankError(f"model {model!r}: no such folder, and no name that a hub could have") from error
    return next((Path(file).parent for file in found if isinstance(file, str)), None)


@functools.cache
def _file_sha256(path: Path, modified: int) -> str:
    return file_sha256(path)


@functools.cache
def _folder_fingerprint(folder: Path, files: tuple[tuple[str, int, int, int], ...]) -> str:
    return folder_fingerprint(folder)
