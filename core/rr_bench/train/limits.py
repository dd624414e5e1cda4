"""What limited a training, read off its record, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONG = 60.0
"""Seconds from which it is worth a line."""
SHORT = 256
"""Tokens that a question and a passage mostly fit into."""


def limits(record: Mapping[str, Any]) -> str:
    """One line about a training of more than `LONG` seconds: device, number format, workers, length; and the flag to
    try next, of those that its settings know. Empty where it took less, or an older record does not say on what."""
    device = record.get("timed_on", {}).get("device")
    if record["seconds"] <= LONG or device is None:
        return ""
    training, settings = record["training"], record["settings"]
    on_gpu = not device.endswith("cpu")
    half = next((name for name in ("fp16", "bf16") if training.get(name)), None)
    workers, length = training.get("dataloader_num_workers"), settings.get("max_seq_length")
    told = [device]
    if "fp16" in training:
        told.append(half or "float32")
    if workers is not None:
        told.append(f"{workers} workers")
    if length is not None:
        told.append(f"max_seq_length {length}")
    helps = {
        "--fp16": on_gpu and half is None and "fp16" in training,
        # on a CPU they would take the cores that the training computes on
        "--dataloader-num-workers 2": on_gpu and workers == 0,
        f"--max-seq-length {SHORT}": length is not None and length > SHORT,
        "a smaller --base-model": "model" in settings,
    }
    following = next((f"; to be faster, try {flag}" for flag, does in helps.items() if does), "")
    return f"{record['seconds']:.0f} s of training on {', '.join(told)}{following}"
