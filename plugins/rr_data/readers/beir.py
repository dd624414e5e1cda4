"""BEIR: a folder with corpus.jsonl, queries.jsonl and the judgements of every split, as it is downloaded.

corpus.jsonl: `{_id, text, title?}` a line; queries.jsonl: `{_id, text, metadata?}` a line, where texts and
whole numbers of `metadata` may be what a table groups its queries by (`group_by`); qrels/train.tsv,
qrels/dev.tsv and qrels/test.tsv, as many as there are: query, document and score, with BEIR's header or without one
(`rr_data.qrels`), or the same as .jsonl. validation.tsv, valid.tsv and val.tsv are dev.tsv under other names. Each file
may be packed (corpus.jsonl.gz). The score is a whole number (above 0 is relevant).

The files are the splits; `test_split: dev` tests on that of dev, and test.tsv is not read. Queries that none of them
judges are left out and counted in the notes. What else lies in the folder is not looked at. `run` is a first stage's
run (`rr_data.runs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, folded, read_jsonl
from rr_data.facets import add_facets
from rr_data.found import packed
from rr_data.judgements import Judgements
from rr_data.qrels import read_qrels
from rr_data.runs import kept, read_run
from rr_data.sources import Split

NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("dev", "validation", "valid", "val"),
    "test": ("test",),
}
"""Split → what its file of judgements is called."""


class Options(Settings):
    folder: DataPath
    """Holds corpus.jsonl, queries.jsonl and qrels/."""
    test_split: Split = "test"
    """The split that is tested on: dev, where test is not public."""
    run: DataPath | None = None
    """TREC or JSON: the first stage to rerank."""


class Beir:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings
        self._corpus, self._queries = (packed(settings.folder / name) for name in ("corpus.jsonl", "queries.jsonl"))

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if it is asked of one folder in this layout."""
        if len(paths) != 1 or not all(packed(paths[0] / name).is_file() for name in ("corpus.jsonl", "queries.jsonl")):
            return None
        there = _qrels(paths[0])
        if not there:
            return None
        tested = "test" if "test" in there else "dev" if "dev" in there else "train"
        return {"folder": str(paths[0])} | ({"test_split": tested} if tested != "test" else {})

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [
            self._corpus,
            self._queries,
            *(path for paths in _qrels(self._options.folder).values() for path in paths),
            *([self._options.run] if self._options.run else []),
        ]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file, a key or a column is missing, an id or a judgement comes twice, a query is blank, a
                query stands in two splits, or there are no judgements of the split to test on.
        """
        damage = Damage()
        qrels = self._splits()
        documents = Documents()
        for row in read_jsonl(self._corpus, damage):
            with damage.row():
                id_ = row.id("_id")
                documents.add(id_, Document(id_, row.string("text"), row.string("title", "")), row)
        queries: ById[Query] = ById("query")
        facets: dict[str, dict[str, str]] = {}
        for row in read_jsonl(self._queries, damage):
            with damage.row():
                id_ = row.id("_id")
                queries.add(id_, Query(id_, row.text("text")), row)
                if isinstance(metadata := row.fields.get("metadata"), dict):
                    add_facets(facets, id_, metadata)

        judgements = Judgements(queries, documents)
        splits: dict[str, list[str]] = {}
        split_of: dict[str, Path] = {}
        for split, path in qrels.items():
            splits[split] = read_qrels(path, judgements, damage)
            for query_id in splits[split]:
                if (other := split_of.setdefault(query_id, path)) != path:
                    raise DataError(f"{path}: query {query_id!r} stands in {other.name} too; keep it in one split")
        run = read_run(self._options.run, queries, documents, damage) if self._options.run else {}
        told = damage.told()
        judgements.must_be_of(self._queries)

        judged = judgements.qrels
        asked = {query_id: query for query_id, query in queries.items() if query_id in judged}
        return Collection(
            documents=documents,
            queries=asked,
            qrels=judged,
            splits=splits,
            run=kept(run, asked),
            facets={name: {q: value for q, value in values.items() if q in judged} for name, values in facets.items()},
            notes=(*told, *judgements.notes, *self._notes(documents, asked, len(queries), qrels)),
        )

    def _splits(self) -> dict[Split, Path]:
        """The judgements that are read, by the split that they become.

        Raises:
            DataError: there are none, or none of the split to test on, or a split has two files.
        """
        folder, tested = self._options.folder, self._options.test_split
        inside = [path.parent.name for path in sorted(folder.glob("*/corpus.jsonl*"))]
        if not self._corpus.exists() and inside:
            raise DataError(f"{folder}: holds no corpus.jsonl, but its folders do; name one of {', '.join(inside)}")
        there = _qrels(folder)
        for split, paths in there.items():
            if len(paths) > 1:
                names = " and ".join(path.name for path in paths)
                raise DataError(f"{folder / 'qrels'}: {names} are both of split {split}; keep one of them")
        if not there:
            raise DataError(f"{folder / 'qrels'}: none of train.tsv, dev.tsv, test.tsv is there; add one")
        if tested not in there:
            known = ", ".join(paths[0].name for paths in there.values())
            other = "dev" if "dev" in there else next(iter(there))
            raise DataError(
                f"{folder / 'qrels'}: there is no {tested}.tsv to test on, only {known}; set `test_split: {other}`"
            )
        return {
            "test" if split == tested else split: paths[0]
            for split, paths in there.items()
            if split in (tested, "train") or (split == "dev" and tested == "test")
        }

    def _notes(self, documents: Documents, asked: dict[str, Query], queries: int, read: dict[Split, Path]) -> list[str]:
        unjudged = queries - len(asked)
        notes = [f"queries that no qrels file judges, left out: {unjudged}"] if unjudged else []
        if self._options.test_split != "test":
            unread = [p[0].name for p in _qrels(self._options.folder).values() if p[0] not in read.values()]
            left = f"; not read: {', '.join(unread)}" if unread else ""
            notes.append(f"tested on {read['test'].name}, as `test_split: {self._options.test_split}` says{left}")
        own = [q for q in asked if q in documents and folded(documents[q].content) == folded(asked[q].text)]
        if own:
            notes.append(
                f"queries that are documents too, under their own ids: {len(own)}, first {own[0]!r}; "
                "`candidates: {drop_same_id: true}` takes these from their candidates"
            )
        return notes


def _qrels(folder: Path) -> dict[Split, list[Path]]:
    """The files of judgements of each split that has one: in qrels/, or beside the corpus."""
    for place in (folder / "qrels", folder):
        found = {
            split: [
                path
                for name in names
                for ending in (".tsv", ".jsonl")
                if (path := packed(place / f"{name}{ending}")).exists()
            ]
            for split, names in NAMES.items()
        }
        if any(found.values()):
            return {split: paths for split, paths in found.items() if paths}
    return {}
