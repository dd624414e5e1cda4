"""BEIR: a folder with corpus.jsonl, queries.jsonl and the judgements of every split.

corpus.jsonl: `{_id, text, title?}` a line; queries.jsonl: `{_id, text, metadata?}` a line, where texts and
whole numbers of `metadata` may be what a table groups its queries by (`group_by`); qrels/train.tsv,
qrels/dev.tsv and qrels/test.tsv, as many as there are: tab-separated with the header `query-id corpus-id
score`, score a whole number (above 0 is relevant). The files are the splits. Queries that none of them judges
are left out and counted in the notes. What else lies in the folder is not looked at.
"""

from __future__ import annotations

from pathlib import Path

from rr import DataError, Document, Query, Settings
from rr.data import SPLITS, ById, Collection, DataPath, Documents, read_jsonl
from rr_data.facets import add_facets
from rr_data.judgements import Judgements
from rr_data.tables import read_table

COLUMNS = ("query-id", "corpus-id", "score")


class Options(Settings):
    folder: DataPath
    """Holds corpus.jsonl, queries.jsonl and qrels/."""


def _qrels(options: Options) -> dict[str, Path]:
    return {split: options.folder / "qrels" / f"{split}.tsv" for split in SPLITS}


class Beir:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [
            self._options.folder / "corpus.jsonl",
            self._options.folder / "queries.jsonl",
            *_qrels(self._options).values(),
        ]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file, a key or a column is missing, an id or a judgement comes twice, a query is blank, or a
                query stands in two splits.
        """
        documents = Documents()
        for row in read_jsonl(self._options.folder / "corpus.jsonl"):
            id_ = row.id("_id")
            documents.add(id_, Document(id_, row.string("text"), row.string("title", "")), row)
        queries: ById[Query] = ById("query")
        facets: dict[str, dict[str, str]] = {}
        for row in read_jsonl(self._options.folder / "queries.jsonl"):
            id_ = row.id("_id")
            queries.add(id_, Query(id_, row.text("text")), row)
            if isinstance(metadata := row.fields.get("metadata"), dict):
                add_facets(facets, id_, metadata)

        judgements = Judgements(queries, documents)
        split_of: dict[str, str] = {}
        there = {split: path for split, path in _qrels(self._options).items() if path.exists()}
        if not there:
            raise DataError(f"{self._options.folder / 'qrels'}: none of train.tsv, dev.tsv, test.tsv is there; add one")
        for split, path in there.items():
            for row in read_table(path, COLUMNS, "\t"):
                query_id = judgements.add(row, "query-id", "corpus-id", row.integer("score"))
                if query_id is not None and split_of.setdefault(query_id, split) != split:
                    raise row.error(f"query {query_id!r} stands in {split_of[query_id]}.tsv too; keep it in one split")

        qrels = judgements.qrels
        unjudged = len(queries) - len(qrels)
        splits: dict[str, list[str]] = {}
        for query_id, split in split_of.items():
            splits.setdefault(split, []).append(query_id)
        return Collection(
            documents=documents,
            queries={query_id: query for query_id, query in queries.items() if query_id in qrels},
            qrels=qrels,
            splits=splits,
            facets={name: {q: value for q, value in values.items() if q in qrels} for name, values in facets.items()},
            notes=(
                *judgements.notes,
                *([f"queries that no qrels file judges, left out: {unjudged}"] if unjudged else []),
            ),
        )
