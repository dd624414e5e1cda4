"""Scorers and rerankers for the shelf of the conformance kit. A wrong one is right but for the fault that its docstring
names, and `caught` is the check that is meant for it."""

from __future__ import annotations

import logging
import math
import os
import random
import sys
import tempfile
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

import rr
from rr import Document, ModelInfo, Query, RankedDocument, Ranking, Request, Scores

WRONG: list[type[Any]] = []
RIGHT: list[type[Any]] = []


def words(text: str) -> list[str]:
    return text.lower().replace("?", " ").replace(".", " ").replace(",", " ").split()


class Overlap:
    """How many words of a document the query has, a share of them."""

    caught: ClassVar[str] = ""
    Settings: ClassVar[type[rr.Settings]] = rr.Settings
    info = ModelInfo("logit")

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        pass

    def __init_subclass__(cls) -> None:
        (WRONG if cls.caught else RIGHT).append(cls)

    def score(self, requests: Sequence[Request]) -> Any:
        return [self.one(request) for request in requests]

    def one(self, request: Request) -> Any:
        return [self.number(request.query, document) for document in request.candidates]

    def number(self, query: Query, document: Document) -> float:
        return self.share(words(query.text), words(document.content))

    def share(self, asked: list[str], found: list[str]) -> float:
        return sum(word in found for word in asked) / (1 + len(found))


class Ranks:
    """The same as a reranker of its own."""

    caught: ClassVar[str] = ""
    info = ModelInfo("logit")

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self._scorer = Overlap(settings)

    def __init_subclass__(cls) -> None:
        (WRONG if cls.caught else RIGHT).append(cls)

    def rerank(self, requests: Sequence[Request]) -> Any:
        return [self.one(request) for request in requests]

    def one(self, request: Request) -> Any:
        return Ranking.from_scores(request, self._scorer.one(request))


# right ones


class Pointwise(Overlap):
    """One document at a time, from any number of threads."""

    thread_safe = True


class OwnRanking(Ranks):
    """A reranker of its own."""


class Listwise(Overlap):
    """Probabilities among at most 5 candidates, of which the first is liked."""

    info = ModelInfo("probability", listwise=True, max_candidates=5)

    def one(self, request: Request) -> Scores:
        logits = np.array(super().one(request)) * 5
        logits[0] += 0.2
        shares = np.exp(logits - logits.max())
        return Scores(tuple(shares / shares.sum()), {"largest": float(logits.max())}, tuple(logits))


class PairsAtMost(Overlap):
    """Takes no more than two candidates at once."""

    info = ModelInfo("rank", max_candidates=2)


class StartsAtZero(Overlap):
    """Gives everyone 0 before it is trained, and says so."""

    info = ModelInfo("logit", state="untrained", parameters=10, trainable=10, notes=("zero head",))

    def number(self, query: Query, document: Document) -> float:
        return 0.0


class Saturates(Overlap):
    """Probabilities that are all 1 in 32 bits, ranked by their logits."""

    info = ModelInfo("probability")

    def one(self, request: Request) -> Scores:
        logits = [40 + value for value in super().one(request)]
        return Scores(tuple(1 / (1 + math.exp(-logit)) for logit in logits), ranked_by=tuple(logits))


class RemembersTexts(Overlap):
    """Keeps what it computed of a text, which is no leak."""

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self._kept: dict[str, list[str]] = {}

    def number(self, query: Query, document: Document) -> float:
        if document.content not in self._kept:
            self._kept[document.content] = words(document.content)
        return self.share(words(query.text), self._kept[document.content])


class Half(Overlap):
    """Computes in half precision, and says so: company changes it by rounding."""

    info = ModelInfo("logit", precision="float16")

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        noise = 1 + 1e-3 * (len(requests) % 2)
        return [[float(np.float16(value * noise)) for value in self.one(request)] for request in requests]


class Network(torch.nn.Module):
    """Two layers with a dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.first, self.drop = torch.nn.Parameter(torch.randn(16, 8, generator=generator)), torch.nn.Dropout(0.5)
        self.second = torch.nn.Parameter(torch.randn(8, 1, generator=generator))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.drop(torch.tanh(rows @ self.first)) @ self.second


class OfTorch(Overlap):
    """A network in eval mode, over counts of letters."""

    info = ModelInfo("logit", state="untrained", parameters=136, trainable=136)

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self.network = Network().eval()

    @torch.inference_mode()
    def one(self, request: Request) -> list[float]:
        rows = torch.zeros(len(request.candidates), 16)
        for row, document in zip(rows, request.candidates, strict=True):
            for word in words(document.content)[:50]:
                row[len(word) % 16] += 1
        return self.network(rows)[:, 0].tolist()  # type: ignore[no-any-return]


# it does not load


class RaisesAtLoad(Overlap):
    """Wants a setting that it does not name."""

    caught = "loads"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self._model = settings.model  # type: ignore[attr-defined]


class InfoIsAMapping(Overlap):
    """Its info is a dictionary."""

    caught = "loads"
    info = {"scale": "logit"}  # type: ignore[assignment]  # noqa: RUF012


class InventsAScale(Overlap):
    """Its scale is none of the four."""

    caught = "loads"
    info = ModelInfo("percent")  # type: ignore[arg-type]


# not one answer a candidate, or a request


class DropsTheLast(Overlap):
    """Forgets the last candidate."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        return super().one(request)[:-1]


class AddsOne(Overlap):
    """Scores the query too."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        return [*super().one(request), 1.0]


class SqueezesOne(Overlap):
    """Breaks at one candidate: a squeezed array has no length then."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        return list(np.array([super().one(request)]).squeeze())


class TwentyAtMost(Overlap):
    """Breaks at 21 candidates, and says that any number fits."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        slots = [0.0] * 20
        for place, value in enumerate(super().one(request)):
            slots[place] = value
        return slots[: len(request.candidates)]


class TwelveOfThirteen(TwentyAtMost):
    """Says that 13 fit, and cuts to 12."""

    caught = "each-candidate-once"
    info = ModelInfo("logit", max_candidates=13)

    def one(self, request: Request) -> Any:
        return super().one(request)[:12]


class TopTen(Ranks):
    """Ranks the ten best, and leaves out the others."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        ranking = super().one(request)
        return replace(ranking, items=ranking.items[:10])


class LosesTies(Ranks):
    """Keeps documents by their score: of equal ones the last."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        ranking = super().one(request)
        return replace(ranking, items=tuple({item.score: item for item in ranking.items}.values()))


class NeedsABest(Ranks):
    """Breaks where there is nobody to rank."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        assert max(self._scorer.one(request)) >= 0
        return super().one(request)


class RanksTheFirstTwice(Ranks):
    """The best one stands in the ranking twice."""

    caught = "each-candidate-once"

    def one(self, request: Request) -> Any:
        ranking = super().one(request)
        return replace(ranking, items=(*ranking.items[:1], *ranking.items))


class NeedsARequest(Ranks):
    """Breaks where nobody asks."""

    caught = "no-request"

    def rerank(self, requests: Sequence[Request]) -> Any:
        assert len({len(request.candidates) for request in requests}) > 0
        return super().rerank(requests)


class SortsByLength(Overlap):
    """Batches requests by their length, and does not put the answers back."""

    caught = "requests-in-order"

    def score(self, requests: Sequence[Request]) -> Any:
        return super().score(sorted(requests, key=lambda request: len(request.candidates)))


class OneAnswerForAll(Overlap):
    """Gives the answers to all requests as one flat list, where there are several."""

    caught = "requests-in-order"

    def score(self, requests: Sequence[Request]) -> Any:
        found = super().score(requests)
        return found if len(found) == 1 else [[value for values in found for value in values]]


# it changes what it is shown


class EmptiesTheList(Overlap):
    """Takes the requests out of the list, one after the other."""

    caught = "inputs-unchanged"

    def score(self, requests: Sequence[Request]) -> Any:
        waiting: list[Request] = requests  # type: ignore[assignment]
        return [self.one(waiting.pop(0)) for _ in range(len(waiting))]


class LowersTexts(Overlap):
    """Writes the lowered text into the document."""

    caught = "inputs-unchanged"

    def number(self, query: Query, document: Document) -> float:
        object.__setattr__(document, "text", document.text.lower())
        return super().number(query, document)


class NotesThePrice(Overlap):
    """Writes into the metadata, past its being read-only."""

    caught = "inputs-unchanged"

    def number(self, query: Query, document: Document) -> float:
        found = super().number(query, document)
        dict.__setitem__(document.metadata, "score", found)  # type: ignore[index]
        return found


# no numbers that can be ranked


class DividesByNothing(Overlap):
    """NaN where no word is shared: 0 / 0."""

    caught = "finite-scores"

    def number(self, query: Query, document: Document) -> float:
        return super().number(query, document) or math.nan


class LogOfNothing(Overlap):
    """Minus infinity where no word is shared: the logarithm of 0."""

    caught = "finite-scores"

    def number(self, query: Query, document: Document) -> float:
        found = super().number(query, document)
        return math.log(found) if found else -math.inf


class AsText(Overlap):
    """Gives what a language model wrote, unread."""

    caught = "finite-scores"

    def one(self, request: Request) -> Any:
        return [f"{value:.2f}" for value in super().one(request)]


class WorstFirst(Ranks):
    """Sorts by a distance's rule: the lowest score is first."""

    caught = "best-first"

    def one(self, request: Request) -> Any:
        items = super().one(request).items[::-1]
        return Ranking(request.query, tuple(replace(item, rank=rank) for rank, item in enumerate(items, 1)))


class RanksFromZero(Ranks):
    """The best one has the rank 0."""

    caught = "best-first"

    def one(self, request: Request) -> Any:
        ranking = super().one(request)
        return replace(ranking, items=tuple(replace(item, rank=item.rank - 1) for item in ranking.items))


class RankedByTheOpposite(Overlap):
    """Ranked by a loss, which is low where the score is high."""

    caught = "best-first"

    def one(self, request: Request) -> Any:
        found = super().one(request)
        return Scores(tuple(found), ranked_by=tuple(-value for value in found))


class LogitsAsProbabilities(Overlap):
    """Says probability, and forgot the sigmoid."""

    caught = "declared-scale"
    info = ModelInfo("probability")

    def number(self, query: Query, document: Document) -> float:
        return 12 * super().number(query, document) - 1.5


class NotNormalised(Overlap):
    """Says cosine, and forgot to divide by the lengths."""

    caught = "declared-scale"
    info = ModelInfo("cosine")

    def number(self, query: Query, document: Document) -> float:
        return 30 * super().number(query, document)


class Constant(Overlap):
    """Gives everyone one half, and says that it is pretrained."""

    caught = "not-constant"
    info = ModelInfo("probability", state="pretrained", parameters=10)

    def number(self, query: Query, document: Document) -> float:
        return 0.5


class OneAtATime(Overlap):
    """Says that one candidate fits, and means that it looks at one at a time."""

    caught = "more-than-fit"
    info = ModelInfo("logit", max_candidates=1)


class FullOnce(Overlap):
    """Has room for so many candidates in one call, not in each request."""

    caught = "more-than-fit"
    info = ModelInfo("logit", max_candidates=9)

    def score(self, requests: Sequence[Request]) -> Any:
        found = super().score(requests)
        # a buffer of the first call's size, where the list's front comes last
        if len(found) == 1 and len(found[0]) == 9 and "d7" in {one.id for one in requests[0].candidates}:
            found[0].pop()
        return found


class SaysTrained(Overlap):
    """Says that it is trained, and was given no checkpoint."""

    caught = "honest-state"
    info = ModelInfo("logit", state="trained", parameters=10)


class SaysNoWeights(Overlap):
    """Says that it has no weights, and counts them."""

    caught = "honest-state"
    info = ModelInfo("logit", parameters=10)


# a text that it cannot bear


class PerCharacter(Overlap):
    """Divides by the number of characters."""

    caught = "empty-text"

    def number(self, query: Query, document: Document) -> float:
        return super().number(query, document) / len(document.content) * len(query.text) / len(query.text)


class NotANumberOnBlanks(Overlap):
    """NaN where there are characters and no words."""

    caught = "blank-text"

    def number(self, query: Query, document: Document) -> float:
        if document.content and not words(document.content):
            return math.nan
        return super().number(query, document)


class FirstLetter(Overlap):
    """Looks at the first letter of a query that is not empty."""

    caught = "blank-text"

    def number(self, query: Query, document: Document) -> float:
        return super().number(query, document) + (0.1 if query.text and query.text.strip()[0] == "W" else 0.0)


class ByText(Overlap):
    """Keeps the scores by the text, and gives one for each text."""

    caught = "duplicate-texts"

    def one(self, request: Request) -> Any:
        return list({one.content: self.number(request.query, one) for one in request.candidates}.values())


class RefusesLongTexts(Overlap):
    """Refuses a document of more than 512 words, where others cut it."""

    caught = "long-text"

    def share(self, asked: list[str], found: list[str]) -> float:
        if len(found) > 512:
            raise ValueError("the document has more than 512 words")
        return super().share(asked, found)


class WordByWord(Overlap):
    """Calls itself once a word."""

    caught = "long-text"

    def share(self, asked: list[str], found: list[str]) -> float:
        return super().share(asked, found) + 0 * self.count(found[:3000])

    def count(self, found: list[str]) -> int:
        return 1 + self.count(found[1:]) if found else 0


class RefusesHalfAMegabyte(Overlap):
    """Has room for half a MiB of text."""

    caught = "huge-text"

    def number(self, query: Query, document: Document) -> float:
        buffer = memoryview(bytearray(512 * 1024))
        content = document.content.encode()
        buffer[: len(content)] = content
        return super().number(query, document)


class OnlyAscii(Overlap):
    """Encodes what it reads as ASCII."""

    caught = "other-scripts"

    def number(self, query: Query, document: Document) -> float:
        return self.share(words(query.text), words(document.content.encode("ascii").decode()))


class SixteenBits(Overlap):
    """Looks characters up in a table of 65,536."""

    caught = "other-scripts"
    TABLE = np.ones(65_536)

    def number(self, query: Query, document: Document) -> float:
        known = self.TABLE[[ord(character) for character in document.content[:100]]] if document.content else 0
        return super().number(query, document) * float(np.mean(known))


class StripsMarks(Overlap):
    """Takes the marks off, and then the first letter of what is left."""

    caught = "combining-marks"

    def number(self, query: Query, document: Document) -> float:
        apart = unicodedata.normalize("NFD", document.content)
        plain = "".join(one for one in apart if not unicodedata.combining(one))
        return super().number(query, document) + (0.01 * (plain[0] == "A") if apart.strip() else 0.0)


class LeftToRight(Overlap):
    """Refuses what is written from right to left."""

    caught = "right-to-left"

    def number(self, query: Query, document: Document) -> float:
        if any(unicodedata.bidirectional(one) in ("R", "AL") for one in document.content[:100]):
            raise ValueError("unsupported script")
        return super().number(query, document)


class JoinedByNul(Overlap):
    """Sends all texts as one, with NUL between them."""

    caught = "control-characters"

    def one(self, request: Request) -> Any:
        texts = "\0".join(document.content for document in request.candidates).split("\0")
        return [self.share(words(request.query.text), words(text)) for text in texts]


# a score that depends on what it should not


class StillTraining(OfTorch):
    """Its model was never put into eval mode."""

    caught = "eval-mode"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self.network = Network()


class ByChance(Overlap):
    """Draws a little noise anew each time."""

    caught = "same-twice"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self._generator = random.Random(1)

    def number(self, query: Query, document: Document) -> float:
        return super().number(query, document) + self._generator.random()


class CountsQueries(Overlap):
    """The more queries it was asked, the lower its scores are."""

    caught = "earlier-calls"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self._seen: set[str] = set()

    def number(self, query: Query, document: Document) -> float:
        self._seen.add(query.id)
        return super().number(query, document) / len(self._seen)


class RandomHead(Overlap):
    """Its head is drawn without a seed."""

    caught = "two-loads"
    info = ModelInfo("logit", state="untrained", parameters=1, trainable=1)

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self._weight = random.SystemRandom().random()

    def number(self, query: Query, document: Document) -> float:
        return super().number(query, document) * self._weight


class OverTheBatch(Overlap):
    """Divides by the largest score of all that is asked together."""

    caught = "company"

    def score(self, requests: Sequence[Request]) -> Any:
        found = super().score(requests)
        largest = max(value for values in found for value in values) or 1.0
        return [[value / largest for value in values] for values in found]


class FirstOfTheBatch(Ranks):
    """Its prompt's examples are those of the first request."""

    caught = "company"

    def rerank(self, requests: Sequence[Request]) -> Any:
        base = len(requests[0].candidates) if requests else 0
        return [Ranking.from_scores(one, [base * value for value in self._scorer.one(one)]) for one in requests]


class PadsUnmasked(Overlap):
    """Fills texts up to a multiple of 64 words of the longest that is asked with it, and counts what fills."""

    caught = "padding"

    def score(self, requests: Sequence[Request]) -> Any:
        lengths = [len(words(document.content)) for request in requests for document in request.candidates]
        blocks = 1 + max(lengths, default=0) // 64
        return [[value / blocks for value in self.one(request)] for request in requests]


class LikesTheFirst(Overlap):
    """Who is shown first gets more."""

    caught = "order"

    def one(self, request: Request) -> Any:
        found = super().one(request)
        return [found[0] + 0.5, *found[1:]]


class AsGiven(Ranks):
    """Says nothing, and ranks in the order in which candidates are shown."""

    caught = "order"
    info = ModelInfo("rank")

    def one(self, request: Request) -> Any:
        return Ranking.from_scores(request, [float(-place) for place in range(len(request.candidates))])


class SoftmaxUnsaid(Overlap):
    """Gives shares of all candidates, and does not say that it is listwise."""

    caught = "subsets"
    info = ModelInfo("probability")

    def one(self, request: Request) -> Any:
        shares = np.exp(np.array(super().one(request)))
        return list(shares / shares.sum())


# what it does besides


class LosesMetadata(Ranks):
    """Makes the documents anew, of their texts alone."""

    caught = "metadata-kept"

    def one(self, request: Request) -> Any:
        ranking = super().one(request)
        items = (replace(i, document=Document(i.document.id, i.document.text, i.document.title)) for i in ranking.items)
        return replace(ranking, items=tuple(items))


class CutsDocuments(Ranks):
    """Gives back what it read of a document."""

    caught = "metadata-kept"

    def one(self, request: Request) -> Any:
        items = super().one(request).items
        cut = [replace(item.document, text=item.document.text[:20]) for item in items]
        return Ranking(
            request.query, tuple(RankedDocument(d, i.score, i.rank) for d, i in zip(cut, items, strict=True))
        )


class SeedsAll(Overlap):
    """Seeds the generator of everyone when it loads."""

    caught = "random-state"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        random.seed(0)


class SeedsTorch(Overlap):
    """Seeds torch for everyone each time it scores."""

    caught = "random-state"

    def one(self, request: Request) -> Any:
        torch.manual_seed(0)
        return super().one(request)


class DrawsOfAll(Overlap):
    """Shuffles with the generator of everyone, to no effect on its scores."""

    caught = "random-state"

    def one(self, request: Request) -> Any:
        order = list(request.candidates)
        np.random.shuffle(order)  # type: ignore[arg-type]
        found = {document.id: self.number(request.query, document) for document in order}
        return [found[document.id] for document in request.candidates]


class SetsTheEnvironment(Overlap):
    """Says for everyone how many threads tokenizers have, once."""

    caught = "process-unchanged"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        os.environ.setdefault("RR_SHELF_PARALLELISM", "false")


class GoesElsewhere(Overlap):
    """Goes to another folder, and stays there."""

    caught = "process-unchanged"

    def one(self, request: Request) -> Any:
        os.chdir(tempfile.gettempdir())
        return super().one(request)


class SilencesAll(Overlap):
    """Turns everyone's logging off, since a library is loud."""

    caught = "process-unchanged"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        logging.disable(logging.WARNING)


class LogsForAll(Overlap):
    """Sets the root logger up."""

    caught = "process-unchanged"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        logging.root.setLevel(logging.DEBUG)


class NoGradients(Overlap):
    """Switches gradients off for everyone, and not for its own block."""

    caught = "process-unchanged"

    def one(self, request: Request) -> Any:
        torch.set_grad_enabled(False)
        return super().one(request)


class Prints(Overlap):
    """Prints what it scored."""

    caught = "prints-nothing"

    def one(self, request: Request) -> Any:
        found = super().one(request)
        print(request.query.id, found)  # noqa: T201
        return found


class DrawsABar(Overlap):
    """Draws a progress bar on stderr when it loads."""

    caught = "prints-nothing"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        sys.stderr.write("loading 100%\r")


class KeepsRequests(Overlap):
    """Keeps every request that it was asked, for a report that nobody asks for."""

    caught = "memory-flat"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        self._asked: list[Request] = []

    def one(self, request: Request) -> Any:
        self._asked.append(request)
        return super().one(request)


class KeepsTensors(OfTorch):
    """Keeps the hidden states of all calls."""

    caught = "memory-flat"

    def __init__(self, settings: rr.Settings, checkpoint: Path | None = None) -> None:
        super().__init__(settings)
        self._states: list[torch.Tensor] = []

    def one(self, request: Request) -> Any:
        self._states.append(torch.ones(100_000))  # zeros may be pages that nothing was written to
        return super().one(request)


class SharesABuffer(Overlap):
    """Says that threads may share it, and keeps the request that it is at in one place."""

    caught = "threads"
    thread_safe = True

    def one(self, request: Request) -> Any:
        self._request = request
        time.sleep(0.001)  # a network, a device
        found = [self.number(self._request.query, document) for document in request.candidates]
        return [value + 0.001 * len(self._request.query.text) for value in found]
