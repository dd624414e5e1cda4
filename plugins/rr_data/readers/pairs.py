"""Queries that bring their own candidates: positives, hard negatives, or texts with a label or a score.

Each file is JSONL, a JSON list, CSV, TSV, XLSX or Parquet, packed or not. A row holds a query, and

- its positives and negatives, each a text, a list of texts, or objects with a `text`: FlagEmbedding (`query, pos,
  neg`), Cohere (`query, relevant_passages, hard_negatives`), Tevatron (`positive_passages, negative_passages`), DPR,
  sentence-transformers (`anchor, positive, negative, negative_2 …`), MS MARCO triples (three columns without a header:
  texts, or, with `queries` and `collection`, ids);
- or one text and what it is worth: `sentence1, sentence2, score`; `query, passage, label`.

Positives are relevant (grade 1, or the label); negatives are hard negatives, and so is what has a label of 0 or less.
Where the texts come without ids, equal texts are one document, and in a split one query. Scores of negatives decide
their order: a query's highest first, for trainers and for a cut at `candidates.depth`; those of positives are checked
and used for nothing. Queries that share a positive form a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from rr import DataError, Document, HardNegative, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, Row, missing
from rr_data.columns import COLUMNS, COUNTED, IDS, guessed, must_be_somewhere, simple
from rr_data.facets import add_facets
from rr_data.formats import Layout, files_behind, first_cells, head_of, rows_of
from rr_data.groups import by_shared_positives
from rr_data.guess import as_option, looked_at
from rr_data.members import Member, members_in, numbers_in
from rr_data.named import id_in, same_text, text_in
from rr_data.pair_columns import PLACES, Role, brings_its_own, columns_by_role, is_header
from rr_data.sources import Files, files_of
from rr_data.texts import ByText, fresh


class Options(Settings):
    rows: Files
    """A query with its candidates a row; a file, several, or those of each split."""
    collection: DataPath | None = None
    """Where rows name documents by id: their texts."""
    queries: DataPath | None = None
    """Where rows name queries by id: their texts."""
    columns: dict[Role, str | tuple[str, ...]] = Field(default_factory=dict)
    """Role: column; several of negatives. Roles without are guessed by the usual names."""
    threshold: float | None = None
    """A score from here on is relevant. Null: whole numbers are grades; between 0 and 1, from 0.5 on."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """What stands between cells. Null: the first rows tell."""

    @model_validator(mode="after")
    def _ids_have_texts(self) -> Options:
        if (self.collection is None) != (self.queries is None):
            raise ValueError("give both `collection` and `queries`, or neither")
        return self


class Pairs:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Options, if every row of these files brings candidates of its own."""
        looks = looked_at(paths)
        if looks is None or not all(map(brings_its_own, looks)):
            return None
        return {"rows": as_option(looks)}

    def files(self) -> list[Path]:
        """All that `read` reads."""
        given = (path for path in (self._options.collection, self._options.queries) if path is not None)
        return [*(file for _, path in files_of(self._options.rows) for file in files_behind(path)), *given]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a column is missing or malformed; a text is blank or no text, a query has no positive,
                or a score is no grade: all such rows in one line.
        """
        reading = _Reading(self._options)
        heads = {path: self._layout(path) for _, path in files_of(self._options.rows)}
        must_be_somewhere(self._options.columns, {path: columns for path, (_, columns) in heads.items()})
        for split, path in files_of(self._options.rows):
            layout, columns = heads[path]
            reading.file(path, layout, split, columns_by_role(self._options.columns, path, columns))
        return reading.collection()

    def _layout(self, path: Path) -> tuple[Layout, list[str]]:
        """How the file is laid out, and its columns."""
        layout = Layout(self._options.delimiter)
        if not self._options.columns and (cells := first_cells(path, layout)) and not is_header(cells):
            columns = [*PLACES[: len(cells)], *(f"negative_{place}" for place in range(2, len(cells) - 1))]
            return Layout(self._options.delimiter, columns=tuple(columns)), columns
        return layout, head_of(path, layout).columns


class _Reading:
    """What has been read of the files so far."""

    def __init__(self, options: Options) -> None:
        self._options, self._damage = options, Damage()
        self._documents, self._queries = Documents(), ById[Query]("query")
        self._texts: dict[str, str] = {}  # of queries that rows name by id
        self._by_text = ByText()
        self._query_texts: dict[str | None, ByText] = {}
        self._qrels: dict[str, dict[str, int]] = {}
        self._negatives: dict[str, dict[str, float | None]] = {}  # in the order of the rows
        self._split_of: dict[str, str] = {}
        self._facets: dict[str, dict[str, str]] = {}
        self._by_threshold = 0
        if options.collection is not None and options.queries is not None:
            self._list(options.collection, "document")
            self._list(options.queries, "query")

    def _list(self, path: Path, role: Literal["document", "query"]) -> None:
        """Ids with their texts: columns with usual names, or two columns without names."""
        layout = Layout(self._options.delimiter)
        names = {role: (*COLUMNS[role], "text"), "id": (*COLUMNS[f"{role}_id"], *IDS)}  # type: ignore[index]
        cells = first_cells(path, layout)
        if len(cells) == 2 and guessed(cells, names[role]) is None:
            layout = Layout(self._options.delimiter, columns=("id", role))
        columns = head_of(path, layout).columns
        id_, text, title = (guessed(columns, one) for one in (names["id"], names[role], COLUMNS["title"]))
        if id_ is None or text is None:
            raise DataError(f"{path}: {missing('column', ['id' if id_ is None else 'text'], columns)}")
        for row in rows_of(path, layout, self._damage):
            with self._damage.row():
                key = id_in(row, id_, row.fields.get(id_))
                if role == "document":
                    shown = Document(key, row.string(text), row.string(title, "") if title else "")
                    self._documents.add(key, shown, row)
                elif self._texts.setdefault(key, asked := text_in(row, text)) != asked:
                    raise row.error(f"query {key!r} came already with another text; give each its own id")

    def file(self, path: Path, layout: Layout, split: str | None, columns: Mapping[str, tuple[str, ...]]) -> None:
        for row in rows_of(path, layout, self._damage):
            with self._damage.row():
                self._row(row, split, columns)

    def _row(self, row: Row, split: str | None, columns: Mapping[str, tuple[str, ...]]) -> None:
        one = {role: found[0] for role, found in columns.items() if found}
        id_, text = self._who_asks(row, split, one)
        graded: list[tuple[Member, int]] = []
        if "positive" in one:
            positives = members_in(row, one["positive"])
            if not positives:
                raise row.error(f"{one['positive']!r} is empty; give what is relevant, or remove this row")
            numbers_in(row, one.get("positive_scores"), len(positives), "positives")
            graded = [(member, 1) for member in positives]
        else:
            text_in(row, one["document"])
            grade = self._grade(row, one["grade"]) if "grade" in one else 1
            graded = [(member, grade) for member in members_in(row, one["document"])]
        negatives = [member for column in columns["negative"] for member in members_in(row, column)]
        scores = numbers_in(row, one.get("negative_scores"), len(negatives), "negatives")
        # only now, where nothing more can be wrong with the row
        ids = self._ids(row, [*(member for member, _ in graded), *negatives])
        if id_ not in self._queries:
            self._queries.add(id_, Query(id_, text), row)
            self._query_texts.setdefault(split, ByText()).add(id_, text)
            if split is not None:
                self._split_of[id_] = split
            used = {"prompt", *(column for found in columns.values() for column in found)}
            add_facets(self._facets, id_, row.fields, {*used, *(k for k in row.fields if simple(k) in COUNTED)})
        judged = self._qrels.setdefault(id_, {})
        hard = self._negatives.setdefault(id_, {})
        for document_id, (_, grade) in zip(ids, graded, strict=False):
            judged[document_id] = max(grade, judged.get(document_id, grade))
            if grade <= 0:
                hard.setdefault(document_id, None)
        for place, document_id in enumerate(ids[len(graded) :]):
            hard.setdefault(document_id, scores[place] if scores else None)

    def _who_asks(self, row: Row, split: str | None, one: Mapping[str, str]) -> tuple[str, str]:
        """Id and text of a row's query, which may have come before."""
        if self._options.queries is not None:
            id_ = id_in(row, one["query"], row.fields.get(one["query"]))
            if id_ not in self._texts:
                raise row.error(f"query {id_!r} does not exist; correct the id")
            text = self._texts[id_]
        else:
            text = text_in(row, one["query"])
            if "query_id" not in one:
                return self._query_texts.get(split, ByText()).find(text) or fresh("q", self._queries), text
            id_ = id_in(row, one["query_id"], row.fields.get(one["query_id"]))
        if id_ in self._queries and not same_text(self._queries[id_].text, text):
            raise row.error(f"query {id_!r} came already with another text; give each its own id")
        if id_ in self._queries and self._split_of.get(id_) != split:
            raise row.error(f"query {id_!r} stands in split {self._split_of.get(id_)!r} already; keep it in one")
        return id_, text

    def _grade(self, row: Row, column: str) -> int:
        value = row.fields.get(column)
        if isinstance(value, bool) or str(value).strip().lower() in ("true", "false"):
            return int(str(value).strip().lower() == "true")
        score = row.number(column)
        if self._options.threshold is None and score.is_integer():
            return int(score)
        if self._options.threshold is None and not 0 < score < 1:
            raise row.error(
                f"{column!r} is {score:g}, no grade; set threshold: the score that is relevant from there on"
            )
        self._by_threshold += 1
        return int(score >= (0.5 if self._options.threshold is None else self._options.threshold))

    def _ids(self, row: Row, members: Sequence[Member]) -> list[str]:
        """The members' documents, those added that are new.

        Raises:
            DataError: an id does not exist, or has another text than before; then none is added.
        """
        if self._options.collection is not None:
            cells = [Row(row.file, row.at, {"document": member.text}) for member in members]
            return [cell.reference("document", self._documents, "document") for cell in cells]
        for member in members:
            known = self._documents[member.id] if member.id and member.id in self._documents else None
            if known is not None and not same_text(known.text, member.text):
                raise row.error(f"document {member.id!r} has another text here than before; keep one of them")
        return [self._id(row, member) for member in members]

    def _id(self, row: Row, member: Member) -> str:
        content = f"{member.title}\n{member.text}"
        id_ = member.id or self._by_text.find(content) or fresh("d", self._documents)
        if id_ not in self._documents:
            self._documents.add(id_, Document(id_, member.text, member.title), row)
            self._by_text.add(id_, content)
        return id_

    def collection(self) -> Collection:
        told = self._damage.told()
        negatives: dict[str, list[HardNegative]] = {}
        dropped = 0
        for query_id, hard in self._negatives.items():
            kept = [id_ for id_ in hard if self._qrels[query_id].get(id_, 0) <= 0]
            dropped += len(hard) - len(kept)
            # the highest score first; those without come last, in their order
            kept.sort(key=lambda id_, hard=hard: -hard[id_] if hard[id_] is not None else float("inf"))  # type: ignore
            negatives[query_id] = [HardNegative(id_) for id_ in kept]
        counted = {
            "negatives that are positives of their own query, dropped": dropped,
            "scores that are no whole numbers, made grades by the threshold": self._by_threshold,
        }
        splits: dict[str, list[str]] = {}
        for query_id, split in self._split_of.items():
            splits.setdefault(split, []).append(query_id)
        return Collection(
            self._documents,
            self._queries,
            self._qrels,
            splits,
            by_shared_positives(self._qrels),
            {query_id: hard for query_id, hard in negatives.items() if hard},
            notes=(*told, *(f"{what}: {count}" for what, count in counted.items() if count)),
            facets=self._facets,
        )
