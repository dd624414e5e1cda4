"""The old test collections in SMART's form: CISI, MED, CACM, ADI, Cranfield.

documents and queries: records that begin with `.I` and a number, then fields: `.T` title, `.A` authors, `.B` source,
`.W` text, `.X` references, `.N`, `.K`, `.C`. Title and the fields of `text` are kept, a title that the text repeats
once; of a query its text, or else its title. A field that comes twice in a record is text that was strewn into
another, and is counted.

qrels, told apart by their columns: `query 0 document grade` (MED), `query document 0 0.0` (CISI, CACM: all are
relevant), `query document` or `query document grade`. Where the third of three columns holds others than 0 and 1,
`codes` says what they are: `grades`, or `cranfield`, where 1 is the best of four, and -1 as good.

Numbers are compared as numbers (`01` is `1`). `numbering` names queries by `.I`, or by their place in the file; if it
is not given, by the one that more judgements know, and a note says which that is where they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, Row, lines
from rr_data.found import Encoding, files_given, first_lines, packed
from rr_data.judgements import Judgements
from rr_data.readers.cranfield import GRADES
from rr_data.smart import records

Numbering = Literal["I", "place"]
COLUMNS = {2: ("query", "document"), 3: ("query", "document", "code"), 4: ("query", "second", "third", "fourth")}


class Options(Settings):
    documents: DataPath
    """CISI.ALL, MED.ALL, cacm.all."""
    queries: DataPath
    """CISI.QRY, MED.QRY, query.text."""
    qrels: DataPath
    """CISI.REL, MED.REL, qrels.text."""
    text: str = "W"
    """Letters of the fields that make a document's text, in this order: W, WK, …."""
    numbering: Numbering | None = None
    """How judgements number the queries: as `.I` does, or by their place in the file; None finds out."""
    codes: Literal["grades", "cranfield"] | None = None
    """What the third of three columns holds."""
    encoding: Encoding = "utf-8"
    """Of older disks: latin-1 or cp1252."""


class Smart:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if two files are of this form, the larger being the documents, and a third one of numbers."""
        paths = files_given(paths)
        smart = [path for path in paths if first_lines(path)[:1] and first_lines(path)[0].startswith(".I")]
        numbers = [path for path in paths if _are_numbers(first_lines(path))]
        if len(smart) != 2 or len(numbers) != 1:
            return None
        queries, documents = sorted(smart, key=lambda path: path.stat().st_size)
        given = {"documents": str(documents), "queries": str(queries), "qrels": str(numbers[0])}
        return given | ({"codes": "cranfield"} if numbers[0].name == "cranqrel" else {})

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [packed(path) for path in (self._options.documents, self._options.queries, self._options.qrels)]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing or not of this form, an id comes twice, a query is blank, or the columns of
                the judgements cannot be told.
        """
        damage, encoding = Damage(), self._options.encoding
        corpus, asked, judged = self.files()
        documents, strewn = Documents(), list[str]()
        for row in records(corpus, encoding=encoding, stray=strewn):
            with damage.row():
                id_, title = _number(row.id("I")), row.string("T", "")
                text = "\n".join(found for letter in self._options.text if (found := row.string(letter, "")))
                documents.add(id_, Document(id_, text.removeprefix(title).strip(), title), row)
        rows = self._judgements(judged, damage)
        questions = list(records(asked, encoding=encoding))
        numbering, told_numbering = self._numbering(questions, rows)
        queries: ById[Query] = ById("query")
        for place, row in enumerate(questions, 1):
            with damage.row():
                id_ = _number(row.id("I")) if numbering == "I" else str(place)
                queries.add(id_, Query(id_, row.text("W" if row.string("W", "") else row.either("T", "W"))), row)

        judgements = Judgements(queries, documents)
        for row in rows:
            with damage.row():
                judgements.add(row, "query", "document", row.integer("grade"))
        told = damage.told()
        judgements.must_be_of(asked)
        empty = [document.id for document in documents.values() if not document.content]
        counted = {
            "documents without any text": empty,
            "lines that look like a field, strewn into another": strewn,
        }
        notes = [f"{what}: {len(found)}, first {found[0]}" for what, found in counted.items() if found]
        return Collection(
            documents, queries, judgements.qrels, notes=(*told, *judgements.notes, *told_numbering, *notes)
        )

    def _judgements(self, path: Path, damage: Damage) -> list[Row]:
        """Rows of query, document and grade.

        Raises:
            DataError: it cannot be told what the columns are.
        """
        rows: list[Row] = []
        columns: tuple[str, ...] = ()
        for number, line in lines(path):
            if not line.strip():
                continue
            cells = line.split()
            if not columns and (columns := COLUMNS.get(len(cells), ())) == ():
                raise DataError(f"{path}, line {number}: {len(cells)} columns; SMART's judgements have 2 to 4")
            with damage.row():
                row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
                if len(cells) != len(columns):
                    raise row.error(f"{len(cells)} columns; the lines before it have {len(columns)}")
                rows.append(Row(path, row.at, {key: _number(cell) for key, cell in row.fields.items()}))
        if len(columns) == 4:
            return self._of_four(path, rows)
        if len(columns) == 3 and self._options.codes is None:
            odd = sorted({row.fields["code"] for row in rows} - {"0", "1"})
            if odd:
                raise DataError(
                    f"{path}: the third column holds {', '.join(odd[:5])}; say what by `codes`: grades (more is best) "
                    "or cranfield (1 is best)"
                )
        return [self._coded(row) for row in rows]

    def _of_four(self, path: Path, rows: list[Row]) -> list[Row]:
        zeros = {name: all(float(row.number(name)) == 0 for row in rows) for name in ("second", "third", "fourth")}
        if zeros["second"] and not zeros["third"]:
            named = {"query": "query", "document": "third", "grade": "fourth"}
            return [Row(path, row.at, {new: row.fields[old] for new, old in named.items()}) for row in rows]
        if zeros["third"] and zeros["fourth"]:
            return [
                Row(path, row.at, {"query": row.fields["query"], "document": row.fields["second"], "grade": 1})
                for row in rows
            ]
        raise DataError(f"{path}: of four columns, neither the second nor the last two are 0; put them in order")

    def _coded(self, row: Row) -> Row:
        grade: object = row.fields.get("code", 1)
        if self._options.codes == "cranfield":
            code = row.integer("code")
            if code not in GRADES:
                raise row.error(f"unknown code {code}; Cranfield's are -1, 1, 2, 3, 4")
            grade = GRADES[code]
        return Row(row.file, row.at, {**row.fields, "grade": grade})

    def _numbering(self, questions: list[Row], rows: list[Row]) -> tuple[Numbering, list[str]]:
        by_number = {_number(str(row.fields["I"])) for row in questions}
        by_place = {str(place) for place in range(1, len(questions) + 1)}
        if self._options.numbering is not None or by_number == by_place:
            return self._options.numbering or "I", []
        judged = [str(row.fields["query"]) for row in rows]
        known = {"I": sum(id_ in by_number for id_ in judged), "place": sum(id_ in by_place for id_ in judged)}
        found: Numbering = "place" if known["place"] > known["I"] else "I"
        what = "their place in the file" if found == "place" else "`.I`"
        return found, [
            f"queries are named by {what}, which {known[found]} of {len(judged)} judgements know (the other way: "
            f"{known['I' if found == 'place' else 'place']}); `numbering` says otherwise"
        ]


def _number(cell: str) -> str:
    """`007` as `7`; what is no number, as it is."""
    return (cell.lstrip("0") or "0") if cell.isdigit() and cell.isascii() else cell


def _are_numbers(starts: list[str]) -> bool:
    cells = [line.split() for line in starts]
    widths = {len(line) for line in cells}
    return len(widths) == 1 and widths <= {2, 3, 4} and all(_is_number(cell) for line in cells for cell in line)


def _is_number(cell: str) -> bool:
    return cell.lstrip("-").replace(".", "", 1).isdigit()
