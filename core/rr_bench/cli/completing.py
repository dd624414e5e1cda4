"""What a shell is offered for a word that was begun. A registry that cannot be read offers nothing: the command itself
says what is wrong with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rr_bench.registry import Registry


def _registry(context: typer.Context) -> Registry:
    from rr_bench.registry import load_registry

    given = context.params.get("registry")
    return load_registry(Path(str(given)) if given else None)


def _begun(names: list[str], word: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(word)]


def rerankers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Entries of the registry, of whatever profile, and what else is installed."""
    from rr.errors import RerankError
    from rr.registry.plugins import installed_plugins
    from rr_bench.entries import all_entries

    with suppress(RerankError, OSError):
        found = _registry(ctx)
        installed = all_entries(found, installed_plugins(), None)
        given = ctx.params.get("names") or []
        return _begun([name for name in [*found.rerankers, *installed] if name not in given], incomplete)
    return []


def of_rerankers(ctx: typer.Context, incomplete: str) -> list[str]:
    """`NAME=`, behind which a folder stands."""
    return [f"{name}=" for name in rerankers(ctx, incomplete)] if "=" not in incomplete else []


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    from rr.errors import RerankError

    with suppress(RerankError, OSError):
        return _begun([name for suite in _registry(ctx).suites.values() for name in suite.datasets], incomplete)
    return []


def profiles(ctx: typer.Context, incomplete: str) -> list[str]:
    from rr.errors import RerankError

    with suppress(RerankError, OSError):
        return _begun(list(_registry(ctx).profiles), incomplete)
    return []


def kinds_of_cache(ctx: typer.Context, incomplete: str) -> list[str]:
    from rr_bench.cache.kinds import KINDS

    return _begun(list(KINDS), incomplete)
