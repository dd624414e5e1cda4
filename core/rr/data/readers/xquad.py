"""XQuAD, or any file in the form of SQuAD 1.1, read as retrieval: which paragraph answers the question?

`path` is JSON: `{data: [{title?, paragraphs: [{context, qas: [{id, question}]}]}]}`. Documents are the
distinct paragraphs, titled by their article; a question's own paragraph is its one relevant document (grade
1). Questions of one paragraph form a group, so that no paragraph is an answer in two splits.
"""

from __future__ import annotations

from rr.data.collection import Collection
from rr.data.files import DataPath, read_json
from rr.data.rows import ById, Row
from rr.protocols import Settings
from rr.types import Document, Query


class Options(Settings):
    path: DataPath  # xquad.<language>.json


def read(options: Options) -> Collection:
    """
    Raises:
        DataError: the file is missing or not of this form, a text is blank, or a question's id comes twice.
    """
    top = Row.of(options.path, "top level", read_json(options.path))
    documents: dict[str, Document] = {}
    queries: ById[Query] = ById("question")
    paragraph_of: dict[str, str] = {}
    ids: dict[str, str] = {}
    for article in top.children("data"):
        title = article.string("title", "").replace("_", " ")  # Wikipedia's page names have no blanks
        for paragraph in article.children("paragraphs"):
            text = paragraph.text("context")
            document_id = ids.setdefault(text, f"p{len(ids) + 1:03}")
            documents.setdefault(document_id, Document(document_id, text, title))
            for question in paragraph.children("qas"):
                query_id = question.id("id")
                queries.add(query_id, Query(query_id, question.text("question")), question)
                paragraph_of[query_id] = document_id
    return Collection(
        documents=documents,
        queries=queries,
        qrels={query_id: {document_id: 1} for query_id, document_id in paragraph_of.items()},
        groups=paragraph_of,
    )
