"""What a reader gives, and what it says of damage."""

from __future__ import annotations
