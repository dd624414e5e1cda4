"""Invented films and the users who watch them: which film comes next?

A title holds a noun of one theme and an adjective that means nothing. Themes that have nothing to do with each other
by their words (vineyards, submarines, weddings) are dealt into circles of three, and a user's taste is a circle: nearly
every film is of one of its themes, most of its first one, few of its last; seldom the user turns to another circle. No
film is watched twice. So the next film shares no noun with the history and need not resemble it, and yet titles alone
are enough for a model that has learned from other users which themes go together and which are watched most.

Leave-one-out, as in the MovieLens reader: of every user the last film is the target of query `<user>/test`, the one
before of `<user>/dev`, the one before that of `<user>/train`, each with what came before its target as history.
`run` holds each target among films that the user has not watched, scored by their popularity: the sampled evaluation
of He et al. 2017 (NCF), but with a number of films from the circle that the user is in, as a retriever would find them.
It holds the truth whatever the scores are, so its protocol is `oracle`. The field `history` is how many films a query's
user has watched.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from rr import Document, Query, Settings
from rr.data import Collection


class Wordings(NamedTuple):
    """What a world is told in: the letters' embedded base is pretrained on worlds in other wordings than these."""

    themes: str
    """One a line: its nouns."""
    adjectives: str
    forms: tuple[str, ...]


THEMES = """
harbor lighthouse anchor tide sailor lagoon seagull
violin trumpet opera choir piano ballad orchestra
pastry cinnamon bakery honey caramel kitchen recipe
glacier blizzard snowfall icicle sled igloo avalanche
detective alibi fingerprint ransom forgery heist suspect
orbit comet astronaut telescope nebula rocket moon
orchard tractor harvest barn meadow scarecrow plough
castle knight dragon throne dungeon crown squire
surgeon hospital fever vaccine nurse ambulance scalpel
boxing stadium goalkeeper referee marathon trophy sprinter
desert camel oasis caravan dune mirage sandstorm
clock pendulum cogwheel watchmaker hourglass sundial minute
spider beetle hornet cocoon firefly locust anthill
railway locomotive platform conductor tunnel timetable signalman
circus acrobat clown trapeze juggler carousel ringmaster
volcano earthquake lava canyon geyser crater landslide
school homework classroom blackboard teacher exam pupil
soldier trench bayonet regiment bunker ceasefire barracks
wedding bride honeymoon bouquet proposal anniversary bridesmaid
robot android circuit laboratory machine algorithm inventor
casino poker roulette jackpot gambler dice croupier
vampire graveyard coffin phantom crypt seance werewolf
painter canvas gallery portrait sculptor fresco easel
election senator parliament ballot governor campaign minister
jungle parrot gorilla vine rainforest jaguar python
library manuscript novelist bookshop poet dictionary librarian
skyscraper subway taxi rooftop billboard elevator sidewalk
fisherman trout river canoe reed waterfall heron
courtroom judge verdict jury lawyer testimony witness
cowboy saloon sheriff stampede lasso rodeo ranch
perfume silk tailor necklace mirror runway seamstress
submarine torpedo sonar periscope depth admiral frogman
hotel suitcase passport lobby concierge vacation tourist
wolf cabin lumberjack pine bear campfire moose
bank ledger auction tycoon inheritance merger banker
puppet doll teddy attic nursery lullaby marionette
temple monk incense pilgrimage prayer shrine abbot
garage motorcycle highway racer gasoline hitchhiker mechanic
vineyard cellar grape cork barrel winemaker goblet
telephone radio postcard telegram envelope antenna stamp
greenhouse tulip gardener rose hedge butterfly petal
coalmine pickaxe blacksmith furnace ore quarry miner
"""

ADJECTIVES = """
absent ancient bitter borrowed broken careful crooked distant drowsy empty endless faded famous foolish forgotten
gentle golden hidden hollow honest hungry idle jealous lonely lucky modest naked nervous perfect quiet restless rusty
secret seventh silent sleepless stolen stubborn sudden tender unfinished velvet wandering weary wicked
"""

FORMS = ("{} {}", "The {} {}", "My {} {}", "The Last {} {}")
WORDINGS = Wordings(THEMES, ADJECTIVES, FORMS)

CIRCLE = 3  # themes
LENGTHS = (5, 8)  # films a user watches: each target has 2 to 7 before it
SHARES = (0.65, 0.25, 0.1)  # of a circle's themes among the films that its users watch
LEAVE = 0.04  # chance a step to turn to any circle
TEXT_HISTORY = 5  # newest titles in a query's text


class Options(Settings):
    users: int = Field(600, ge=1)
    """Who watch films."""
    dev: int = Field(60, ge=1)
    """Users whose dev query is kept; small, since every epoch of a training ranks them."""
    test: int = Field(500, ge=1)
    """Users whose test query is kept."""
    candidates: int = Field(20, ge=2, le=200)
    """Films in a query's run, the truth among them."""
    near: int = Field(9, ge=0)
    """Of these, films from the circle of the history's last one."""
    seed: int = 17
    """Of all that is drawn: another seed is another world."""


class Films:
    Settings = Options

    def __init__(self, settings: Options, wordings: Wordings = WORDINGS) -> None:
        self._options, self._wordings = settings, wordings

    def files(self) -> list[Path]:
        """None: the text is this module's."""
        return []

    def read(self) -> Collection:
        generator = random.Random(self._options.seed)
        circles = _circles(self._wordings, generator)
        documents = dict(sorted((f.id, f) for circle in circles for theme in circle for f in theme))
        circle_of = {
            film.id: [f for t in circle for f in t] for circle in circles for theme in circle for film in theme
        }
        watched = {f"u{number:04}": _watched(circles, generator) for number in range(1, self._options.users + 1)}
        users = list(watched)
        kept = {
            "train": users,
            "dev": sorted(generator.sample(users, min(self._options.dev, len(users)))),
            "test": sorted(generator.sample(users, min(self._options.test, len(users)))),
        }
        popularity = Counter(film.id for films in watched.values() for film in films[:-3])
        queries: dict[str, Query] = {}
        qrels: dict[str, dict[str, int]] = {}
        run: dict[str, dict[str, float]] = {}
        for split, target in (("train", -3), ("dev", -2), ("test", -1)):
            for user in kept[split]:
                films = watched[user]
                history, truth = films[:target], films[target]
                text = "; ".join(film.title for film in history[-TEXT_HISTORY:])
                query = Query(f"{user}/{split}", text, tuple(history))
                queries[query.id] = query
                qrels[query.id] = {truth.id: 1}
                met = {film.id for film in history} | {truth.id}
                near = [film.id for film in circle_of[history[-1].id] if film.id not in met]
                chosen = generator.sample(near, min(self._options.near, len(near), self._options.candidates - 1))
                rest = [id_ for id_ in documents if id_ not in {*met, *chosen}]
                chosen += generator.sample(rest, self._options.candidates - 1 - len(chosen))
                run[query.id] = {id_: float(popularity[id_]) for id_ in sorted([truth.id, *chosen])}
        splits = {split: [f"{user}/{split}" for user in kept[split]] for split in kept}
        watched_before = {query.id: str(len(query.history)) for query in queries.values()}
        return Collection(documents, queries, qrels, splits, run=run, facets={"history": watched_before})


def _circles(wordings: Wordings, generator: random.Random) -> list[list[list[Document]]]:
    """The films of each theme of each circle."""
    themes = [line.split() for line in wordings.themes.strip().splitlines()]
    generator.shuffle(themes)
    adjectives = wordings.adjectives.split()
    count = sum(map(len, themes))
    numbers = iter(generator.sample(range(1, count + 1), count))  # in random order, or an id would tell its theme
    films = [
        [
            Document(
                id=f"f{next(numbers):03}",
                text="",
                title=generator.choice(wordings.forms).format(
                    generator.choice(adjectives).capitalize(), noun.capitalize()
                ),
            )
            for noun in theme
        ]
        for theme in themes
    ]
    return [films[start : start + CIRCLE] for start in range(0, len(films), CIRCLE)]


def _watched(circles: list[list[list[Document]]], generator: random.Random) -> list[Document]:
    """What one user watches, oldest first."""
    circle = generator.choice(circles)
    films: list[Document] = []
    length = generator.randint(*LENGTHS)
    while len(films) < length:
        (theme,) = generator.choices(circle, SHARES)
        fresh = [film for film in theme if film not in films]
        if fresh:  # else the user has seen the whole theme, and looks for another
            films.append(generator.choice(fresh))
        if generator.random() < LEAVE:
            circle = generator.choice(circles)
    return films
