"""MovieLens, read as sequential recommendation: which film does a user rate next?

`folder` holds one of its releases:
- ml-latest, ml-20m and later: ratings.csv (userId, movieId, timestamp in seconds) and movies.csv (movieId, title,
  genres separated by `|`, and any others, one of which `text` may name, to be shown in the place of the title);
- ml-1m and ml-10m: ratings.dat and movies.dat, the same columns in this order, with `::` between them;
- ml-100k: u.data and u.item, with tabs and with `|`, genres as 19 columns of 0 and 1.

The rating itself is not read, every rating is an interaction. Older releases are Latin-1. Sequences, filter and
leave-one-out: `rr_data.sequences`. On ml-latest-small with `core: 5` this is the "ML-100k" of LlamaRec: 610 users,
3,650 films, 90,274 interactions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from rr import DataError, Document, Settings
from rr.data import ById, Collection, Damage, DataPath, Row, missing
from rr_data.found import either_encoding, packed
from rr_data.item_texts import TITLE, ItemTexts
from rr_data.sequences import MINIMUM, Interaction, leave_one_out
from rr_data.tables import read_table

RELEASES = {"movies.csv": "ratings.csv", "movies.dat": "ratings.dat", "u.item": "u.data"}
"""The file of films → that of ratings."""
RATING = ("userId", "movieId", "rating", "timestamp")
FILM = ("movieId", "title", "genres")
GENRES: tuple[str, ...] = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
)
GENRES += ("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western")
"""Of ml-100k, in the order of its columns (u.genre); `unknown` is none."""


class Options(Settings):
    folder: DataPath
    """Holds ratings.csv and movies.csv, or ratings.dat and movies.dat, or u.data and u.item."""
    core: int = Field(5, ge=1)
    """Fewest interactions of a user and of a film; 1 keeps all."""
    text_history: int = Field(10, ge=1)
    """Newest titles in a query's text."""
    text: str = TITLE
    """Column of movies.csv that films are shown by: title, caption, semantic_summary …."""


class MovieLens:
    Settings = Options

    def __init__(self, settings: Options) -> None:
        self._options = settings
        there = [
            films
            for films, ratings in RELEASES.items()
            if any(packed(settings.folder / name).is_file() for name in (films, ratings))
        ]
        self._films = packed(settings.folder / (there or list(RELEASES))[0])
        self._ratings = packed(settings.folder / RELEASES[(there or list(RELEASES))[0]])
        self._several = there[1:] and there

    @classmethod
    def recognise(cls, paths: Sequence[Path]) -> dict[str, Any] | None:
        """Its options, if it is asked of one folder that holds one release."""
        if len(paths) != 1:
            return None
        there = [
            films
            for films, ratings in RELEASES.items()
            if all(packed(paths[0] / name).is_file() for name in (films, ratings))
        ]
        return {"folder": str(paths[0])} if len(there) == 1 else None

    def files(self) -> list[Path]:
        """All that `read` reads."""
        return [self._films, self._ratings]

    def read(self) -> Collection:
        """
        Raises:
            DataError: a file or a column is missing, a number is malformed, a film is listed twice, a user rates
                a film twice, the filter leaves nothing, or the folder holds two releases.
        """
        if self._several:
            raise DataError(f"{self._options.folder}: holds {' and '.join(self._several)}, of two releases; keep one")
        damage = Damage()
        movies: ById[Document] = ById("movie")
        shown = ItemTexts(self._options.text)
        for row in self._film_rows(shown, damage):
            with damage.row():
                id_ = str(row.integer("movieId"))
                genres = row.string("genres").replace("|", ", ").replace("(no genres listed)", "")
                movies.add(id_, Document(id_, genres, shown.title(id_, row, row.text("title"), genres)), row)

        ratings: ById[Interaction] = ById("the rating of user and movie")
        unknown: list[str] = []
        for row in self._rating_rows(damage):
            with damage.row():
                user, film = str(row.integer("userId")), str(row.integer("movieId"))
                if film in movies:
                    ratings.add(f"{user} {film}", Interaction(row.integer("timestamp"), film, user), row)
                else:
                    unknown.append(f"{row.at} (user {user}, movie {film})")
        told = damage.told()

        options = self._options
        found, short = leave_one_out(
            options.folder, movies, list(ratings.values()), options.core, options.text_history, {}
        )
        notes = [*found.notes]
        if unknown:
            films = self._films.name
            notes.append(f"ratings of films that {films} lacks, left out: {len(unknown)}, first {unknown[0]}")
        if short:
            notes.append(f"users with fewer than {MINIMUM} films, left out: {len(short)}")
        return replace(found, notes=(*told, *notes, *shown.notes(found.documents)))

    def _film_rows(self, shown: ItemTexts, damage: Damage) -> Iterator[Row]:
        path = self._films
        if path.name.startswith("movies.csv"):
            yield from read_table(path, [*FILM, shown.column])
            return
        if shown.column != TITLE:
            raise DataError(f"{path}: {missing('column', [shown.column], list(FILM))}; only movies.csv has others")
        columns = FILM if path.name.startswith("movies.dat") else ("movieId", "title", "date", "video", "url", *GENRES)
        for row in _columns(path, columns, "::" if columns == FILM else "|", damage):
            if columns != FILM:
                genres = "|".join(name for name in GENRES[1:] if row.fields[name].strip() == "1")
                row = Row(path, row.at, {**row.fields, "genres": genres})
            yield row

    def _rating_rows(self, damage: Damage) -> Iterator[Row]:
        path = self._ratings
        if path.name.startswith("ratings.csv"):
            yield from read_table(path, ["userId", "movieId", "timestamp"])
            return
        yield from _columns(path, RATING, "::" if path.name.startswith("ratings.dat") else "\t", damage)


def _columns(path: Path, columns: Sequence[str], separator: str, damage: Damage) -> Iterator[Row]:
    """Of a file without a header, whose encoding is that of its year."""
    for number, line in either_encoding(path):
        if line.strip():
            with damage.row():
                cells = line.split(separator)
                row = Row(path, f"line {number}", dict(zip(columns, cells, strict=False)))
                if len(cells) != len(columns):
                    raise row.error(f"{len(cells)} columns; write {len(columns)}: {separator.join(columns[:4])}")
                yield row
