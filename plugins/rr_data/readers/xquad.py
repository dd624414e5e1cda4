"""XQuAD, or any file in the form of SQuAD 1.1 or 2.0, read as retrieval: which paragraph answers the question?

`path` is JSON: `{data: [{title?, paragraphs: [{context, qas: [{id, question, answers?, is_impossible?}]}]}]}`.
Documents are the distinct paragraphs (blanks apart), titled by their article; a question's own paragraph is its one
relevant document (grade 1). Questions of one paragraph form a group, so that no paragraph is an answer in two splits.

A question that its paragraph does not answer (`is_impossible`, or `answers` without a text) has no relevant document:
its paragraph has grade 0, and so has every other one, for the file names none. `plausible_answers` are none.
"""

from __future__ import annotations

from pathlib import Path

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, DataPath, Row, folded, read_json

FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
"""Spellings of `is_impossible`: files that went through a spreadsheet have words for it."""


class Options(Settings):
    path: DataPath
    """Xquad.<language>.json."""


class XQuad:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.path]

    def read(self) -> Collection:
        """
        Raises:
            DataError: the file is missing or not of this form, a text is blank, a question's id comes twice, or no
                question has an answer.
        """
        top = Row.of(self._options.path, "top level", read_json(self._options.path))
        documents: dict[str, Document] = {}
        queries: ById[Query] = ById("question")
        paragraph_of: dict[str, str] = {}
        answered: set[str] = set()
        ids: dict[str, str] = {}
        for article in top.children("data"):
            title = article.string("title", "").replace("_", " ")  # Wikipedia's page names have no blanks
            for paragraph in article.children("paragraphs"):
                text = paragraph.text("context")
                document_id = ids.setdefault(folded(text), f"p{len(ids) + 1:03}")
                documents.setdefault(document_id, Document(document_id, text, title))
                for question in paragraph.children("qas"):
                    query_id = question.id("id")
                    queries.add(query_id, Query(query_id, question.text("question")), question)
                    paragraph_of[query_id] = document_id
                    if _is_answered(question):
                        answered.add(query_id)
        unanswered = len(queries) - len(answered)
        if queries and not answered:
            raise DataError(
                f"{self._options.path}: none of its {unanswered} questions has an answer; give a file with answers"
            )
        return Collection(
            documents=documents,
            queries=queries,
            qrels={query_id: {paragraph: int(query_id in answered)} for query_id, paragraph in paragraph_of.items()},
            groups=paragraph_of,
            notes=(f"questions that their paragraph does not answer: {unanswered} of {len(queries)}",)
            if unanswered
            else (),
        )


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
