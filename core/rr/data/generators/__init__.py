"""The embedded data sets by name, each a module with `Options` and `generate(options) -> Collection`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from rr.errors import DataError, nearest

GENERATORS = {
    "films": "rr.data.generators.films",
    "helpdesk": "rr.data.generators.helpdesk",
    "rentals": "rr.data.generators.rentals",
}
"""Generator name → module, imported only when it is used."""


def load_generator(name: str) -> ModuleType:
    """
    Raises:
        DataError: no generator is called so.
    """
    if name not in GENERATORS:
        raise DataError(f"no generator is called {name!r}{nearest(name, list(GENERATORS))}")
    return import_module(GENERATORS[name])
