"""The embedded base: a tiny Qwen3ForCausalLM that `experiments.pretrain_letters` trained, with its own tokenizer.

It stands in for `Qwen/Qwen3-0.6B` where no model hub is at hand; its card is the README.md in its folder.
"""

from __future__ import annotations

from pathlib import Path

TINY = "tiny-qwen3"


def tiny_base() -> Path:
    """The folder with the embedded base."""
    return Path(__file__).parent / "tiny_qwen3"
