"""The rental recipe's own JSON configs, as its training script reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rr import RerankError
from rr_head.settings import HeadSettings, HeadTraining
from rr_head.trainer import HeadTrainer

EXAMPLE = """{
  "// Comment": "Example configuration for training BGE-M3 projection head",
  "// === Data Settings ===": "",
  "data_path": "data/gen-data-set.json", "train_split": 0.9,
  "// === Model Settings ===": "",
  "d_out": 128, "freeze_encoder": true, "use_layernorm": false,
  "// === Training Settings ===": "",
  "batch_size": 64, "learning_rate": 0.0003, "weight_decay": 0.02, "epochs": 7, "max_length": 512,
  "use_hard_neg": true,
  "gradient_clip_norm": 0.5, "warmup_steps": 12,
  "output_dir": "checkpoints", "save_every": 2, "save_best": true, "log_every": 10, "validate_every": 1,
  "device": "auto"
}"""


def test_the_original_config_becomes_settings_and_notes() -> None:
    settings, training, notes = HeadTrainer.read_config(json.loads(EXAMPLE))
    assert settings == {"dimensions": 128, "max_seq_length": 512}
    assert training == {
        "batch_size": 64,
        "lr": 0.0003,
        "weight_decay": 0.02,
        "epochs": 7,
        "max_grad_norm": 0.5,
        "warmup_steps": 12,
        "dev_ratio": 0.1,
    }
    unread = ["data_path", "output_dir", "save_every", "log_every", "device"]
    assert [note.split("'")[1] for note in notes] == unread
    assert "--dataset" in notes[0]
    assert "--out" in notes[1]
    HeadSettings.model_validate({"model": "folder", **settings})
    HeadTraining.model_validate(training)


def test_every_key_that_is_mapped_exists() -> None:
    from rr_head.config import SETTINGS, TRAINING

    assert set(SETTINGS.values()) <= set(HeadSettings.model_fields)
    assert set(TRAINING.values()) <= set(HeadTraining.model_fields)


def test_without_hard_negatives() -> None:
    assert HeadTrainer.read_config({"use_hard_neg": False}) == ({}, {"num_hard_negatives": 0}, [])


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"freeze_encoder": False}, "'freeze_encoder' can only be true, not False: only the head is trained"),
        ({"freeze_encoder": 1}, "'freeze_encoder' can only be true, not 1"),
        ({"use_layernorm": True}, "'use_layernorm' can only be false, not True: the head is linear"),
        ({"save_best": False}, "'save_best' can only be true"),
        ({"validate_every": 2}, "'validate_every' can only be 1, not 2"),
        ({"use_hard_neg": "no"}, "'use_hard_neg' must be true or false, not 'no'"),
        ({"train_split": 1.0}, "'train_split' must be a number between 0 and 1, not 1.0"),
        ({"train_split": 90}, "'train_split' must be a number between 0 and 1, not 90"),
        ({"train_split": True}, "'train_split' must be a number between 0 and 1, not True"),
        ({"train_split": "0.9"}, "'train_split' must be a number between 0 and 1, not '0.9'"),
        ({"learnig_rate": 1e-4}, "unknown key 'learnig_rate'; did you mean 'learning_rate'?"),
    ],
)
def test_what_the_head_does_not_do_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(RerankError) as raised:
        HeadTrainer.read_config(values)
    assert str(raised.value).startswith(f"config: {problem}")
