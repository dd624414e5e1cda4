"""Sets of training options by name."""

from __future__ import annotations

from typing import Any, Literal

Preset = Literal["fast", "balanced", "quality", "15gb"]

PRESETS: dict[Preset, dict[str, Any]] = {
    "fast": {"epochs": 2, "batch_size": 16, "num_hard_negatives": 2, "num_random_negatives": 1, "hard_neg_top_k": 50},
    "balanced": {
        "epochs": 5,
        "batch_size": 8,
        "gradient_accumulation_steps": 4,
        "num_hard_negatives": 3,
        "num_random_negatives": 1,
    },
    "quality": {
        "epochs": 10,
        "batch_size": 8,
        "gradient_accumulation_steps": 8,
        "lr": 1e-5,
        "num_hard_negatives": 3,
        "num_random_negatives": 2,
        "relative_margin": 0.05,
    },
    "15gb": {
        "epochs": 5,
        "batch_size": 4,
        "gradient_accumulation_steps": 8,
        "fp16": True,
        "gradient_checkpointing": True,
        "num_hard_negatives": 3,
        "num_random_negatives": 1,
    },
}
"""`15gb`: the model of 560 M weights on a machine with 12.7 GB of memory and a GPU of 15 GB."""
