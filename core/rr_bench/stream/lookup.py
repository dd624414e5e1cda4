"""Documents and queries by id, read from disk when they are asked for: for collections that do not fit into memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rr.data.files import checked_file, column_row, json_row, opened
from rr.data.rows import Row
from rr.errors import DataError
from rr.files import file_sha256, fingerprint, home, is_sealed, sealed_folder
from rr.types import Document, Query
from rr_bench.progress import Progress
from rr_bench.stream.lines import Line, stream_lines
from rr_bench.stream.places import Place, stored_places

DOCUMENTS = ("corpus.jsonl", "documents.jsonl", "collection.tsv")
QUERIES = ("queries.jsonl", "topics.jsonl", "queries.tsv", "topics.tsv")
CONTENT = "content"
PACKED = ("", ".gz", ".zst", ".xz", ".bz2")


class Lookup:
    """The rows of a file by id: `{_id or id or docno, text or contents, title?}` a line, or, in a .tsv file, id, a tab
    and the text. Where each stands is looked for once and kept in `$RR_HOME/indexes`, under the file's SHA-256; so is
    the content of a packed file, whose middle cannot be read otherwise.

    Raises:
        DataError: the file is missing or empty, a row is malformed, or an id comes twice.
    """

    def __init__(self, path: Path, kind: str, progress: Progress) -> None:
        self._path, self._kind = checked_file(path), kind
        with progress.task(f"indexing {path.name}", None):
            self.fingerprint = file_sha256(path)
            self._columns = _bare(path).suffix == ".tsv"
            self._places = stored_places(path, [self.fingerprint, _bare(path).suffix], self._all_places, self._twice)
            self._file = _unpacked(path, self.fingerprint).open("rb")

    def close(self) -> None:
        self._file.close()
        self._places.close()

    def find(self, id_: str) -> str | None:
        """The id as the file spells it, if it holds it (`rr.data.rows.Known`)."""
        place = self._places.find(id_)
        return place[0] if place else None

    def document(self, id_: str) -> Document:
        row = self._find(id_)
        return Document(id_, _text(row), row.string("title", ""))

    def query(self, id_: str) -> Query:
        """
        Raises:
            DataError: its text is blank.
        """
        row = self._find(id_)
        return Query(id_, row.text(_text_key(row)))

    def _find(self, id_: str) -> Row:
        place = self._places.find(id_)
        if place is None:
            raise DataError(f"{self._path}: no {self._kind} {id_!r}")
        _, number, offset = place
        self._file.seek(offset)
        return self._row(Line(self._file.readline().decode("utf-8-sig").strip("\r\n"), number, offset))

    def _row(self, line: Line) -> Row:
        if self._columns:
            return column_row(self._path, line.text, line.number, ("id", "text"), "\t")
        return json_row(self._path, line.text, line.number)

    def _all_places(self) -> Iterator[Place]:
        for line in stream_lines(self._path):
            row = self._row(line)
            Document("", _text(row), row.string("title", ""))  # what cannot be read is said before anything is scored
            yield row.id(row.either("_id", "id", "docno")), line.number, line.offset

    def _twice(self, id_: str, first: int) -> str:
        return f"{self._kind} {id_!r} came already in line {first}; keep one of them"


def _text_key(row: Row) -> str:
    return row.either("text", "contents")


def _text(row: Row) -> str:
    return row.string(_text_key(row))


@contextmanager
def collection(folder: Path, progress: Progress) -> Iterator[tuple[Lookup, Lookup]]:
    """The documents and the queries of a folder in BEIR's layout, or with a TREC collection's documents and topics.

    Raises:
        DataError: as `Lookup`; the folder is missing, or does not hold exactly one file of each.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the one that holds {DOCUMENTS[0]} and {QUERIES[0]}")
    corpus, topics = _only(folder, DOCUMENTS), _only(folder, QUERIES)
    with (
        closing(Lookup(corpus, "document", progress)) as documents,
        closing(Lookup(topics, "query", progress)) as queries,
    ):
        yield documents, queries


def _bare(path: Path) -> Path:
    """Without what a packer has appended to its name."""
    return path.with_suffix("") if path.suffix in PACKED[1:] else path


def _unpacked(path: Path, sha256: str) -> Path:
    """The file itself, or, if it is packed, its content in `$RR_HOME/indexes`."""
    with path.open("rb") as plain, opened(path) as content:
        if content.read(1024) == plain.read(1024):
            return path
    name = fingerprint(["unpacked", sha256])[:32]
    folder = home() / "indexes" / name
    if not is_sealed(folder, name):
        with sealed_folder(folder, name) as work, opened(path) as content, (work / CONTENT).open("wb") as out:
            shutil.copyfileobj(content, out, 2**20)
    return folder / CONTENT


def _only(folder: Path, names: tuple[str, ...]) -> Path:
    found = [name + ending for name in names for ending in PACKED if (folder / (name + ending)).exists()]
    if len(found) != 1:
        raise DataError(f"{folder}: holds {' and '.join(found) or 'none'} of {', '.join(names)}; keep exactly one")
    return folder / found[0]
