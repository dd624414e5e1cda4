"""Whatever a text may be: long, empty, of another script, damaged."""

from __future__ import annotations
