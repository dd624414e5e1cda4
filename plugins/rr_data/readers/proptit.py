"""ProPTIT: questions about a students' club, labelled in a spreadsheet with the texts that answer them.

`corpus` is a CSV with the columns STT (the document's id) and Văn bản (its text). `queries` is an XLSX whose
first sheet has the columns Query and Ground truth document: ids with commas between them. Other columns (the
ground truth answer, the difficulty) are not read. A query's id is `q` and its row in the sheet; every listed
document has grade 1.

Spreadsheets damage such lists: `2,4,97` becomes a date, a `+` gets in, an id is mistyped. All damaged cells
are reported in one error, or, with `damaged: skip`, their queries are left out and named in a note.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rr import Document, Query, Settings
from rr.data import Collection, Damage, DataPath, Documents, Row, as_id
from rr_data.formats import form_of
from rr_data.guess import looked_at
from rr_data.tables import header, sniffed, table_rows
from rr_data.workbook import sheet_lines

TEXT = "Văn bản"
LABELS = "Ground truth document"
SHOWN = 10  # so many cells that are left out are listed in a note; the others are counted


class Options(Settings):
    corpus: DataPath = Field(json_schema_extra={"flag": "corpus_csv"})
    """The CSV of documents."""
    queries: DataPath = Field(json_schema_extra={"flag": "train_xlsx"})
    """The XLSX of labelled queries."""
    damaged: Literal["error", "skip"] = Field("error", json_schema_extra={"flag": "damaged"})
    """What to do about label cells that cannot be read."""


class ProPtit:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Options, if these are such a CSV and such an XLSX."""
        looks = looked_at(paths)
        if looks is None or len(looks) != 2:
            return None
        corpora = [look for look in looks if {"STT", TEXT} <= {*look.columns} and form_of(look.path) == "delimited"]
        sheets = [look for look in looks if {"Query", LABELS} <= {*look.columns} and form_of(look.path) == "xlsx"]
        if len(corpora) != 1 or len(sheets) != 1 or sniffed(corpora[0].path)[0] != ",":
            return None
        return {"corpus": str(corpora[0].path), "queries": str(sheets[0].path)}

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.corpus, self._options.queries]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a column is missing, an id comes twice, a query is blank, or, unless they are to
                be skipped, label cells are damaged: all such rows in one line.
        """
        damage = Damage()
        documents = Documents()
        for row in table_rows(self._options.corpus, ",", required=["STT", TEXT], damage=damage):
            with damage.row():
                id_ = row.id("STT")
                documents.add(id_, Document(id_, row.string(TEXT)), row)

        queries: dict[str, Query] = {}
        qrels: dict[str, dict[str, int]] = {}
        left_out: list[str] = []
        for row in _sheet(self._options.queries):
            with damage.row():
                query = Query(f"q{row.at.removeprefix('row ')}", row.text("Query"))
                try:
                    labels = _labels(row.value(LABELS), documents)
                except ValueError as error:
                    problem = f"column {LABELS!r}: {error}"
                    if self._options.damaged == "error":
                        raise row.error(f"{problem}; mend it, or set damaged: skip") from error
                    left_out.append(f"{row.at}, {problem}")
                else:
                    qrels[query.id] = dict.fromkeys(labels, 1)
                    queries[query.id] = query
        told = damage.told()
        if left_out:
            listed = "; ".join(left_out[:SHOWN])
            more = f"; and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
            told += (f"{len(left_out)} queries with damaged label cells are left out: {listed}{more}",)
        return Collection(documents, queries, qrels, notes=told)


def _sheet(path: Path) -> Iterator[Row]:
    lines = enumerate(sheet_lines(path), 1)
    columns = header(path, next((cells for _, cells in lines), ()), ["Query", LABELS])
    for number, cells in lines:
        filled = {column: cell for column, cell in zip(columns, cells, strict=False) if cell is not None}
        if any(str(cell).strip() for cell in filled.values()):
            yield Row(path, f"row {number}", dict.fromkeys(columns, "") | filled)


def _labels(cell: Any, documents: Documents) -> list[str]:
    """
    Raises:
        ValueError: the cell cannot be read as a list of known documents.
    """
    if isinstance(cell, (datetime.date, datetime.time)):  # a datetime is a date too
        raise ValueError(f"a date ({cell}) where ids were; type them again as text")
    parts = cell.split(",") if isinstance(cell, str) else [cell]
    named = [as_id(part) for part in parts if not isinstance(part, str) or part.strip()]
    if not named:
        raise ValueError("empty")
    ids = []
    for id_ in named:
        found = documents.find(id_)  # `5.0` means document 5, as a number and as text alike
        if found is None:
            raise ValueError(f"{id_!r} is not a document of the corpus")
        ids.append(found)
    return ids
