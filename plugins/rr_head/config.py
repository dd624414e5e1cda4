"""The JSON config files of the rental recipe's own training script, read into settings of ours.

Source: `config.example.json` of github.com/tro-tot-vn/BGEm3-embedding-projection. Keys that begin with `//` are its
comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rr import RerankError, nearest

SETTINGS = {"d_out": "dimensions", "max_length": "max_seq_length", "model_name": "model"}
TRAINING = {
    "batch_size": "batch_size",
    "learning_rate": "lr",
    "weight_decay": "weight_decay",
    "epochs": "epochs",
    "gradient_clip_norm": "max_grad_norm",
    "warmup_steps": "warmup_steps",
    "temperature": "temperature",
    "seed": "seed",
}
FIXED: dict[str, tuple[Any, str]] = {
    "freeze_encoder": (True, "only the head is trained"),
    "use_layernorm": (False, "the head is linear, without a bias"),
    "save_best": (True, "the best head is what is loaded"),
    "validate_every": (1, "the dev split is ranked after each epoch; set eval_steps in the entry for other steps"),
}
ELSEWHERE = {
    "data_path": "the data set is named by --dataset and described in the registry",
    "output_dir": "the checkpoint's folder is given by --out",
    "save_every": "the best and the last head are saved, and a state to go on from every `save_steps`",
    "log_every": "every step's loss is logged",
    "device": "the GPU is used where there is one",
}
USE_HARD_NEGATIVES = "use_hard_neg"
TRAIN_SPLIT = "train_split"


def read_config(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """
    Returns:
        `settings:` and `training:` of a registry entry, which are still to be checked, and a note for each key whose
        value is given elsewhere and not read.

    Raises:
        RerankError: a key is unknown, or has a value that the head cannot be trained with.
    """
    settings: dict[str, Any] = {}
    training: dict[str, Any] = {}
    notes = []
    for key, value in values.items():
        if key.startswith("//"):
            continue
        if key in SETTINGS:
            settings[SETTINGS[key]] = value
        elif key in TRAINING:
            training[TRAINING[key]] = value
        elif key == USE_HARD_NEGATIVES:
            if not isinstance(value, bool):
                raise RerankError(f"config: {key!r} must be true or false, not {value!r}")
            if not value:
                training["num_hard_negatives"] = 0
        elif key == TRAIN_SPLIT:
            if not isinstance(value, float) or not 0 < value < 1:
                raise RerankError(f"config: {key!r} must be a number between 0 and 1, not {value!r}")
            training["dev_ratio"] = round(1 - value, 10)  # .1, not .09999999999999998
        elif key in FIXED:
            only, why = FIXED[key]
            if type(value) is not type(only) or value != only:
                raise RerankError(f"config: {key!r} can only be {_json(only)}, not {value!r}: {why}")
        elif key in ELSEWHERE:
            notes.append(f"config: {key!r} is not read: {ELSEWHERE[key]}")
        else:
            known = [*SETTINGS, *TRAINING, *FIXED, *ELSEWHERE, USE_HARD_NEGATIVES, TRAIN_SPLIT]
            raise RerankError(f"config: unknown key {key!r}{nearest(key, known)}")
    return settings, training, notes


def _json(value: Any) -> str:
    return str(value).lower()
