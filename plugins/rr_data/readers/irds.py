"""A data set of the library ir_datasets, from its own cache (`$IR_DATASETS_HOME`, else ~/.ir_datasets).

`dataset` is an ID (`vaswani`, `beir/scifact/test`), or one a split: {train: beir/scifact/train, test:
beir/scifact/test}, of the same documents. A document's title is its own field, its text `text`, `abstract` or `body`,
or else what the library calls its default text; a query's is its default text. `run: true` has the library's
`scoreddocs` as the first stage (`candidates.retriever: run`). Nothing is fetched: where a file is not in the cache,
the error says what to run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, Damage, Documents, Row
from rr_data.judgements import Judgements
from rr_data.sources import Split

ABSENT = "a file of it is not in the cache"
TEXTS = ("text", "abstract", "body")


class Options(Settings):
    dataset: str | dict[Split, str]
    """ID, or one a split."""
    run: bool = False
    """Whether its scored documents are the first stage."""


class IrDatasets:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    def files(self) -> list[Path]:
        """Those that the library tells of: what an ID stands for never changes."""
        found: list[Path] = []
        for _, id_ in self._ids():
            with _offline(id_):
                part = _loaded(id_)
                for name in ("docs_path", "queries_path", "qrels_path"):
                    found += _path_of(part, name)
        return list(dict.fromkeys(found))

    def read(self) -> Collection:
        """
        Raises:
            DataError: there is no such data set, a file of it is not in the cache, or it lacks documents, queries or
                judgements.
        """
        damage, ids = Damage(), self._ids()
        documents, queries = Documents(), ById[Query]("query")
        with _offline(ids[0][1]):
            for row, one in _items(ids[0][1], "docs"):
                with damage.row():
                    id_ = row.id("doc_id")
                    documents.add(id_, _document(id_, one, row), row)
        splits: dict[str, list[str]] = {}
        run: dict[str, dict[str, float]] = {}
        judgements = Judgements(queries, documents)
        for split, name in ids:
            with _offline(name):
                for row, one in _items(name, "queries"):
                    with damage.row():
                        text = Row(row.file, row.at, {"text": one.default_text()}).text("text")
                        if (known := queries.get(row.id("query_id"))) is None or known.text != text:
                            queries.add(row.id("query_id"), Query(row.id("query_id"), text), row)
                judged: dict[str, None] = {}
                for row, _ in _items(name, "qrels"):
                    with damage.row():
                        query_id = judgements.add(row, "query_id", "doc_id", row.integer("relevance"))
                        if query_id is not None:
                            judged[query_id] = None
                splits[split or ""] = list(judged)
                for row, _ in _items(name, "scoreddocs") if self._options.run else ():
                    with damage.row():
                        query_id = row.reference("query_id", queries, "query")
                        document_id = row.reference("doc_id", documents, "document")
                        run.setdefault(query_id, {})[document_id] = row.number("score")
        told = damage.told()
        asked = judgements.asked()
        return Collection(
            documents,
            asked,
            judgements.qrels,
            {split: found for split, found in splits.items() if split},
            run={query_id: scores for query_id, scores in run.items() if query_id in asked},
            notes=(*told, *judgements.notes),
        )

    def _ids(self) -> list[tuple[Split | None, str]]:
        given = self._options.dataset
        return [(None, given)] if isinstance(given, str) else list(given.items())


def _document(id_: str, one: Any, row: Row) -> Document:
    text = next((row.string(name) for name in TEXTS if isinstance(row.fields.get(name), str)), None)
    title = row.string("title") if isinstance(row.fields.get("title"), str) else ""
    return Document(id_, one.default_text(), "") if text is None else Document(id_, text, title)


def _items(id_: str, kind: str) -> Iterator[tuple[Row, Any]]:
    """Each with its fields as a row."""
    part = _loaded(id_)
    if not getattr(part, f"has_{kind}")():
        raise DataError(f"ir_datasets {id_!r} has no {kind}; name a part that has, such as {id_}/test")
    for number, one in enumerate(getattr(part, f"{kind}_iter")(), 1):
        yield Row(Path(f"ir_datasets {id_}"), f"{kind} {number}", one._asdict()), one


def _loaded(id_: str) -> Any:
    import ir_datasets

    try:
        return ir_datasets.load(id_)
    except KeyError as error:
        raise DataError(f"ir_datasets has no data set {id_!r}; `ir_datasets list` names them") from error


def _path_of(part: Any, name: str) -> list[Path]:
    try:
        path = Path(str(getattr(part, name)(force=False)))
    except (AttributeError, TypeError, NotImplementedError, RuntimeError):  # no such method, or no file: `read` tells
        return []
    return [path] if path.is_file() else []


@contextmanager
def _offline(id_: str) -> Iterator[None]:
    """Nothing is fetched in this block; what the library would fetch, or cannot read, is a DataError.

    Raises:
        DataError: likewise.
    """
    import ir_datasets
    from ir_datasets import log
    from ir_datasets.util import download

    fetching = (download.RequestsDownload, download.GoogleDriveDownload, download.GoogleCloudBucketStream)
    kept = [one.stream for one in fetching]
    logger = log.easy().logger()  # which would warn of each file that is refused
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    for one in fetching:
        one.stream = _refused
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # of any kind: each of its data sets has code of its own
        known = ABSENT in str(error)
        problem = ABSENT if known else " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise DataError(
            f"ir_datasets {id_!r}: {problem} ({ir_datasets.util.home_path()}); where there is a network, run: "
            f"ir_datasets export {id_} docs > /dev/null (and queries, and qrels)"
        ) from error
    finally:
        logger.setLevel(level)
        for one, stream in zip(fetching, kept, strict=True):
            one.stream = stream


def _refused(self: object) -> NoReturn:
    raise RuntimeError(ABSENT)
