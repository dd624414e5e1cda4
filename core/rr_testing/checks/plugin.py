"""How a distribution is imported and what it registers."""

from __future__ import annotations
