"""Scorers that write down what they are asked, to be counted; one of them dies, now and then or always."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import rr


@rr.hookimpl
def rr_register_scorers() -> list[rr.Component]:
    return [
        rr.Component("counted", "rr_counted:Counted", "Writes down each call"),
        rr.Component("mortal", "rr_counted:Mortal", "Dies at its first calls"),
        rr.Component("broken", "rr_counted:Broken", "Raises"),
    ]


class CountedSettings(rr.Settings):
    seconds: float = 0.0
    """Before each answer."""
    lives: int = 0
    """How many processes die of it."""


class Counted:
    Settings = CountedSettings
    info = rr.ModelInfo(scale="logit")

    def __init__(self, settings: CountedSettings, checkpoint: Path | None) -> None:
        self._settings = settings

    def score(self, requests: Sequence[rr.Request]) -> list[rr.Scores]:
        said = f"{os.getpid()} {type(self).__name__} {len(requests)} {requests[0].query.id}\n"
        with Path(os.environ["RR_COUNTED_LOG"]).open("a", encoding="utf-8") as log:
            log.write(said)
        time.sleep(self._settings.seconds)
        return [rr.Scores(tuple(float(hash_of(r, d)) for d in r.candidates)) for r in requests]


class Mortal(Counted):
    def score(self, requests: Sequence[rr.Request]) -> list[rr.Scores]:
        answers = super().score(requests)
        log = Path(os.environ["RR_COUNTED_LOG"]).read_text(encoding="utf-8").splitlines()
        if len({line.split()[0] for line in log if line.split()[1] == "Mortal"}) <= self._settings.lives:
            os._exit(9)
        return answers


class Broken(Counted):
    def score(self, requests: Sequence[rr.Request]) -> list[rr.Scores]:
        raise ValueError("it was never meant to work")


def hash_of(request: rr.Request, document: rr.Document) -> int:
    return sum(map(ord, request.query.text)) * 31 % 97 + sum(map(ord, document.text)) * 17 % 89
