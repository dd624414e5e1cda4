"""Settings of what compares words."""

from __future__ import annotations

from rr import Settings


class WordSettings(Settings):
    fold_accents: bool = False
    """Ignore tone marks, for queries that are typed without them."""
