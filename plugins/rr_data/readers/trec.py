"""TREC: documents, topics, a qrels file, and a first stage's run where there is one; as TREC and CLEF give them out.

documents: SGML (`<DOC><DOCNO>…<TEXT>…`, any number a file) or JSON lines of `{id or docno, text or contents,
title?}`; one file, a list, or a folder of files, where those without a `<DOC>` are passed over. topics: `<top>` with
`<num>`, `<title>`, `<desc>`, `<narr>`; XML of `<topic number="1">` with `<query>`, `<question>` or others; JSON lines
of `{id, text}`; or lines of id, a tab and the text. `fields` are those of a topic that make its query: its title (or
query) if none is named. qrels: lines of query, iteration (not read), document and grade, a whole number (above 0 is
relevant); also without iterations (`rr_data.qrels`). run: lines of query, Q0, document, rank (not read: the scores
give the order), score (higher is better) and tag; or JSON (`rr_data.runs`).

Topics are numbered `051` where their judgements say `51`: taken for the same, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, Row, missing, read_columns, read_jsonl
from rr_data import sgml
from rr_data.found import Encoding, files_in, first_lines, is_header, packed, starts_with
from rr_data.judgements import Judgements
from rr_data.qrels import qrels_rows, read_qrels
from rr_data.runs import read_run
from rr_data.sources import Files, files_of

DEFAULT = (("title",), ("query",), ("text",))
"""The fields that make a query, if none are named: the first that any topic has."""


_JSON_RUN = re.compile(r'\s*\{\s*"[^"]+"\s*:\s*\{')
"""How `{query: {document: score}}` begins."""


class Options(Settings):
    documents: Files
    """SGML or JSONL: a file, a list of files, or a folder."""
    topics: DataPath
    """SGML, XML, JSONL, or id and text with a tab between them."""
    qrels: DataPath
    """Four columns."""
    run: DataPath | None = None
    """Six columns, or JSON: the first stage to rerank."""
    fields: tuple[str, ...] = ()
    """Of SGML and XML topics, what makes the query: title, desc, narr, query, question …."""
    encoding: Encoding = "utf-8"
    """Of the SGML."""


class Trec:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if there are documents as SGML or JSON lines, topics, and judgements in TREC's form."""
        found: dict[str, list[str]] = {"documents": [], "topics": [], "qrels": [], "run": []}
        if len(paths) == 1 and paths[0].is_dir():
            paths = [path for path in sorted(paths[0].iterdir()) if not path.name.startswith(".")]
        for path in paths:
            if path.is_dir():
                if any(starts_with(one, "<doc>") for one in sorted(path.iterdir())[:10] if one.is_file()):
                    found["documents"].append(str(path))
                continue
            cells = [line.split() for line in first_lines(path)]
            if starts_with(path, "<doc>"):
                found["documents"].append(str(path))
            elif any(line.lstrip().lower().startswith(("<top>", "<topics", "<topic ")) for line in first_lines(path)):
                found["topics"].append(str(path))
            elif cells and all(len(line) == 4 and line[3].lstrip("-").isdigit() for line in cells):
                found["qrels"].append(str(path))
            elif _holds_a_run(path, cells):
                found["run"].append(str(path))
            elif starts_with(path, "{"):
                found["topics" if _called_topics(path) else "documents"].append(str(path))
            elif cells and all(line.count("\t") == 1 for line in first_lines(path)):
                found["topics"].append(str(path))
        given: dict[str, Any] = {key: values[0] for key, values in found.items() if len(values) == 1}
        if len(found["documents"]) > 1:
            given["documents"] = found["documents"]
        return given if {"documents", "topics", "qrels"} <= given.keys() else None

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [
            *self._documents_files(),
            packed(self._options.topics),
            packed(self._options.qrels),
            *([packed(self._options.run)] if self._options.run else []),
        ]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a key is missing, a line has another number of columns, an id, a judgement or a
                run line comes twice, a run line names an id that does not exist, or a topic is blank.
        """
        damage = Damage()
        documents = Documents()
        passed: list[Path] = []
        for path in self._documents_files():
            before = len(documents)
            for row in self._documents(path, damage):
                with damage.row():
                    id_ = row.id(row.either("id", "docno"))
                    text = row.string(row.either("text", "contents"))
                    documents.add(id_, Document(id_, text, row.string("title", "")), row)
            if len(documents) == before:
                passed.append(path)

        qrels = packed(self._options.qrels)
        asked = {str(row.fields["query"]) for row in qrels_rows(qrels, Damage())}
        queries: ById[Query] = ById("topic")
        renumbered: list[str] = []
        for row in self._topics(damage):
            with damage.row():
                id_ = row.id("id")
                if id_ not in asked and (short := id_.lstrip("0")) in asked:
                    renumbered.append(f"{row.at}, {id_!r} for {short!r}")
                    id_ = short
                queries.add(id_, Query(id_, row.text("text")), row)

        judgements = Judgements(queries, documents, "topic")
        read_qrels(qrels, judgements, damage)
        run = read_run(packed(self._options.run), queries, documents, damage, "topic") if self._options.run else {}
        told = damage.told()
        judgements.must_be_of(self._options.topics)
        counted = {
            "files without a document, passed over": [str(path) for path in passed],
            "topics whose judgements leave out the zeros before their number": renumbered,
        }
        notes = [f"{what}: {len(found)}, first {found[0]}" for what, found in counted.items() if found]
        return Collection(documents, queries, judgements.qrels, run=run, notes=(*told, *judgements.notes, *notes))

    def _documents_files(self) -> list[Path]:
        return [path for _, given in files_of(self._options.documents) for path in files_in(given)]

    def _documents(self, path: Path, damage: Damage) -> Iterable[Row]:
        if starts_with(path, "<"):
            return sgml.documents(path, self._options.encoding, damage)
        # in a folder of SGML lie notes and readmes
        inside = any(given.is_dir() for _, given in files_of(self._options.documents))
        return read_jsonl(path, damage) if not inside or starts_with(path, "{") else iter(())

    def _topics(self, damage: Damage) -> Iterator[Row]:
        """Rows of `id` and `text`."""
        path = packed(self._options.topics)
        if not starts_with(path, "<"):
            if self._options.fields:
                raise DataError(f"{path}: its topics are one text each, without fields; leave out `fields`")
            is_json = starts_with(path, "{")
            given = read_jsonl(path, damage) if is_json else read_columns(path, ("id", "text"), "\t", damage)
            yield from (row for row in given if row.at != "line 1" or is_json or not is_header([*row.fields.values()]))
            return
        rows = list(sgml.topics(path, self._options.encoding, damage))
        there = {name: None for row in rows for name in row.fields if name != "num"}
        wanted = [sgml.SPELLINGS.get(name.lower(), name.lower()) for name in self._options.fields]
        wanted = wanted or list(next((names for names in DEFAULT if names[0] in there), DEFAULT[0]))
        if rows and (absent := [name for name in wanted if name not in there]):
            raise DataError(f"{path}: {missing('field', absent, list(there))}; name others by `fields`")
        for row in rows:
            text = "\n".join(row.fields[name] for name in wanted if name in row.fields)
            with damage.row():
                yield Row(path, row.at, {"id": row.id("num"), "text": text})


def _called_topics(path: Path) -> bool:
    return any(name in path.name.lower() for name in ("topic", "quer", "question"))


def _holds_a_run(path: Path, cells: list[list[str]]) -> bool:
    if any(map(_JSON_RUN.match, first_lines(path)[:1])):
        return True
    return bool(cells) and all(len(line) == 6 and line[1].upper() == "Q0" for line in cells)
