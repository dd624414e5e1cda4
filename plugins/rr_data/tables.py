"""Tables with a header: CSV and TSV files, and the names of columns."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rr import DataError
from rr.data import Row, missing, nfc, read_text


def read_table(path: Path, required: Sequence[str], delimiter: str = ",") -> list[Row]:
    """The rows below the header of a CSV file, or of a TSV file (where quotes are plain characters). Columns that are
    not required may be there too; blank rows are passed over. Raises DataError: as `read_text`; a required column is
    missing; a row has more or fewer cells than the header; or there are no rows."""
    # A cell may hold a whole document; the csv module refuses cells above 128 KiB unless told otherwise.
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(
        io.StringIO(read_text(path)),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
        strict=True,
    )
    columns: list[str] = []
    rows = []
    line = 1  # of the record's beginning: a quoted cell may run over several lines
    try:
        for cells in reader:
            at, line = f"line {line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = header(path, cells, required)
            elif len(cells) != len(columns):
                problem = f"{len(cells)} cells under {len(columns)} columns"
                raise DataError(f"{path}, {at}: {problem}; check the {delimiter!r} in it")
            else:
                rows.append(Row(path, at, dict(zip(columns, cells, strict=True))))
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: not CSV ({error}); mend the quotes") from error
    if not rows:
        raise DataError(f"{path}: no rows below the header; fetch or write the file again")
    return rows


def header(path: Path, cells: Sequence[object], required: Sequence[str]) -> list[str]:
    """The column names of a table, NFC-normalised; an empty cell names no column and becomes "". Raises DataError where
    a required column is missing, or a name comes twice."""
    columns = ["" if cell is None else nfc(str(cell)).strip() for cell in cells]
    named = [column for column in columns if column]
    for column in required:
        if column not in named:
            raise DataError(f"{path}: {missing('column', [column], named)}")
    for column in named:
        if named.count(column) > 1:
            raise DataError(f"{path}: column {column!r} comes twice; rename one")
    return columns
