"""Tables with a header: CSV and TSV files, and the names of columns."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from rr import DataError
from rr.data import Damage, Row, lines, missing, nfc

DELIMITERS = "\t,;|"
"""That cells may stand between, where nothing is said."""
SAMPLE = 200
"""Lines that a delimiter, or the meaning of quotes, is told by."""


def read_table(path: Path, required: Sequence[str], delimiter: str = ",") -> list[Row]:
    """The rows below the header of a CSV file, or of a TSV file (where quotes are plain characters). Columns that are
    not required may be there too; blank rows are passed over. Raises DataError: as `lines`; a required column is
    missing; a row has more or fewer cells than the header; or there are no rows."""
    return list(table_rows(path, delimiter, quoted=delimiter != "\t", required=required))


def table_rows(
    path: Path,
    delimiter: str,
    quoted: bool = True,
    required: Sequence[str] = (),
    damage: Damage | None = None,
    columns: Sequence[str] = (),
) -> Iterator[Row]:
    """As `read_table`, one row at a time; one with too many cells or too few is noted as `damage`, if that is given.
    `columns`: their names, of a file without a header."""
    # A cell may hold a whole document; the csv module refuses cells above 128 KiB unless told otherwise.
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(
        (f"{text}\n" for _, text in lines(path)),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names, line, empty = list(columns), 1, True  # line: of the record's beginning, for a cell may run over several
    try:
        for cells in reader:
            at, line = f"line {line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = header(path, cells, required)
                continue
            empty = False
            with damage.row() if damage else nullcontext():
                row = Row(path, at, dict(zip(names, cells, strict=False)))
                if len(cells) != len(names):
                    problem = f"{len(cells)} cells under {len(names)} columns; check the {delimiter!r} in it"
                    raise row.error(problem)
                yield row
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: not CSV ({error}); mend the quotes") from error
    if empty:
        raise DataError(f"{path}: no rows below the header; fetch or write the file again")


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


def sniffed(path: Path) -> tuple[str, bool]:
    """What stands between the cells, and whether quotes enclose them: that delimiter of the header which gives most of
    the first rows as many cells as it has. Tabs never stand in a text, and commas often do. Without any: one column."""
    start = [text for _, text in islice(lines(path), SAMPLE) if text.strip()]
    found, best = ",", (0.0, False, 0)
    for delimiter in DELIMITERS:
        rows = _parsed(start, delimiter) or [text.split(delimiter) for text in start]
        width = len(rows[0])
        fits = sum(len(row) == width for row in rows) / len(rows)
        if width > 1 and (one := (round(fits, 1), delimiter == "\t", width)) > best:
            found, best = delimiter, one
    return found, found != "\t" or _has_quotes(start)


def _has_quotes(start: Sequence[str]) -> bool:
    """Whether quotes enclose cells between tabs: where only so, or so too, each row has as many cells as the first."""
    plain = [text.split("\t") for text in start]
    quoted = _parsed(start, "\t")
    if not quoted:
        return False
    if len({*map(len, quoted)}) == 1 and len({*map(len, plain)}) > 1:
        return True
    return all(_is_quoted(cell) for row in plain for cell in row if cell.startswith('"'))


def _parsed(start: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows of some first lines, the last of which may end within a cell; none where quotes are plain characters."""
    rows: list[list[str]] = []
    reader = csv.reader((f"{text}\n" for text in start), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            rows.append(cells)
    except csv.Error:
        return rows if reader.line_num == len(start) else []
    return rows


def _is_quoted(cell: str) -> bool:
    """Whether a cell that begins with a quote is enclosed by two, with those in it doubled."""
    return len(cell) > 1 and cell.endswith('"') and '"' not in cell[1:-1].replace('""', "")
