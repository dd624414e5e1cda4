"""What a model's own files say of it, before it is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

from rr import RerankError
from rr_sentence_transformers.settings import Kind
from rr_torch import fetching

CONFIG, MODULES, TRANSFORMER = "config_sentence_transformers.json", "modules.json", "config.json"
CLASSES: dict[str, Kind] = {"CrossEncoder": "cross_encoder", "SentenceTransformer": "bi_encoder"}


def kind_of(source: str, revision: str | None) -> Kind:
    """Which class of the library a model is for: as it was saved by, else as its parts or its architecture tell.

    Raises:
        RerankError: its files do not say it, or say that it is for neither.
    """
    saved_by = _read(source, CONFIG, revision).get("model_type")
    if saved_by is not None:
        if saved_by in CLASSES:
            return CLASSES[saved_by]
        raise RerankError(f"model {source!r} is a {saved_by}, and neither a CrossEncoder nor a SentenceTransformer")
    if has_modules(source, revision):  # older releases wrote it for SentenceTransformers alone
        return "bi_encoder"
    config = _read(source, TRANSFORMER, revision)
    architectures = config.get("architectures") or ["none"]
    if str(architectures[0]).endswith("ForSequenceClassification"):
        return "cross_encoder"
    raise RerankError(
        f"model {source!r}: its files do not say what it is for (it has no {MODULES}, and its architecture is "
        f"{architectures[0]}); set kind: cross_encoder, or kind: bi_encoder"
    )


def has_modules(source: str, revision: str | None) -> bool:
    return bool(_read(source, MODULES, revision))


def _read(source: str, name: str, revision: str | None) -> dict[str, Any]:
    """A JSON file of the model's, empty where it has none; a list as `{"": list}`.

    Raises:
        FileNotFoundError: the model cannot be had.
        RerankError: the file is none.
    """
    with fetching(source):
        found = cached_file(
            source,
            name,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=name == TRANSFORMER,
        )
        if found is None and name == TRANSFORMER and not Path(source).is_dir():
            raise FileNotFoundError(name)  # by which transformers tells a hub out of reach, too
    if found is None:
        return {}
    try:
        with open(found, encoding="utf-8") as opened:  # noqa: PTH123 - a path as transformers gives it
            content = json.load(opened)
    except ValueError as error:
        raise RerankError(f"model {source!r}: {name} is no JSON; get a whole copy of it") from error
    return content if isinstance(content, dict) else {"": content}
