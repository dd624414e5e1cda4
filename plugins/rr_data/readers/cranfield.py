"""Cranfield: 1,400 abstracts on aerodynamics, 225 questions, graded judgements.

`folder` holds cran.all.1400 and cran.qry in SMART's form (`.I` number, then the fields `.T` title, `.A`
author, `.B` source, `.W` text) and cranqrel: lines of question, document and code. A question is named by its
place in cran.qry, 1 to 225, as cranqrel does; the numbers behind `.I` in cran.qry are others. An abstract
repeats its title, which is kept as title only.

The codes run from 1, a complete answer, to 4, minimum interest; as grades they are turned round: 4, 3, 2, 1.
Code -1 is grade 4 as well, see `SOURCE`.
"""

from __future__ import annotations

from pathlib import Path

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, DataPath, Row, read_columns, read_text
from rr_data.judgements import Judgements

SOURCE = -1
# cranqrel.readme does not explain this code, but says that the file lists relevant pairs only. It comes once
# a question, always last, on papers of 1960 to 1963, mostly one for a run of consecutive questions: the paper
# whose author asked them. BM25 ranks it 2nd by the median, complete answers (code 1) 11th. To call it
# irrelevant would punish whoever finds it.
GRADES = {SOURCE: 4, 1: 4, 2: 3, 3: 2, 4: 1}


class Options(Settings):
    folder: DataPath
    """Holds cran.all.1400, cran.qry and cranqrel."""


class Cranfield:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.folder / name for name in ("cran.all.1400", "cran.qry", "cranqrel")]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing or not of this form, an id or a judgement comes twice, a judgement has an
                unknown code, or a question is blank.
        """
        documents: ById[Document] = ById("document")
        for row in _records(self._options.folder / "cran.all.1400"):
            id_, title = row.id("I"), row.string("T", "")
            documents.add(id_, Document(id_, row.string("W").removeprefix(title).strip(), title), row)
        queries: ById[Query] = ById("question")
        for number, row in enumerate(_records(self._options.folder / "cran.qry"), 1):
            queries.add(str(number), Query(str(number), row.text("W")), row)

        judgements = Judgements(queries, documents, "question")
        sources = 0
        for row in read_columns(self._options.folder / "cranqrel", ("question", "document", "code")):
            code = row.integer("code")
            if code not in GRADES:
                raise row.error(f"unknown code {code}; known: -1, 1, 2, 3, 4")
            sources += judgements.add(row, "question", "document", GRADES[code]) is not None and code == SOURCE

        empty = [document.id for document in documents.values() if not document.content]
        notes = [*judgements.notes]
        if sources:
            notes.append(f"judgements with code -1 (the paper the question came from) count as grade 4: {sources}")
        if empty:
            notes.append(f"documents without any text: {', '.join(empty)}")
        return Collection(documents, queries, judgements.qrels, notes=tuple(notes))


def _records(path: Path) -> list[Row]:
    """One row a record, its fields by their letters, their lines joined."""
    rows: list[Row] = []
    lines: list[str] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        marker, _, rest = line.partition(" ")
        if marker == ".I":
            lines = [rest.strip()]
            rows.append(Row(path, f"line {number}", {"I": lines}))
        elif not rows and line.strip():
            raise DataError(f"{path}, line {number}: text before the first `.I`; this is not a SMART file")
        elif line.rstrip() in (".T", ".A", ".B", ".W"):
            # Three abstracts have such lines strewn into their text, where they mean nothing.
            if line[1] not in rows[-1].fields:
                lines = rows[-1].fields[line[1]] = []
        elif line.strip():
            lines.append(line.strip())
    return [Row(row.file, row.at, {key: " ".join(value) for key, value in row.fields.items()}) for row in rows]
