"""What queries can be grouped by: the fields of their lines that are no texts to rank by."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def add_facets(
    facets: dict[str, dict[str, str]], query_id: str, fields: Mapping[str, object], others: Collection[str] = ()
) -> None:
    """Adds each text, whole number and truth value of a query's `fields` but the `others` to field → query id → value.
    Nothing else is a group: lists, objects, numbers with a fraction, null and blanks are passed over.
    """
    for name, value in fields.items():
        if name not in others and name.strip() and isinstance(value, str | int) and str(value).strip():
            text = str(value).lower() if isinstance(value, bool) else str(value).strip()
            facets.setdefault(name, {})[query_id] = text
