from pathlib import Path

import typer

from rr import DataError


def count(file: Path):
    """Count the lines of a shelf. Exit code 1 if it is empty."""
    if not file.exists():
        raise DataError(f"{file}: no such file; check the path")
    print("counting")
    lines = file.read_text(encoding="utf-8").splitlines()
    yield f"{len(lines)} lines"
    if not lines:
        raise typer.Exit(1)


def show(file: Path, most: int = 3):
    """Show a shelf."""
    return file.read_text(encoding="utf-8").splitlines()[:most]


def copy(files: list[Path], out: Path | None = None):
    """Put shelves together."""
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    (out or Path("shelves.tsv")).write_text(text, encoding="utf-8")
