"""Whether a score depends on what it should not: on company, order, earlier calls."""

from __future__ import annotations
