"""What a component does besides: to its input, to memory, to threads."""

from __future__ import annotations
