"""Flags as the scripts of fine-tuning guides have them, put into our words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rr.errors import RerankError, nearest
from rr_bench.cli.flags import Models, argument, known_names, pairs, value, word
from rr_bench.registry import Registry
from rr_bench.schema import RerankerEntry
from rr_bench.train.events import EVENTS

BASE, LOGGING = "base_model", "logging_steps"
SPELLINGS = (BASE, LOGGING)


def in_our_words(
    arguments: Sequence[str], models: Models, registry: Registry, name: str, entry: RerankerEntry
) -> tuple[list[str], list[str]]:
    """The arguments for `rr_bench.cli.flags`, and what is to be said of them: `base_model` is the scorer's `model`,
    whose SHA-256 nobody has told; `logging_steps` is not read. `models`: the settings, whose own names come first.

    Raises:
        RerankError: `base_model` names nothing, or no folder where it must be one.
    """
    known = known_names(models)
    scorers = models["settings"].model_fields if "settings" in models else {}
    asked = list(pairs(arguments))
    words = {word(flag) for flag, _ in asked}
    ours, notes = [], []
    for flag, text in asked:
        if word(flag) == BASE and BASE not in known and "model" in scorers:
            base = _base(flag, text)
            ours.append(f"--settings.model={json.dumps(base)}")
            if "sha256" in scorers and "sha256" not in words:
                ours.append("--settings.sha256=null")
            if base != entry.settings.get("model"):
                notes += _chosen_for_another(models, registry, name, entry, base, words)
        elif word(flag) == LOGGING and LOGGING not in known:
            notes.append(f"{flag} is not read: the loss of every step is logged, in {EVENTS} of the checkpoint")
        else:
            ours.append(argument(flag, text))
    return ours, notes


def _base(flag: str, text: object) -> str:
    base = value(flag, text)
    folder = Path(base).expanduser()
    if folder.parent.name and folder.parent.is_dir() and not folder.is_dir():  # else it may be a name of the hub
        there = sorted(path.name for path in folder.parent.iterdir() if path.is_dir())
        raise RerankError(f"{flag} {base}: no such folder in {folder.parent}{nearest(folder.name, there)}")
    return base


def _chosen_for_another(
    models: Models, registry: Registry, name: str, entry: RerankerEntry, base: str, words: set[str]
) -> list[str]:
    """A registry's options of a training were chosen for its own base, and need not suit another."""
    defaults = {key: field.default for key, field in models["training"].model_fields.items()} if entry.trainer else {}
    stay = {
        key: option
        for key, option in entry.training.items()
        if key not in words and (key not in defaults or option != defaults[key])
    }
    if not stay:
        return []
    profiles = registry.profiles if name in registry.rerankers else ()
    fitting = [one for one in profiles if registry.reranker(name, one).settings.get("model") == base]
    mend = f"--profile {fitting[0]} has those for {base}" if fitting else "flags change them"
    told = ", ".join(f"{key} {json.dumps(option)}" for key, option in stay.items())
    return [f"{name!r} keeps options that were chosen for {entry.settings.get('model')}: {told}; {mend}"]
