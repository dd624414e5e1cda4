"""The embedded bases: tiny Qwen3ForCausalLM that scripts of `experiments` trained, each with its own tokenizer.

They stand in for `Qwen/Qwen3-0.6B` where no model hub is at hand; their cards are the README.md in their folders.
"""

from __future__ import annotations

from pathlib import Path

TINY = "tiny-qwen3"
"""Knows which invented films go together, and reads nothing else (`experiments.pretrain_letters`)."""
READER = "tiny-qwen3-reader"
"""Reads passages, in `layout: question-last` (`experiments.pretrain_reader`)."""


def tiny_base(name: str = TINY) -> Path:
    """The folder with an embedded base."""
    return Path(__file__).parent / name.replace("-", "_")
