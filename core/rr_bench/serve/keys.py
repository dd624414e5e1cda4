"""The bearer keys that clients must show. Only their hashes are held; nothing here is ever shown or logged."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from rr.errors import RerankError

VARIABLE = "RR_API_KEYS"


class Keys:
    """Those that are let in; none: everybody is."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._hashes = [_hash(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def let_in(self, authorization: str) -> bool:
        """Whether the header `Authorization` shows one of the keys. Takes as long for a wrong one as for a right one:
        hashes of one length are compared, with all of them."""
        scheme, _, shown = authorization.partition(" ")
        given = _hash(shown.strip())
        found = [hmac.compare_digest(given, one) for one in self._hashes]
        return scheme.lower() == "bearer" and any(found)


def read_keys(file: Path | None) -> Keys:
    """From the file, one a line (`#` begins a remark), or from the variable RR_API_KEYS, with blanks or commas between;
    the variable is taken out of the environment, which plugins see.

    Raises:
        RerankError: there are none where some are named, one is no key, or both places name some.
    """
    variable = os.environ.pop(VARIABLE, None)
    if file is None and variable is None:
        return Keys()
    if file is not None and variable is not None:
        raise RerankError(f"--api-key-file and ${VARIABLE} both name keys; leave one of them out")
    if file is not None:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        where, found = str(file), [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    else:
        where, found = f"${VARIABLE}", (variable or "").replace(",", " ").split()
    if not found:
        raise RerankError(f"{where} holds no key, and nobody would be let in; write one a line, or do not name it")
    for place, key in enumerate(found, 1):
        if not key.isascii() or not key.isprintable() or " " in key:
            raise RerankError(f"{where}: key {place} has blanks or characters that no header can carry; make it anew")
    return Keys(found)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
