"""MovieLens, read as sequential recommendation: which film does a user rate next?

`folder` holds ratings.csv (userId, movieId, timestamp in seconds; the rating itself is not read, every
rating is an interaction) and movies.csv (movieId, title, genres separated by `|`, and any others, one of which
`text` may name, to be shown in the place of the title). A user's interactions are ordered by time, and by
movie id where times are equal. The k-core filter drops users and films with fewer than `core` interactions
until none is left to drop.

Leave-one-out: of every user the last film is the target of query `u<id>/test`, the one before of
`u<id>/dev`, the one before that of `u<id>/train`, each with what came before its target as history and the
target as its one relevant document. On ml-latest-small with `core: 5` this is the "ML-100k" of LlamaRec: 610
users, 3,650 films, 90,274 interactions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from rr import DataError, Document, Query, Settings
from rr.data import ById, Collection, DataPath
from rr_data.item_texts import TITLE, ItemTexts
from rr_data.tables import read_table

MINIMUM = 4  # a target for each of three splits, and one film before the first of them


class Options(Settings):
    folder: DataPath
    """Holds ratings.csv and movies.csv."""
    core: int = Field(5, ge=1)
    """Fewest interactions of a user and of a film; 1 keeps all."""
    text_history: int = Field(10, ge=1)
    """Newest titles in a query's text."""
    text: str = TITLE
    """Column of movies.csv that films are shown by: title, caption, semantic_summary …."""


class Interaction(NamedTuple):
    """In the order of the fields that interactions are sorted by."""

    timestamp: int
    movie: int
    user: int


class MovieLens:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._options.folder / "movies.csv", self._options.folder / "ratings.csv"]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a column is missing, a number is malformed, a film is listed twice, a user rates
                a film twice, or the filter leaves nothing.
        """
        movies: ById[Document] = ById("movie")
        shown = ItemTexts(self._options.text)
        for row in read_table(self._options.folder / "movies.csv", ["movieId", "title", "genres", shown.column]):
            id_ = str(row.integer("movieId"))
            genres = row.string("genres").replace("|", ", ").replace("(no genres listed)", "")
            movies.add(id_, Document(id_, genres, shown.title(id_, row, row.text("title"), genres)), row)

        ratings: ById[Interaction] = ById("the rating of user and movie")
        unknown: list[str] = []
        for row in read_table(self._options.folder / "ratings.csv", ["userId", "movieId", "timestamp"]):
            interaction = Interaction(row.integer("timestamp"), row.integer("movieId"), row.integer("userId"))
            if str(interaction.movie) in movies:
                ratings.add(f"{interaction.user} {interaction.movie}", interaction, row)
            else:
                unknown.append(f"{row.at} (user {interaction.user}, movie {interaction.movie})")

        kept = _core(list(ratings.values()), self._options.core)
        if not kept:
            raise DataError(
                f"{self._options.folder}: the {self._options.core}-core filter leaves nothing; lower `core`"
            )
        sequences: dict[int, list[Document]] = defaultdict(list)
        for interaction in sorted(kept):
            sequences[interaction.user].append(movies[str(interaction.movie)])
        short = [user for user, films in sequences.items() if len(films) < MINIMUM]

        queries: dict[str, Query] = {}
        qrels: dict[str, dict[str, int]] = {}
        splits: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
        for user in sorted(sequences.keys() - short):
            films = sequences[user]
            for split, target in (("train", -3), ("dev", -2), ("test", -1)):
                # The whole history, so that nothing seen comes back as a candidate; a scorer reads its newest items.
                history = films[:target]
                query = Query(f"u{user}/{split}", _titles(history, self._options.text_history), tuple(history))
                queries[query.id] = query
                qrels[query.id] = {films[target].id: 1}
                splits[split].append(query.id)

        watched = {str(interaction.movie) for interaction in kept}
        documents = {id_: film for id_, film in movies.items() if id_ in watched}
        notes = [
            f"{self._options.core}-core: {len(sequences):,} users, {len(documents):,} items, "
            f"{len(kept):,} interactions, mean length {len(kept) / len(sequences):.2f}"
        ]
        if unknown:
            notes.append(f"ratings of films that movies.csv lacks, left out: {len(unknown)}, first {unknown[0]}")
        if short:
            notes.append(f"users with fewer than {MINIMUM} films, left out: {len(short)}")
        notes += shown.notes(documents)
        return Collection(
            documents=documents,
            queries=queries,
            qrels=qrels,
            splits=splits,
            notes=tuple(notes),
        )


def _core(interactions: list[Interaction], core: int) -> list[Interaction]:
    """What is left when every user and every film has at least `core` interactions. Dropping a film can take
    a user below the limit and the other way round, so it is done until nothing changes."""
    while True:
        users = Counter(interaction.user for interaction in interactions)
        movies = Counter(interaction.movie for interaction in interactions)
        kept = [i for i in interactions if users[i.user] >= core and movies[i.movie] >= core]
        if len(kept) == len(interactions):
            return kept
        interactions = kept


def _titles(history: Sequence[Document], newest: int) -> str:
    return "; ".join(film.title or film.text for film in history[-newest:])
