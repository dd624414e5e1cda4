"""Invented films and the users who watch them: which film comes next?

A theme is a random share of the nouns, so no knowledge of words tells what belongs together: only other users do. A
user stays with a theme, drifts on to the one that follows it (the themes form a ring), and seldom leaps; a noun that
the user has met is never met again. So the next film shares no noun with the history, popularity is flat, and yet
the titles alone are enough for a model that has learned from other users which words are watched together.

Leave-one-out, as in the MovieLens reader: of every user the last film is the target of query `<user>/test`, the one
before of `<user>/dev`, the one before that of `<user>/train`, each with what came before its target as history.
"""

from __future__ import annotations

import random

from pydantic import Field

from rr.data.collection import Collection
from rr.protocols import Settings
from rr.types import Document, Query

NOUNS = """
abacus acorn almanac amber anchor anvil apricot archer attic avalanche badger ballad balloon barge barley basalt
beacon beaver bell birch bishop blizzard bonfire bottle bramble bridge bugle butter cabin cactus camel candle canyon
carousel cathedral cellar chalk cherry chess cinnamon circus clay clover cobbler comet compass copper coral cornet
cradle crane cricket crown crystal dagger dahlia delta dentist desert diamond domino donkey dragonfly drum dune eagle
echo elbow ember engine falcon feather fence fiddle flute forest fossil fountain fox garlic geyser ginger glacier
glove goblet granite grove guitar hammer harbor harvest hazel hedgehog helmet heron hinge honey horizon hornet hotel
iceberg indigo island ivory jackal jade jasmine jigsaw jungle juniper kettle kite ladder lagoon lantern lemon library
lighthouse lily linen lion lizard lobster locket lotus magnet mango maple marble meadow mirror mitten moth mustard
needle nettle nickel oasis octopus olive orbit orchard otter oyster paddle palace parrot pepper piano pigeon plum
"""

ADJECTIVES = """
absent ancient bitter borrowed broken careful crooked distant drowsy empty endless faded famous foolish forgotten
gentle golden hidden hollow honest hungry idle jealous lonely lucky modest naked nervous perfect quiet restless rusty
secret seventh silent sleepless stolen stubborn sudden tender unfinished velvet wandering weary wicked
"""

FORMS = ("{} {}", "The {} {}", "My {} {}", "The Last {} {}")
THEMES = 10
FILMS_A_NOUN = 2
LENGTHS = (9, 13)  # films a user watches: each target has 6 to 12 before it
STAY, DRIFT = 0.65, 0.3  # chances a step; what is left is a leap to any theme
TEXT_HISTORY = 10  # newest titles in a query's text

Theme = list[tuple[str, Document]]
"""The films of a theme, each with its noun."""


class Options(Settings):
    users: int = Field(400, ge=1)
    dev: int = Field(60, ge=1)  # users whose dev query is kept; small, since every epoch of a training ranks them
    test: int = Field(200, ge=1)  # users whose test query is kept
    seed: int = 17


def generate(options: Options) -> Collection:
    generator = random.Random(options.seed)
    themes = _themes(generator)
    users = [f"u{number:04}" for number in range(1, options.users + 1)]
    kept = {
        "train": set(users),
        "dev": set(generator.sample(users, min(options.dev, len(users)))),
        "test": set(generator.sample(users, min(options.test, len(users)))),
    }
    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    splits: dict[str, list[str]] = {split: [] for split in kept}
    for user in users:
        films = _watched(themes, generator)
        for split, target in (("train", -3), ("dev", -2), ("test", -1)):
            if user in kept[split]:
                history = films[:target]
                text = "; ".join(film.title for film in history[-TEXT_HISTORY:])
                query = Query(f"{user}/{split}", text, tuple(history))
                queries[query.id] = query
                qrels[query.id] = {films[target].id: 1}
                splits[split].append(query.id)
    documents = sorted((film for theme in themes for _, film in theme), key=lambda film: film.id)
    return Collection({film.id: film for film in documents}, queries, qrels, splits)


def _themes(generator: random.Random) -> list[Theme]:
    nouns, adjectives = NOUNS.split(), ADJECTIVES.split()
    generator.shuffle(nouns)
    # ids are dealt out at random, or they would tell the theme
    numbers = iter(generator.sample(range(1, len(nouns) * FILMS_A_NOUN + 1), len(nouns) * FILMS_A_NOUN))
    themes: list[Theme] = [[] for _ in range(THEMES)]
    for place, noun in enumerate(nouns):
        for adjective in generator.sample(adjectives, FILMS_A_NOUN):
            title = generator.choice(FORMS).format(adjective.capitalize(), noun.capitalize())
            themes[place % THEMES].append((noun, Document(f"f{next(numbers):03}", "", title)))
    return themes


def _watched(themes: list[Theme], generator: random.Random) -> list[Document]:
    """What one user watches, oldest first."""
    theme, nouns = generator.randrange(THEMES), set[str]()
    films: list[Document] = []
    for _ in range(generator.randint(*LENGTHS)):
        noun, film = generator.choice([(noun, film) for noun, film in themes[theme] if noun not in nouns])
        nouns.add(noun)
        films.append(film)
        chance = generator.random()
        if chance >= STAY:
            theme = (theme + 1) % THEMES if chance < STAY + DRIFT else generator.randrange(THEMES)
    return films
