"""What a trainer does: its folder, its checkpoint, what it reads, kills."""

from __future__ import annotations
