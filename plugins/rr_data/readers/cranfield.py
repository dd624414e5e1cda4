"""Cranfield: 1,400 abstracts on aerodynamics, 225 questions, graded judgements.

`folder` holds cran.all.1400 and cran.qry in SMART's form (`.I` number, then the fields `.T` title, `.A`
author, `.B` source, `.W` text) and cranqrel: lines of question, document and code. A question is named by its
place in cran.qry, 1 to 225, as cranqrel does; the numbers behind `.I` in cran.qry are others. An abstract
repeats its title, which is kept as title only.

The codes run from 1, a complete answer, to 4, minimum interest; as grades they are turned round: 4, 3, 2, 1.
Code -1 is grade 4 as well, see `SOURCE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rr import Document, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, read_columns
from rr_data.found import packed
from rr_data.judgements import Judgements
from rr_data.smart import records

SOURCE = -1
# cranqrel.readme does not explain this code, but says that the file lists relevant pairs only. It comes once
# a question, always last, on papers of 1960 to 1963, mostly one for a run of consecutive questions: the paper
# whose author asked them. BM25 ranks it 2nd by the median, complete answers (code 1) 11th. To call it
# irrelevant would punish whoever finds it.
FILES = ("cran.all.1400", "cran.qry", "cranqrel")
LETTERS = "TABW"
"""Of its fields; three abstracts have such lines strewn into their text, where they mean nothing."""
GRADES = {SOURCE: 4, 1: 4, 2: 3, 3: 2, 4: 1}


class Options(Settings):
    folder: DataPath
    """Holds cran.all.1400, cran.qry and cranqrel."""


class Cranfield:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if it is asked of one folder that holds its three files."""
        if len(paths) == 1 and all(packed(paths[0] / name).is_file() for name in FILES):
            return {"folder": str(paths[0])}
        return None

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [packed(self._options.folder / name) for name in FILES]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing or not of this form, an id or a judgement comes twice, a judgement has an
                unknown code, or a question is blank.
        """
        damage = Damage()
        abstracts, questions, codes = self.files()
        documents = Documents()
        for row in records(abstracts, LETTERS):
            with damage.row():
                id_, title = row.id("I"), row.string("T", "")
                documents.add(id_, Document(id_, row.string("W").removeprefix(title).strip(), title), row)
        queries: ById[Query] = ById("question")
        for number, row in enumerate(records(questions, LETTERS), 1):
            with damage.row():
                queries.add(str(number), Query(str(number), row.text("W")), row)

        judgements = Judgements(queries, documents, "question")
        sources = 0
        for row in read_columns(codes, ("question", "document", "code"), damage=damage):
            with damage.row():
                code = row.integer("code")
                if code not in GRADES:
                    raise row.error(f"unknown code {code}; known: -1, 1, 2, 3, 4")
                sources += judgements.add(row, "question", "document", GRADES[code]) is not None and code == SOURCE
        told = damage.told()

        empty = [document.id for document in documents.values() if not document.content]
        notes = [*told, *judgements.notes]
        if sources:
            notes.append(f"judgements with code -1 (the paper the question came from) count as grade 4: {sources}")
        if empty:
            notes.append(f"documents without any text: {', '.join(empty)}")
        return Collection(documents, queries, judgements.qrels, notes=tuple(notes))
