"""What a first stage finds."""

from __future__ import annotations
