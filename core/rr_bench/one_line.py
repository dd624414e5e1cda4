"""Any model in one line: `COMPONENT:MODEL` is an entry that no registry need hold."""

from __future__ import annotations

import os

from rr.errors import PluginError, RerankError
from rr.registry.plugins import Plugins, Registered
from rr.registry.resolve import settings_model
from rr.spec import Kind
from rr_bench.schema import RerankerEntry

ANY_MODEL = "sentence_transformers"
"""The scorer that is proposed for a model that is named alone."""
KINDS: tuple[Kind, ...] = ("scorer", "reranker")
PACKAGE = "package"
"""What stands before the `:` of a model that lies in an installed package (`rr_torch.source`): no component."""


def one_line(plugins: Plugins, name: str) -> RerankerEntry | None:
    """The entry that `COMPONENT:MODEL` means: a scorer or reranker, as it is, with settings `{model: MODEL}`. None
    where the name is of another form.

    Raises:
        RerankError: there is no such component, it takes no model, or no model can be called so.
    """
    component, colon, model = name.partition(":")
    if not colon or component == PACKAGE:
        return None
    try:
        registered = _found(plugins, component) or plugins.get("scorer", component)  # which says what there is
    except PluginError as error:
        raise RerankError(f"no reranker is called {name!r}: {error}") from error
    if not model.isprintable() or model != model.strip() or not model:
        raise RerankError(f"{name!r}: a model is named in one line of text; write {component}:MODEL")
    full = f"{registered.distribution}/{registered.component.name}"
    if not _takes_model(plugins, registered, full):
        raise RerankError(
            f"{name!r}: {registered.kind} {component!r} has no setting 'model', so that none can be named"
        )
    return RerankerEntry.model_validate({registered.kind: full, "settings": {"model": model}})


def proposal(plugins: Plugins, name: str) -> str | None:
    """The line to write in the place of an unknown name that is a model's or a component's; None: it is neither."""
    registered = _found(plugins, name)
    if registered is not None:
        full = f"{registered.distribution}/{registered.component.name}"
        return f"{name} is a {registered.kind}; write {name}:MODEL" if _takes_model(plugins, registered, full) else None
    if "/" in name or os.path.isdir(os.path.expanduser(name)):  # noqa: PTH111, PTH112 - which raise for no name
        return f"for a model write {ANY_MODEL}:{name}"
    return None


def _found(plugins: Plugins, name: str) -> Registered | None:
    found = (one for kind in KINDS for one in plugins.of_kind(kind) if one.called(name))
    return next(found, None)


def _takes_model(plugins: Plugins, registered: Registered, full: str) -> bool:
    """Of a component that cannot be asked, True: whoever loads it says what is wrong with it."""
    try:
        return "model" in settings_model(plugins, registered.kind, full).model_fields
    except PluginError:
        return True
