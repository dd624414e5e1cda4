"""Prepared data sets on disk: three readable files in a folder, written whole, checked when read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from rr.errors import DataError
from rr.files import sealed_folder
from rr.types import Dataset, Document, HardNegative, Query
from rr_bench.data.prepare import dataset_fingerprint

AT_ONCE = 1_000
"""Lines that are parsed together."""


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """`dataset.json` (name, protocol, notes, report, fingerprint), `documents.jsonl`, and `queries.jsonl` with each
    query's split, judgements and candidates; sealed under the folder's name."""
    split_of = {query_id: split for split, query_ids in dataset.splits.items() for query_id in query_ids}
    with sealed_folder(folder, folder.name) as temporary:
        _write_lines(
            temporary / "documents.jsonl",
            (
                {"id": d.id, "title": d.title, "text": d.text, "metadata": dict(d.metadata)}
                for d in dataset.documents.values()
            ),
        )
        _write_lines(
            temporary / "queries.jsonl",
            (
                {
                    "id": query.id,
                    "split": split_of[query.id],
                    "group": dataset.groups.get(query.id),
                    "facets": {
                        facet: values[query.id] for facet, values in dataset.facets.items() if query.id in values
                    },
                    "text": query.text,
                    "history": [document.id for document in query.history],
                    "qrels": dataset.qrels[query.id],
                    "candidates": dataset.candidates[query.id],
                    "first_stage": dataset.first_stage.get(query.id),
                    "hard_negatives": [asdict(n) for n in dataset.hard_negatives.get(query.id, ())],
                }
                for query in dataset.queries.values()
            ),
        )
        meta = {
            "name": dataset.name,
            "retriever": dataset.retriever,
            "protocol": dataset.protocol,
            "splits": list(dataset.splits),
            "facets": list(dataset.facets),
            "notes": dataset.notes,
            "report": dataset.report,
            "fingerprint": dataset.fingerprint,
        }
        text = json.dumps(meta, ensure_ascii=False, indent=2)
        (temporary / "dataset.json").write_text(text + "\n", encoding="utf-8")


def read_dataset(folder: Path, sealed: bool = False) -> Dataset:
    """Reads what `write_dataset` wrote. `sealed`: every byte of it has just been compared (`rr.files.is_sealed`).

    Raises:
        DataError: a file is missing or malformed, or the content is not that of the fingerprint written with it.
    """
    try:
        dataset = _read(folder)
        found = dataset.fingerprint if sealed else dataset_fingerprint(dataset)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, DataError) as error:
        raise _damaged(folder) from error
    if found != dataset.fingerprint:
        raise _damaged(folder)
    return dataset


def _damaged(folder: Path) -> DataError:
    return DataError(f"{folder}: the prepared data set was changed or damaged; delete the folder and run again")


def _read(folder: Path) -> Dataset:
    meta = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    documents = {row["id"]: Document(**row) for row in _read_lines(folder / "documents.jsonl")}
    rows = {row["id"]: row for row in _read_lines(folder / "queries.jsonl")}
    return Dataset(
        name=meta["name"],
        documents=documents,
        queries={
            id_: Query(id_, row["text"], tuple(documents[item] for item in row["history"])) for id_, row in rows.items()
        },
        qrels={id_: row["qrels"] for id_, row in rows.items()},
        splits={split: tuple(id_ for id_, row in rows.items() if row["split"] == split) for split in meta["splits"]},
        candidates={id_: tuple(row["candidates"]) for id_, row in rows.items()},
        first_stage={id_: tuple(row["first_stage"]) for id_, row in rows.items() if row["first_stage"] is not None},
        hard_negatives={
            id_: tuple(HardNegative(n["document_id"], tuple(n["types"]), n["weight"]) for n in row["hard_negatives"])
            for id_, row in rows.items()
            if row["hard_negatives"]
        },
        retriever=meta["retriever"],
        protocol=meta["protocol"],
        notes=tuple(meta["notes"]),
        fingerprint=meta["fingerprint"],
        groups={id_: row["group"] for id_, row in rows.items() if row["group"] is not None},
        report=meta["report"],
        facets={
            facet: {id_: row["facets"][facet] for id_, row in rows.items() if facet in row["facets"]}
            for facet in meta["facets"]
        },
    )


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        # many at once: the call takes as long as the line
        while lines := list(islice(file, AT_ONCE)):
            yield from json.loads(f"[{','.join(lines)}]")
