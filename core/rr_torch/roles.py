"""Queries and documents: what a sentence-transformers model puts before either (its `prompts`), and which way through
its modules either takes, as its own `encode_query` and `encode_document` do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from torch import Tensor

Role = Literal["query", "document"]
"""What a text is to its encoder."""
Embed = Callable[[Iterable[str], Role], Tensor]
"""The vectors of texts that all have one role, shape (texts, d)."""

NAMES: dict[Role, tuple[str, ...]] = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Of a role's prompt; the first one that there is."""
LIMITS = ("query_length", "document_length", "query_expansion")
"""What a Transformer module may do to texts of one role alone."""


def prompt_of(module: Any, role: Role) -> str:
    """What `module.encode_query` or `encode_document` puts before a text; empty: nothing."""
    named = next((name for name in NAMES[role] if name in module.prompts), module.default_prompt_name)
    return module.prompts.get(named) or ""


def set_prompts(module: Any, query: str | None, document: str | None) -> None:
    """Puts other prompts in the place of the model's own; None: its own stays."""
    if query is not None:
        module.prompts["query"] = query
    if document is not None:
        module.prompts["document"] = document


def reads_apart(module: Any) -> bool:
    """Whether queries and documents differ by more than their prompts: by modules or adapters of their own, which are
    told the task, or by lengths."""
    limited = any(getattr(module[0], name, None) is not None for name in LIMITS)
    return limited or "task" in module.get_model_kwargs()


def encode_as(module: Any, role: Role) -> Callable[..., Tensor]:
    """The module's own way to encode texts of a role."""
    return module.encode_query if role == "query" else module.encode_document  # type: ignore[no-any-return]
