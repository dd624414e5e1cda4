"""The one way in which text is cut into words here."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"\w+")


def words(text: str, fold_accents: bool = False) -> list[str]:
    """Lower-cased words. `fold_accents` drops tone marks and other diacritics (`Đường` → `duong`), for queries that
    are typed without them."""
    text = text.lower()
    if fold_accents:
        decomposed = unicodedata.normalize("NFD", text)
        # đ has no decomposition: it is a letter of its own
        text = "".join(c for c in decomposed if not unicodedata.combining(c)).replace("đ", "d")
    return _WORD.findall(text)
