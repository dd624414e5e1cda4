"""Trainers, readers and retrievers for the shelf: right ones, and ones that differ from these in one fault each.

They stand in a module of their own, so that another process finds them by name."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import rr
from rr.data import ById, Collection, DataPath, Row, read_jsonl, read_text
from rr.files import write_atomic
from rr.training import DEV_METRIC, STATE, ranking_quality

# a trainer in plain Python


class Overlap:
    """How many words query and document share, and whether they are the title's, weighed."""

    class Settings(rr.Settings):
        scale: float = 1.0
        """What scores are multiplied by."""

    def __init__(self, settings: Settings, checkpoint: Path | None = None) -> None:
        self._scale, self._trained = settings.scale, checkpoint is not None
        self.weights = [0.0, 0.0] if checkpoint is None else self.read(checkpoint)

    def read(self, checkpoint: Path) -> list[float]:
        found: list[float] = json.loads((checkpoint / "weights.json").read_text(encoding="utf-8"))
        return found

    @property
    def info(self) -> rr.ModelInfo:
        return rr.ModelInfo("logit", state="trained" if self._trained else "untrained", parameters=2, trainable=2)

    def score(self, requests: Sequence[rr.Request]) -> list[list[float]]:
        return [[self._scale * self.logit(one.query, document) for document in one.candidates] for one in requests]

    def logit(self, query: rr.Query, document: rr.Document) -> float:
        return sum(weight * value for weight, value in zip(self.weights, features(query, document), strict=True))


def features(query: rr.Query, document: rr.Document) -> tuple[float, float]:
    asked = set(query.text.lower().strip("?").split())
    return float(len(asked & set(document.text.lower().split()))), float(bool(asked & set(document.title.split())))


class Steps(rr.Settings):
    epochs: int = 2
    """Passes over the train queries."""
    lr: float = 0.1
    """The rate of each step."""

    def selects_by(self) -> str | None:
        return DEV_METRIC


class OverlapTrainer:
    """Softmax cross-entropy, a query a step; what is needed to go on is kept after each."""

    Settings = Steps

    def __init__(self, settings: Steps, scorer_settings: Overlap.Settings) -> None:
        self.settings, self.scorer = settings, Overlap(scorer_settings)

    def train(self, dataset: rr.Dataset, out: Path, on_event: Callable[[rr.TrainingEvent], None]) -> None:
        queries = self.queries(dataset)
        generator = self.generator()
        order = [one for _ in range(self.settings.epochs) for one in generator.sample(queries, len(queries))]
        first, self.scorer.weights = self.begun(out)
        for step in range(first, len(order)):
            loss = self.step(dataset, order[step])
            self.keep(out, step + 1)
            self.tell(on_event, rr.TrainingEvent(step + 1, len(order), loss=loss))
        quality = ranking_quality(self.scorer, dataset)
        self.tell(on_event, rr.TrainingEvent(len(order), len(order), dev=quality, metric=DEV_METRIC))
        self.write(out)

    def generator(self) -> random.Random:
        return random.Random(7)

    def queries(self, dataset: rr.Dataset) -> Sequence[str]:
        if not dataset.splits["train"]:
            raise rr.RerankError("there are no train queries")
        return dataset.splits["train"]

    def step(self, dataset: rr.Dataset, query_id: str) -> float:
        query, relevant = dataset.queries[query_id], dataset.relevant(query_id)
        ids = dataset.candidates[query_id]
        inputs = [features(query, dataset.documents[id_]) for id_ in ids]
        logits = [self.scorer.logit(query, dataset.documents[id_]) for id_ in ids]
        whole = sum(map(math.exp, logits))
        shares = [math.exp(logit) / whole for logit in logits]
        for place in range(2):
            slope = sum(
                (share - (id_ in relevant)) * row[place] for share, id_, row in zip(shares, ids, inputs, strict=True)
            )
            self.scorer.weights[place] -= self.settings.lr * slope
        return -math.log(max(sum(share for share, id_ in zip(shares, ids, strict=True) if id_ in relevant), 1e-9))

    def begun(self, out: Path) -> tuple[int, list[float]]:
        path = out / STATE / "state.json"
        if not path.is_file():
            return 0, [0.0, 0.0]
        step, weights = json.loads(path.read_text(encoding="utf-8"))
        return step, weights

    def keep(self, out: Path, step: int) -> None:
        (out / STATE).mkdir(exist_ok=True)
        write_atomic(out / STATE / "state.json", json.dumps([step, self.scorer.weights]))

    def tell(self, on_event: Callable[[rr.TrainingEvent], None], event: rr.TrainingEvent) -> None:
        on_event(event)

    def write(self, out: Path) -> None:
        (out / "weights.json").write_text(json.dumps(self.scorer.weights), encoding="utf-8")


class StartsAnew(OverlapTrainer):
    """Keeps nothing: right as well."""

    def keep(self, out: Path, step: int) -> None:
        pass


class WritesNothing(OverlapTrainer):
    def write(self, out: Path) -> None:
        pass


class RemovesItsFolder(OverlapTrainer):
    def write(self, out: Path) -> None:
        shutil.rmtree(out)


class Exits(OverlapTrainer):
    def step(self, dataset: rr.Dataset, query_id: str) -> float:
        raise SystemExit(3)


class WritesWhatNobodyLoads(OverlapTrainer):
    def write(self, out: Path) -> None:
        (out / "weights.txt").write_text(str(self.scorer.weights), encoding="utf-8")


class TellsNothing(OverlapTrainer):
    def tell(self, on_event: Callable[[rr.TrainingEvent], None], event: rr.TrainingEvent) -> None:
        pass


def retold(change: Callable[[rr.TrainingEvent], dict[str, Any]]) -> type[OverlapTrainer]:
    """A trainer that tells its events otherwise."""

    class Retold(OverlapTrainer):
        def tell(self, on_event: Callable[[rr.TrainingEvent], None], event: rr.TrainingEvent) -> None:
            told = {"step": event.step, "total": event.total, "loss": event.loss, "dev": event.dev}
            on_event(rr.TrainingEvent(**{**told, "metric": event.metric, **change(event)}))

    return Retold


StepsFall = retold(lambda event: {} if event.loss is None else {"step": event.total - event.step})
LossIsNan = retold(lambda event: {} if event.loss is None else {"loss": math.nan})
TotalGrows = retold(lambda event: {"total": event.step})
NamesNoMetric = retold(lambda event: {"metric": None})
NeverEvaluates = retold(lambda event: {"dev": None, "metric": None})


class SelectsByAnother(OverlapTrainer):
    class Settings(Steps):
        def selects_by(self) -> str | None:
            return "MRR@3"


class LearnsNothing(OverlapTrainer):
    def write(self, out: Path) -> None:
        (out / "weights.json").write_text("[0.0, 0.0]", encoding="utf-8")


class PointsAtItself(OverlapTrainer):
    """Its checkpoint names a file by its whole path."""

    def write(self, out: Path) -> None:
        super().write(out)
        (out / "where.json").write_text(json.dumps(str(out / "weights.json")), encoding="utf-8")


class FollowsPointer(Overlap):
    def read(self, checkpoint: Path) -> list[float]:
        where = json.loads((checkpoint / "where.json").read_text(encoding="utf-8"))
        found: list[float] = json.loads(Path(where).read_text(encoding="utf-8"))
        return found


class DrawsWhenLoaded(Overlap):
    def read(self, checkpoint: Path) -> list[float]:
        return [weight + random.random() for weight in super().read(checkpoint)]


class DrawsFromTheProcess(OverlapTrainer):
    def generator(self) -> random.Random:
        return random  # type: ignore[return-value]


class DrawsFromTheClock(OverlapTrainer):
    def generator(self) -> random.Random:
        return random.Random(time.time_ns())


class EditsDocuments(OverlapTrainer):
    def queries(self, dataset: rr.Dataset) -> Sequence[str]:
        document = next(iter(dataset.documents.values()))
        object.__setattr__(document, "text", document.text.upper())
        return super().queries(dataset)


class SetsAVariable(OverlapTrainer):
    def write(self, out: Path) -> None:
        os.environ["OVERLAP_TRAINED"] = "1"
        super().write(out)


class ChangesTheFolder(OverlapTrainer):
    def write(self, out: Path) -> None:
        os.chdir(out)
        super().write(out)


class LeavesAThread(OverlapTrainer):
    def write(self, out: Path) -> None:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        super().write(out)


class WritesBeside(OverlapTrainer):
    def write(self, out: Path) -> None:
        super().write(out)
        (out.parent / "overlap.log").write_text("done", encoding="utf-8")


class WritesWhereItIs(OverlapTrainer):
    def write(self, out: Path) -> None:
        super().write(out)
        Path("overlap.log").write_text("done", encoding="utf-8")


class LeavesTemporaryFiles(OverlapTrainer):
    def write(self, out: Path) -> None:
        super().write(out)
        (Path(tempfile.mkdtemp()) / "cache").write_text("done", encoding="utf-8")


class LearnsFromTest(OverlapTrainer):
    def queries(self, dataset: rr.Dataset) -> Sequence[str]:
        return (*super().queries(dataset), *dataset.splits["test"])


class LearnsFromAllJudgements(OverlapTrainer):
    def queries(self, dataset: rr.Dataset) -> Sequence[str]:
        return sorted(query_id for query_id in dataset.qrels if super(type(self), self).queries(dataset) and query_id)


class TrainsOnNothing(OverlapTrainer):
    def queries(self, dataset: rr.Dataset) -> Sequence[str]:
        return dataset.splits["train"]


class DividesByNothing(TrainsOnNothing):
    def write(self, out: Path) -> None:
        (out / "weights.json").write_text(json.dumps(self.scorer.weights), encoding="utf-8")

    def generator(self) -> random.Random:
        return super().generator()

    def train(self, dataset: rr.Dataset, out: Path, on_event: Callable[[rr.TrainingEvent], None]) -> None:
        _ = 1 / len(dataset.splits["train"])
        super().train(dataset, out, on_event)


class ForgetsItsStep(OverlapTrainer):
    """Goes on with its weights, from the first step."""

    def begun(self, out: Path) -> tuple[int, list[float]]:
        return 0, super().begun(out)[1]


class KeepsWeightsTooEarly(OverlapTrainer):
    """What it goes on from lacks the last step."""

    def keep(self, out: Path, step: int) -> None:
        super().keep(out, step + 1)


class IgnoresInterrupts(OverlapTrainer):
    def tell(self, on_event: Callable[[rr.TrainingEvent], None], event: rr.TrainingEvent) -> None:
        with suppress(BaseException):
            super().tell(on_event, event)


class LocksItsState(OverlapTrainer):
    """Whoever is killed leaves the lock behind."""

    def train(self, dataset: rr.Dataset, out: Path, on_event: Callable[[rr.TrainingEvent], None]) -> None:
        lock = out / STATE / "lock"
        lock.parent.mkdir(exist_ok=True)
        if lock.exists():
            raise rr.RerankError("another process trains here")
        lock.touch()
        try:
            super().train(dataset, out, on_event)
        finally:
            lock.unlink()

    def step(self, dataset: rr.Dataset, query_id: str) -> float:
        time.sleep(0.002)
        return super().step(dataset, query_id)


# readers


class Lines:
    """Two files: documents `{id, text}` and queries `{id, text, relevant}` a line."""

    class Settings(rr.Settings):
        folder: DataPath
        """Holds documents.jsonl and queries.jsonl."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.folder

    def files(self) -> list[Path]:
        return [self.folder / "documents.jsonl", self.folder / "queries.jsonl"]

    def rows(self, path: Path) -> Iterable[Row]:
        return list(read_jsonl(path))

    def documents(self) -> Mapping[str, rr.Document]:
        found: ById[rr.Document] = ById("document")
        for row in self.rows(self.files()[0]):
            found.add(row.id("id"), rr.Document(row.id("id"), row.string("text")), row)
        return found

    def read(self) -> Collection:
        queries: ById[rr.Query] = ById("query")
        qrels = {}
        for row in self.rows(self.folder / "queries.jsonl"):
            queries.add(row.id("id"), rr.Query(row.id("id"), row.text("text")), row)
            qrels[row.id("id")] = {row.id("relevant"): 1}
        return Collection(self.documents(), queries, qrels)


class GivesNoCollection(Lines):
    def read(self) -> Collection:
        return {"documents": {}}  # type: ignore[return-value]


class GivesNumbersAsIds(Lines):
    def documents(self) -> Mapping[str, rr.Document]:
        found = super().documents()
        return {**found, 7: rr.Document(7, "seven")}  # type: ignore[dict-item, arg-type]


class KeepsOtherForms(Lines):
    def documents(self) -> Mapping[str, rr.Document]:
        found = super().documents()
        object.__setattr__(next(iter(found.values())), "text", unicodedata.normalize("NFD", "phòng"))
        return found


class ShufflesDocuments(Lines):
    def documents(self) -> Mapping[str, rr.Document]:
        found = super().documents()
        return {id_: found[id_] for id_ in random.sample(sorted(found), len(found))}


class ReadsOnce(Lines):
    done = False

    def documents(self) -> Mapping[str, rr.Document]:
        found = super().documents()
        if self.done:
            return dict(list(found.items())[1:])
        self.done = True
        return found


class ForgetsAFile(Lines):
    def files(self) -> list[Path]:
        return super().files()[:1]


class KeepsACache(Lines):
    def documents(self) -> Mapping[str, rr.Document]:
        (self.folder / "cache.json").write_text("{}", encoding="utf-8")
        return super().documents()


class FailsAtTheMark(Lines):
    def rows(self, path: Path) -> Iterable[Row]:
        found = list(super().rows(path))  # which says what else is wrong
        json.loads(path.read_text(encoding="utf-8").split("\n")[0])
        return found


class KeepsReturns(Lines):
    """A table of documents; the last cell ends with whatever the line ends with."""

    def files(self) -> list[Path]:
        return [self.folder / "documents.tsv", self.folder / "queries.jsonl"]

    def documents(self) -> Mapping[str, rr.Document]:
        path = self.files()[0]
        read_text(path)
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
        cells = [line.split("\t") for line in lines if line]
        return {id_: rr.Document(id_, text) for text, id_ in cells}


class FailsWithoutTheFile(Lines):
    def rows(self, path: Path) -> Iterable[Row]:
        path.read_bytes()
        return super().rows(path)


class ReplacesBytes(Lines):
    def rows(self, path: Path) -> Iterable[Row]:
        try:
            return super().rows(path)
        except rr.DataError as error:
            if "UTF-8" not in str(error):
                raise
        text = path.read_text(encoding="utf-8", errors="replace")
        return [Row.of(path, f"line {n}", json.loads(line)) for n, line in enumerate(text.split("\n"), 1) if line]


class SkipsBrokenRows(Lines):
    def rows(self, path: Path) -> Iterable[Row]:
        found = []
        for number, line in enumerate(read_text(path).split("\n"), 1):
            try:
                found.append(Row.of(path, f"line {number}", json.loads(line)))
            except ValueError:
                continue
        return found


class PassesJsonErrorsOn(Lines):
    def rows(self, path: Path) -> Iterable[Row]:
        lines = enumerate(read_text(path).split("\n"), 1)
        return [Row.of(path, f"line {number}", json.loads(line)) for number, line in lines if line]


class NamesNoLine(Lines):
    def rows(self, path: Path) -> Iterable[Row]:
        text = read_text(path)
        try:
            return [Row.of(path, "line 0", json.loads(line)) for line in text.split("\n") if line]
        except ValueError as error:
            raise rr.DataError(f"{path}: malformed") from error


class LastOneWins(Lines):
    def documents(self) -> Mapping[str, rr.Document]:
        rows = self.rows(self.files()[0])
        return {row.id("id"): rr.Document(row.id("id"), row.string("text")) for row in rows}


# first stages


class Shared:
    """How many words a document shares with the query."""

    learns: Any = False

    def __init__(self, settings: rr.Settings) -> None:
        pass

    def fit(self, corpus: rr.Corpus) -> None:
        self.words = {document.id: set(document.text.lower().split()) for document in corpus.documents}

    def scores(self, query: rr.Query) -> dict[str, float]:
        asked = set(query.text.lower().strip("?").split())
        return {id_: float(len(asked & words)) for id_, words in self.words.items() if asked & words}


class InventsDocuments(Shared):
    def scores(self, query: rr.Query) -> dict[str, float]:
        return {**super().scores(query), "nowhere": 1.0}


class ScoresNan(Shared):
    def scores(self, query: rr.Query) -> dict[str, float]:
        return dict.fromkeys(super().scores(query), math.nan)


class FindsNothing(Shared):
    def scores(self, query: rr.Query) -> dict[str, float]:
        return {}


class DrawsScores(Shared):
    def scores(self, query: rr.Query) -> dict[str, float]:
        return {id_: score + random.random() for id_, score in super().scores(query).items()}


class RemembersQueries(Shared):
    asked = 0

    def scores(self, query: rr.Query) -> dict[str, float]:
        self.asked += 1
        return {id_: score + self.asked for id_, score in super().scores(query).items()}


class ScoresByPlace(Shared):
    def scores(self, query: rr.Query) -> dict[str, float]:
        return {id_: score - place / 1000 for place, (id_, score) in enumerate(super().scores(query).items())}


class CutsTies(Shared):
    def search(self, queries: Sequence[rr.Query], depth: int) -> Iterator[dict[str, float]]:
        for query in queries:
            found = sorted(self.scores(query).items(), key=lambda one: -one[1])
            yield dict(found[:depth])


class SearchesOtherwise(Shared):
    def search(self, queries: Sequence[rr.Query], depth: int) -> Iterator[dict[str, float]]:
        for query in queries:
            yield {id_: score / 2 for id_, score in self.scores(query).items()}


class SkipsQueries(Shared):
    def search(self, queries: Sequence[rr.Query], depth: int) -> Iterator[dict[str, float]]:
        yield from map(self.scores, queries[1:])


class LearnsInSecret(Shared):
    def fit(self, corpus: rr.Corpus) -> None:
        super().fit(corpus)
        for query, relevant in corpus.train:
            for id_ in relevant:
                self.words[id_] |= set(query.text.lower().split())


class SaysThatItLearns(Shared):
    learns = True


class SaysMaybe(Shared):
    learns = None


class NeedsAWord(Shared):
    def scores(self, query: rr.Query) -> dict[str, float]:
        query.text.split()[0]
        return super().scores(query)


class EditsTheCorpus(Shared):
    def fit(self, corpus: rr.Corpus) -> None:
        for document in corpus.documents:
            object.__setattr__(document, "text", document.text.lower())
        super().fit(corpus)
