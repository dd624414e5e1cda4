"""Zalo AI's legal questions: which article of which law answers?

corpus (legal_corpus.json): a JSON list of `{law_id, articles: [{article_id, title, text}]}`. questions
(train_question_answer.json): `{items: […]}`, or a JSON list or JSON lines, of `{question_id, question or text,
relevant_articles: [{law_id, article_id}]}`; one file, a list, or one a split. A document is an article, named
`law_id+article_id`. A question whose `relevant_articles` is `[]` has no answer; one without the key is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rr import Document, Query, Settings
from rr.data import ById, Collection, Damage, DataPath, Documents, Row, parse_json, read_text
from rr_data.found import files_given, first_lines, packed
from rr_data.judgements import Judgements
from rr_data.records import read_records
from rr_data.sources import Files, Split, files_of


class Options(Settings):
    corpus: DataPath
    """legal_corpus.json."""
    questions: Files
    """train_question_answer.json; or a list, or one a split."""


class Zalo:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if one file (of a folder) holds laws with articles, and others questions about them."""
        paths = files_given(paths)
        starts = {path: "\n".join(first_lines(path))[:100_000] for path in paths}
        laws = [str(path) for path, start in starts.items() if '"law_id"' in start and '"articles"' in start]
        asked = [str(path) for path, start in starts.items() if '"relevant_articles"' in start]
        if len(laws) != 1 or not asked:
            return None
        return {"corpus": laws[0], "questions": asked[0] if len(asked) == 1 else asked}

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [packed(self._options.corpus), *(path for _, path in self._named())]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing or not of this form, an id comes twice, or a question is blank.
        """
        damage = Damage()
        documents = Documents()
        for law in _items(packed(self._options.corpus)):
            with damage.row():
                law_id = law.id("law_id")
                for article in law.children("articles"):
                    with damage.row():
                        id_ = f"{law_id}+{article.id('article_id')}"
                        documents.add(id_, Document(id_, article.string("text"), article.string("title", "")), article)

        queries: ById[Query] = ById("question")
        judgements = Judgements(queries, documents, "question")
        splits: dict[str, list[str]] = {}
        unjudged: list[str] = []
        for split, path in self._named():
            for row in _items(path):
                with damage.row():
                    id_ = row.id("question_id")
                    if row.fields.get("relevant_articles") is None:
                        unjudged.append(f"{row.at}, {id_!r}")
                        continue
                    queries.add(id_, Query(id_, row.text(row.either("question", "text"))), row)
                    judged = judgements.qrels.setdefault(id_, ById(f"the judgement of question {id_!r} for document"))
                    splits.setdefault(split or "", []).append(id_)
                    for article in row.children("relevant_articles"):
                        named = f"{article.id('law_id')}+{article.id('article_id')}"
                        if named not in judged:
                            fields = {"question": id_, "document": named}
                            judgements.add(Row(path, article.at, fields), "question", "document", 1)
        told = damage.told()
        notes = [
            f"questions without 'relevant_articles', left out: {len(unjudged)}, first {one}" for one in unjudged[:1]
        ]
        return Collection(
            documents,
            queries,
            judgements.qrels,
            {split: ids for split, ids in splits.items() if split},
            notes=(*told, *judgements.notes, *notes),
        )

    def _named(self) -> list[tuple[Split | None, Path]]:
        return [(split, packed(path)) for split, path in files_of(self._options.questions)]


def _items(path: Path) -> Iterator[Row]:
    """The objects of a JSON list, of JSON lines, or of a list under `items`."""
    text = read_text(path)
    if text.lstrip().startswith("{") and '"items"' in text[:1000]:
        yield from Row.of(path, "top level", parse_json(text, str(path))).children("items")
        return
    yield from read_records(path)
