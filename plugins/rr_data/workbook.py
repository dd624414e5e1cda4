"""The cells of a sheet of an XLSX workbook."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from rr import DataError, nearest
from rr.data import read_bytes

UNPACKED = 2**28  # bytes of a workbook at the most: a small file may unpack to more than memory holds


def sheet_lines(path: Path, sheet: str | int = 1) -> list[tuple[Any, ...]]:
    """The rows of one sheet, which is named, or counted from 1; whole numbers are int, dates are dates.

    Raises:
        DataError: as `read_bytes`; it is no workbook, is too large, or has no such sheet.
    """
    import openpyxl

    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(file.file_size for file in archive.infolist())
        if unpacked > UNPACKED:
            raise DataError(f"{path}: unpacks to {unpacked:,} bytes, more than {UNPACKED:,}; save a smaller sheet")
        workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        named = {one.title: one for one in workbook.worksheets}
        if not named:
            raise DataError(f"{path}: the workbook holds no sheet; save the sheet as .xlsx")
        if isinstance(sheet, int) and not 1 <= sheet <= len(named):
            raise DataError(f"{path}: has {len(named)} sheets, and no sheet {sheet}; they are {', '.join(named)}")
        if isinstance(sheet, str) and sheet not in named:
            raise DataError(f"{path}: has no sheet {sheet!r}{nearest(sheet, list(named))}")
        chosen = list(named.values())[sheet - 1] if isinstance(sheet, int) else named[sheet]
        # what the file says of its own extent may be wrong, and cells beyond it would be passed over
        chosen.reset_dimensions()
        return [tuple(map(_plain, cells)) for cells in chosen.iter_rows(values_only=True)]
    except DataError:
        raise
    except Exception as error:  # of any kind: openpyxl checks little of what it meets
        raise DataError(f"{path}: not an XLSX workbook; save the sheet as .xlsx") from error


def _plain(cell: Any) -> Any:
    """A spreadsheet knows no whole numbers: 5 is 5.0 to some."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
