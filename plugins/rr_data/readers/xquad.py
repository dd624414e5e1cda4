"""XQuAD, or any file in the form of SQuAD 1.1 or 2.0, read as retrieval: which paragraph answers the question?

`path` is JSON: `{data: [{title?, paragraphs: [{context, qas: [{id, question, answers?, is_impossible?}]}]}]}`, or
flat, as the Hub has it: rows of `{id, title?, context, question, answers: {text: [], answer_start: []}}` as JSON
lines, a JSON list (or one under `data`), Parquet, or a folder that `save_to_disk` wrote. It may be several files, a
list, or one a split, which are then the splits: {train: …, dev: …, test: …}; a DatasetDict's splits are too.

Documents are the distinct paragraphs (blanks apart), titled by their article; a question's own paragraph is its one
relevant document (grade 1). Questions of one paragraph form a group, so that no paragraph is an answer in two splits.

A question that its paragraph does not answer (`is_impossible`, or `answers` without a text) has no relevant document:
its paragraph has grade 0, and so has every other one, for the file names none. `plausible_answers` are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, Damage, Row, folded, parse_json, read_jsonl, read_text
from rr_data.found import files_given, first_lines, packed
from rr_data.saved import SPLITS, all_files, is_rows, parts
from rr_data.sources import Files, Split, files_of, with_a_test

FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
"""Spellings of `is_impossible`: files that went through a spreadsheet have words for it."""
_DATA = re.compile(r'\{[^[]*"data"\s*:\s*\[')
"""How a file begins that holds all under `data`."""
Asked = tuple[Row | None, str, str]
"""A question, and its paragraph and title; None before the questions of a paragraph, which may have none."""


class Options(Settings):
    path: Files
    """Xquad.<language>.json; or a list, or one a split: {train: …, dev: …, test: …}."""


class XQuad:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if all the files (or those of one folder) look like SQuAD's, nested or flat."""
        if len(paths) == 1 and paths[0].is_dir() and not is_rows(paths[0]):
            paths = files_given(paths)
        if not paths or not all(map(_looks_like_squad, paths)):
            return None
        splits: dict[Split, str] = {}
        for path in paths:
            for name, split in SPLITS.items():
                if name in path.name.lower() and split not in splits:
                    splits[split] = str(path)
        if len(paths) > 1 and len(splits) == len(paths):
            return {"path": with_a_test(splits)}
        return {"path": [str(path) for path in paths] if len(paths) > 1 else str(paths[0])}

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [
            file
            for _, path in self._named()
            for file in (all_files(path) if is_rows(path) and path.exists() else [path])
        ]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file is missing or not of this form, a text is blank, a question's id comes twice, or no
                question has an answer.
        """
        damage = Damage()
        documents: dict[str, Document] = {}
        queries: ById[Query] = ById("question")
        paragraph_of: dict[str, str] = {}
        answered: set[str] = set()
        ids: dict[str, str] = {}
        splits: dict[str, list[str]] = {}
        for split, path in self._named():
            for name, (question, text, title) in _questions(path, damage):
                if question is None:
                    document_id = ids.setdefault(folded(text), f"p{len(ids) + 1:03}")
                    documents.setdefault(document_id, Document(document_id, text, title))
                    continue
                with damage.row():
                    query_id = question.id("id")
                    queries.add(query_id, Query(query_id, question.text("question")), question)
                    document_id = ids.setdefault(folded(text), f"p{len(ids) + 1:03}")
                    documents.setdefault(document_id, Document(document_id, text, title))
                    paragraph_of[query_id] = document_id
                    if _is_answered(question):
                        answered.add(query_id)
                    splits.setdefault(split or SPLITS.get(name) or name, []).append(query_id)
        told = damage.told()
        unanswered = len(queries) - len(answered)
        if queries and not answered:
            raise DataError(
                f"{self._named()[0][1]}: none of its {unanswered} questions has an answer; give a file with answers"
            )
        count = f"questions that their paragraph does not answer: {unanswered} of {len(queries)}"
        return Collection(
            documents=documents,
            queries=queries,
            qrels={query_id: {paragraph: int(query_id in answered)} for query_id, paragraph in paragraph_of.items()},
            splits={split: asked for split, asked in splits.items() if split},
            groups=paragraph_of,
            notes=(*told, *([count] if unanswered else [])),
        )

    def _named(self) -> list[tuple[Split | None, Path]]:
        return [(split, packed(path)) for split, path in files_of(self._options.path)]


def _questions(path: Path, damage: Damage) -> Iterator[tuple[str, Asked]]:
    """Each with its split, if the file itself tells it."""
    if is_rows(path):
        for name, rows in parts(path):
            for row in rows():
                yield from ((name, flat) for flat in _flat(row, damage))
        return
    for article in _articles(path, damage):
        if "paragraphs" not in article.fields and "data" not in article.fields:
            yield from (("", flat) for flat in _flat(article, damage))
            continue
        title = _title(article)
        for paragraph in article.children("paragraphs"):
            with damage.row():
                context = paragraph.text("context")
                questions = paragraph.children("qas")
                yield "", (None, context, title)
                yield from (("", (question, context, title)) for question in questions)


def _articles(path: Path, damage: Damage) -> Iterator[Row]:
    """Articles, or flat questions."""
    text = read_text(path)
    first = text.lstrip().partition("\n")[0].rstrip()
    if first.startswith("{") and first.endswith("}") and '"context"' in first and not _DATA.match(first):
        yield from read_jsonl(path, damage)
        return
    whole = parse_json(text, str(path))
    if not isinstance(whole, list):
        yield from Row.of(path, "top level", whole).children("data")
        return
    for number, item in enumerate(whole, 1):
        with damage.row():
            yield Row.of(path, f"item {number}", item)


def _flat(row: Row, damage: Damage) -> Iterator[Asked]:
    with damage.row():
        yield row, row.text("context"), _title(row)


def _title(row: Row) -> str:
    return row.string("title", "").replace("_", " ")  # Wikipedia's page names have no blanks


def _looks_like_squad(path: Path) -> bool:
    if is_rows(path):
        try:
            _, rows = parts(path)[0]
            return {"context", "question", "answers"} <= next(rows()).fields.keys()
        except (DataError, StopIteration, IndexError):
            return False
    start = "\n".join(first_lines(path))[:100_000]
    return start.lstrip().startswith(("{", "[")) and '"context"' in start and '"question"' in start


def _is_answered(question: Row) -> bool:
    """Whether the paragraph holds the answer; files that tell nothing of answers (no such key) only name pairs.

    Raises:
        DataError: `is_impossible` is neither true nor false, or the answers are no list.
    """
    impossible = question.fields.get("is_impossible") or False
    spelled = str(impossible).strip().lower()
    if spelled not in FLAGS:
        raise question.error(f"'is_impossible' must be true or false, not {impossible!r}")
    if FLAGS[spelled]:
        return False
    if "answers" not in question.fields:
        return True
    answers = question.fields["answers"] or []
    # Hugging Face's `datasets` writes one object of parallel lists
    texts = answers.get("text", []) if isinstance(answers, dict) else [a.string("text", "") for a in _answers(question)]
    if not isinstance(texts, list):
        raise question.error(f"'answers' must hold a list of texts, not {type(texts).__name__}")
    return any(isinstance(text, str) and text.strip() for text in texts)


def _answers(question: Row) -> list[Row]:
    return question.children("answers") if question.fields["answers"] else []
