"""ProPTIT: questions about a students' club, labelled in a spreadsheet with the texts that answer them.

`corpus` is a CSV with the columns STT (the document's id) and Văn bản (its text). `queries` is an XLSX whose
first sheet has the columns Query and Ground truth document: ids with commas between them. Other columns (the
ground truth answer, the difficulty) are not read. A query's id is `q` and its row in the sheet; every listed
document has grade 1.

Spreadsheets damage such lists: `2,4,97` becomes a date, a `+` gets in, an id is mistyped. All damaged cells
are reported in one error, or, with `damaged: skip`, their queries are left out and named in the notes.
"""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, DataPath, Row, as_id, read_bytes
from rr_data.tables import header, read_table

TEXT = "Văn bản"
LABELS = "Ground truth document"
UNPACKED = 2**28  # bytes of a workbook at the most: a small file may unpack to more than memory holds
SHOWN = 10  # so many damaged cells are listed in a message; the others are counted


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

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.corpus, self._options.queries]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a column is missing, an id comes twice, a query is blank, or, unless they are to
                be skipped, label cells are damaged.
        """
        documents: ById[Document] = ById("document")
        for row in read_table(self._options.corpus, ["STT", TEXT]):
            id_ = row.id("STT")
            documents.add(id_, Document(id_, row.string(TEXT)), row)

        queries: dict[str, Query] = {}
        qrels: dict[str, dict[str, int]] = {}
        damage: list[str] = []
        for row in _sheet(self._options.queries):
            query = Query(f"q{row.at.removeprefix('row ')}", row.text("Query"))
            try:
                qrels[query.id] = dict.fromkeys(_labels(row.value(LABELS), documents), 1)
            except ValueError as error:
                damage.append(f"{row.at}, column {LABELS!r}: {error}")
            else:
                queries[query.id] = query

        if not damage:
            return Collection(documents, queries, qrels)
        listed = "; ".join(damage[:SHOWN]) + (f"; and {len(damage) - SHOWN} more" if len(damage) > SHOWN else "")
        if self._options.damaged == "error":
            raise DataError(
                f"{self._options.queries}: {len(damage)} damaged label cells: {listed}. "
                "Mend them, or set `damaged: skip` (of `rr train`: --damaged skip) to leave their queries out"
            )
        return Collection(
            documents,
            queries,
            qrels,
            notes=(f"{len(damage)} queries with damaged label cells are left out: {listed}",),
        )


def _sheet(path: Path) -> list[Row]:
    lines = iter(_lines(path))
    columns = header(path, next(lines, ()), ["Query", LABELS])
    rows = []
    for number, cells in enumerate(lines, 2):
        filled = {column: cell for column, cell in zip(columns, cells, strict=False) if cell is not None}
        if any(str(cell).strip() for cell in filled.values()):
            rows.append(Row(path, f"row {number}", dict.fromkeys(columns, "") | filled))
    return rows


def _lines(path: Path) -> list[tuple[Any, ...]]:
    """The cells of the first sheet's rows."""
    import openpyxl

    content = read_bytes(path)
    problem = f"{path}: not an XLSX workbook; save the sheet as .xlsx"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(file.file_size for file in archive.infolist())
        if unpacked > UNPACKED:
            raise DataError(f"{path}: unpacks to {unpacked:,} bytes, more than {UNPACKED:,}; save a smaller sheet")
        workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        if not workbook.worksheets:
            raise DataError(f"{path}: the workbook holds no sheet; save the sheet as .xlsx")
        sheet = workbook.worksheets[0]
        # what the file says of its own extent may be wrong, and cells beyond it would be passed over
        sheet.reset_dimensions()
        return [tuple(cells) for cells in sheet.iter_rows(values_only=True)]
    except DataError:
        raise
    except Exception as error:  # of any kind: openpyxl checks little of what it meets
        raise DataError(problem) from error


def _labels(cell: Any, documents: ById[Document]) -> list[str]:
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
